"""Changed samples are imported or refused, and never end in another error. `make fuzz` tries more of them."""

from __future__ import annotations

import os
import random
from zlib import crc32

import pytest
import yaml
from aiconfigurator_samples import DATA, document, importable

from autotuner.aiconfigurator.sniffing import read_text
from autotuner.aiconfigurator.task import tasks
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import Scalar
from autotuner.engines.aiconfigurator import LAUNCHINGS
from mutations import mutated

CASES = int(os.environ.get("AUTOTUNER_FUZZ_CASES", "5000"))
PARTS = 8
"""Tests that share the cases, so that they can run side by side."""
FILES = [path.read_text(encoding="utf-8") for path in importable(DATA)]
KNOWN = [(text, None if "," in text.partition("\n")[0] else yaml.load(text, Loader=yaml.CSafeLoader)) for text in FILES]
"""Text and data of each sample; of a table None."""


def anything(group: str, field: str, value: Scalar) -> str | None:
    """An engine for which one value in three is impossible."""
    return "it cannot" if crc32(f"{group}{field}{value}".encode()) % 3 == 0 else None


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_mutations_of_the_samples(part: int) -> None:
    rng = random.Random(part)
    imported = refused = 0
    for number in range(CASES // PARTS):
        text, data = KNOWN[number % len(KNOWN)]
        changed = mutated(text, data, rng)
        try:
            for content in read_text(changed, name="file"):
                for task in tasks(content, rng.choice(LAUNCHINGS), anything):
                    document(task)
            imported += 1
        except AutotunerError as error:
            assert str(error)
            refused += 1
        except Exception as error:
            raise AssertionError(f"part {part}, case {number}:\n{changed}") from error
    assert imported > refused / 10

"""Changed task documents are read or refused, and never end in another error. `make fuzz` tries more of them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import yaml

from autotuner.config.load import dump, parse
from autotuner.contracts.errors import AutotunerError
from mutations import mutated

CASES = int(os.environ.get("AUTOTUNER_FUZZ_CASES", "5000"))
PARTS = 8
"""Tests that share the cases, so that they can run side by side."""
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = [path.read_text(encoding="utf-8") for path in sorted([*EXAMPLES.glob("*.yaml"), *EXAMPLES.glob("*/task.yaml")])]
KNOWN = [(text, yaml.load(text, Loader=yaml.CSafeLoader)) for text in FILES]


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(PARTS))
def test_mutations_of_the_examples(part: int) -> None:
    rng = random.Random(part)
    read = refused = 0
    for number in range(CASES // PARTS):
        text, data = KNOWN[number % len(KNOWN)]
        changed = mutated(text, data, rng)
        try:
            document = parse(changed, name="file")
            assert parse(dump(document), name="again") == document
            read += 1
        except AutotunerError as error:
            assert str(error)
            refused += 1
        except Exception as error:
            raise AssertionError(f"part {part}, case {number}:\n{changed}") from error
    assert read > refused / 20

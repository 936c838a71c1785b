"""The pages know no flag, no parameter of an engine, no preset, no profile and no formula: the API tells all of it.

Names are taken from the catalogues, presets and profiles themselves, so what comes later is looked for as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from autotuner.engines.catalogues.shelf import Shelf
from autotuner.engines.registry import system_presets
from autotuner.metrics.names import AGGREGATED
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import load_settings
from page_tools import FRONTEND

SOURCE = FRONTEND / "src"
FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
STYLE_VARIABLE = re.compile(r"var\(--[\w-]+|^\s*--[\w-]+:|\(--[\w-]+\)", re.MULTILINE)
"""The other thing that begins so: a variable of CSS, defined or used."""
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)+")
FIELD = re.compile(r"^\s*\"?([\w-]+)\"?\??:", re.MULTILINE)
"""A field in the typed client."""
POWER = re.compile(r"Math\.(?:pow|exp|expm1|sqrt|cbrt)\(|([\w)\]]+)\s*\*\*=?\s*[\w(]")
UNITS = {"2", "10", "1024"}
"""Bases of powers that are units, decades of an axis and the pauses between tries: nothing of a server's."""


@cache
def flags() -> frozenset[str]:
    return frozenset(
        flag
        for engine in Shelf().engines()
        for held in Shelf().versions(engine)
        for parameter in (*held.read().parameters, *held.read().reserved)
        for flag in (parameter.flag, *parameter.flags, *parameter.off_flags)
        if flag.startswith("--")
    )


@cache
def names() -> frozenset[str]:
    """Of parameters, presets and profiles, unless the API's own documents have a field of that name."""
    fields = set(FIELD.findall((SOURCE / "api" / "schema.gen.ts").read_text(encoding="utf-8")))
    parameters = {
        name
        for engine in Shelf().engines()
        for held in Shelf().versions(engine)
        for parameter in held.read().parameters
        for name in (parameter.name, *parameter.aliases)
    }
    profiles = set(open_profiles(load_settings({"HOME": "/dev/null"})).profiles.names())
    presets = {preset.slug for preset in system_presets()} | {preset.name for preset in system_presets()}
    several_words = {name for name in parameters | profiles | presets if WORD.fullmatch(name)}
    return frozenset(several_words - fields)


@cache
def arithmetic() -> re.Pattern[str]:
    """A figure of a server that is multiplied or divided."""
    figures = "|".join(sorted({one.name.replace("pNN", r"p\d+") for one in AGGREGATED}))
    return re.compile(rf"\b(?:{figures})\b[\])!?]*\s*[*/](?![*/])|(?<![*/<])[*/]\s*(?:[\w.?]+[.?]+)?(?:{figures})\b")


def breaches(name: str, text: str) -> Iterator[str]:
    """What a source file of the pages knows and should not; comments count too."""
    bare = STYLE_VARIABLE.sub("", text)
    for number, line in enumerate(bare.splitlines(), 1):
        known = {flag for flag in FLAG.findall(line) if flag in flags()}
        known |= {word for word in WORD.findall(line) if word in names()}
        yield from (f"{name}:{number}: {word}" for word in sorted(known))
        if any(found[1] not in UNITS for found in POWER.finditer(line)):
            yield f"{name}:{number}: a power"
        if arithmetic().search(line):
            yield f"{name}:{number}: computes with a figure"


def test_the_pages_name_no_flag_no_preset_and_compute_nothing() -> None:
    files = [path for path in SOURCE.rglob("*") if path.suffix in {".ts", ".tsx", ".css"}]
    assert len(files) > 20
    found = [
        one
        for path in files
        if not path.name.endswith(".gen.ts")
        for one in breaches(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_what_is_looked_for_is_there() -> None:
    assert {"--ctx-size", "--max-num-seqs", "--tp-size"} <= flags()
    assert {"n_parallel", "n_ubatch", "quick-test"} <= names()
    assert "max_parallel_experiments" not in names()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('const flag = "--max-num-seqs 4";', "--max-num-seqs"),
        ("// as n_parallel does", "n_parallel"),
        ('placeholder="quick-test"', "quick-test"),
        ("const perGpu = metrics.mean_output_throughput / gpus;", "computes with a figure"),
        ("const total = 2 * row.goodput;", "computes with a figure"),
        ("const size = layers ** 2;", "a power"),
        ("const size = (a + b) ** 0.5;", "a power"),
        ("Math.sqrt(variance)", "a power"),
    ],
)
def test_a_breach_is_found(text: str, expected: str) -> None:
    assert list(breaches("x.ts", f"\n{text}\n")) == [f"x.ts:2: {expected}"]


@pytest.mark.parametrize(
    "text",
    [
        "color: var(--color-accent);",
        "  --threads: 2px;",
        "const rows = items.length / size;",
        "/** ttft and goodput as the API tells them */",
        "<div className='h-full' />",
        "const size = count / 1024 ** 2;",
    ],
)
def test_what_pages_need_is_no_breach(text: str) -> None:
    assert list(breaches("x.tsx", text)) == []

"""Files of presets: the round trip, each refusal with its words, and whatever else may be in such a file."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.config.text import MAX_BYTES
from autotuner.contracts.errors import AutotunerError, ErrorCode, http_status
from autotuner.contracts.presets import PresetContent
from autotuner.presets.content import read_content
from autotuner.presets.files import dump_preset, file_name, parse_preset

CASES = int(os.environ.get("AUTOTUNER_FUZZ_CASES", "1500"))

FULL: dict[str, Any] = {
    "version": "1.0",
    "preset": {
        "name": "Team A",
        "description": "for chat",
        "category": "performance",
        "runtime": "sglang",
        "parameters": {"tp-size": [4, 8], "mem-fraction-static": [0.85], "mixed": [True, 1, 1.0, "1", None]},
        "config": {"parallel_config": {"tp": [1, 2]}, "system_config": {"gpu_type": "h200_sxm"}},
        "metadata": {"author": "me", "tags": ["chat"], "recommended_for": ["production"], "note": {"x": 1}},
        "rules": [{"when": "tp-size >= 4", "require": "mem-fraction-static <= 0.85", "message": "leave room"}],
        "requires": ["balanced"],
    },
}


def raw(data: object) -> bytes:
    return json.dumps(data).encode()


def test_a_whole_file_is_read_and_written_without_loss() -> None:
    content = parse_preset(raw(FULL))
    assert json.loads(dump_preset(content)) == FULL
    assert parse_preset(dump_preset(content).encode()) == content
    kinds = [type(one) for one in parse_preset(dump_preset(content).encode()).parameters["mixed"]]
    assert kinds == [bool, int, float, str, type(None)]


def test_an_old_flat_file_goes_on_to_load() -> None:
    old = {
        "version": "1.0",
        "preset": {
            "name": "Old",
            "description": "",
            "category": "general",
            "parameters": {"tp-size": [1, 2]},
            "metadata": {"author": "somebody", "tags": ["old"], "created": "2025-01-01"},
        },
    }
    content = parse_preset(raw(old))
    assert content.parameters == {"tp-size": (1, 2)}
    assert json.loads(dump_preset(content)) == old


def test_yaml_is_read_too() -> None:
    text = b"version: '1.0'\npreset:\n  name: Y\n  parameters: {tp-size: [1, 2]}\n"
    assert parse_preset(text).parameters == {"tp-size": (1, 2)}


def test_the_name_of_a_file() -> None:
    assert file_name("high-throughput") == "preset-high-throughput.json"


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (raw({"preset": FULL["preset"]}), "version", "it has no version"),
        (raw({"version": "1.0"}), "preset", "it has no preset"),
        (raw({"version": "2.0", "preset": FULL["preset"]}), "version", "'2.0' is not known, only '1.0' is"),
        (raw({"version": 1.0, "preset": FULL["preset"]}), "version", "1.0 is not known"),
        (raw({**FULL, "more": 1}), "more", "not a key of such a file"),
        (raw([FULL]), "file", "it is an array and not an object"),
        (b"null", "file", "it is null and not an object"),
        (b"", "file", "it is null and not an object"),
        (b"tp-size", "file", "it is text and not an object"),
        (b"3", "file", "it is a number and not an object"),
        (b'{"version": "1.0", ', "file", ""),
        (b"\xff\xfe", "file", "not UTF-8"),
        (b'{"version": "1.0", "version": "1.0"}', "file", "given again"),
        (b" " * (MAX_BYTES + 1), "file", "1 MiB"),
        (raw({"version": "1.0", "preset": [1]}), "preset", "an array and not an object"),
        (raw({"version": "1.0", "preset": {"name": "x", "parameters": {"tp-size": 4}}}),
         "preset.parameters.tp-size", "not an array"),
        (raw({"version": "1.0", "preset": {"parameters": {"tp-size": [4]}}}), "preset.name", "it is required"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_words_and_the_field(content: bytes, place: str, words: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_preset(content)
    error = caught.value
    assert error.what == "Import validation failed"
    assert error.place == place
    assert words in error.why
    assert http_status(error.code) == 422


def test_aliases_of_yaml_cannot_fill_the_memory() -> None:
    levels = "\n".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(f'*{chr(97 + n)}' for _ in range(9))}]" for n in range(12)
    )
    with pytest.raises(AutotunerError) as caught:
        parse_preset(f"a: &a [x, x, x, x, x, x, x, x, x]\n{levels}\n".encode())
    assert "aliases" in caught.value.why


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some of them changed, moved, repeated or left out."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        here = rng.randrange(len(made) + 1)
        match rng.randrange(6):
            case 0 if made:
                made[here % len(made)] = rng.randrange(256)
            case 1:
                made[here:here] = rng.choice(
                    [b"[", b"]", b"{", b"}", b'"', b",", b":", b"null", b"-", b"1e999", b"\x00"]
                )
            case 2:
                del made[here : here + rng.randint(1, 20)]
            case 3:
                made[here:here] = made[rng.randrange(len(made) + 1) :][:40]
            case 4:
                made[here:here] = rng.choice([b"&a ", b"*a", b"!!python/object:os.system ", b"\n", b"\t", b"<<: "])
            case _:
                made[here:here] = b"[" * rng.choice([1, 60, 2000])
    return bytes(made)


YAML = b"""version: "1.0"
preset:
  name: Y
  parameters: {tp-size: &a [1, 2], other: *a}
  rules: [{require: "a >= 1", message: m}]
"""


@pytest.mark.fuzz
def test_changed_files_are_read_or_refused_in_words() -> None:
    rng = random.Random(7)
    sources = [json.dumps(FULL, indent=1).encode(), raw(FULL), YAML]
    read = 0
    for number in range(CASES):
        content = mutated(sources[number % len(sources)], rng)
        try:
            found = parse_preset(content)
        except AutotunerError as error:
            assert error.code is ErrorCode.INVALID_VALUE
            assert error.what == "Import validation failed"
            assert error.place
            assert error.why
            continue
        read += 1
        assert parse_preset(dump_preset(found).encode()) == found
    assert read > CASES // 30


# ---- any content


PLAIN_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False), PLAIN_TEXT
)
CONTENTS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "parameters": st.dictionaries(
            NAMES.map(str.lower), st.lists(SCALARS, min_size=1, max_size=4), min_size=1, max_size=4
        ),
    },
    optional={
        "description": PLAIN_TEXT,
        "category": NAMES,
        "metadata": st.fixed_dictionaries(
            {}, optional={"author": NAMES, "tags": st.lists(NAMES, max_size=3), "x": st.lists(SCALARS, max_size=2)}
        ),
        "config": st.fixed_dictionaries(
            {},
            optional={"parallel_config": st.fixed_dictionaries({}, optional={"tp": st.just([1, 2]), "pp": st.just(2)})},
        ),
        "rules": st.lists(st.just({"require": "tp-size >= 1", "message": "m"}), max_size=2),
        "requires": st.lists(NAMES, max_size=2, unique=True),
    },
)


def kinds(content: PresetContent) -> list[Any]:
    return [(name, [(type(value), value) for value in values]) for name, values in content.parameters.items()]


@given(CONTENTS)
def test_import_of_an_export_is_what_was_exported(data: dict[str, Any]) -> None:
    content = read_content(data)
    again = parse_preset(dump_preset(content).encode())
    assert again == content
    assert kinds(again) == kinds(content)

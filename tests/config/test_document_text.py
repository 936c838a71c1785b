"""Reading and writing the text of documents."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.config.problems import DocumentError
from autotuner.config.text import MAX_BYTES, Data, read, unreadable, write
from autotuner.contracts.errors import AutotunerError, ErrorCode

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TRICKY = st.sampled_from(
    ["yes", "on", "012", "0o14", "0x1f", "1e3", "1_000", "1:30", "2026-01-01", "<<", "=", "~", "null", "True", ".5",
     ".inf", "-.INF", ".nan", "+1", "-", "", " a ", "a: b", "# c", "*a", "&a", "!t", "a\nb", "\u2028", "\x85", "\t"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT | TRICKY
)  # fmt: skip
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | TRICKY, inner, max_size=4),
    max_leaves=12,
)


def refused(text: str) -> tuple[str, str]:
    """Place and reason of the only problem of a text."""
    with pytest.raises(DocumentError) as caught:
        read(text, name="task.yaml")
    assert caught.value.code is ErrorCode.INVALID_DOCUMENT
    (problem,) = caught.value.problems
    return problem.place, problem.why


@settings(deadline=None)
@given(PLAIN)
def test_what_is_written_reads_back_with_the_same_types(data: Data) -> None:
    assert repr(read(write(data), name="x")) == repr(data)


@settings(deadline=None)
@given(st.dictionaries(TEXT, PLAIN))
def test_json_is_read_as_it_is(data: Data) -> None:
    for indent in (None, "\t"):
        for ascii_only in (True, False):
            text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
            assert repr(read(text, name="x")) == repr(data)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="[]{}:,-&*!|>'\"#\n \ta0"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text, name="x")
    except AutotunerError as error:
        assert error.code is ErrorCode.INVALID_DOCUMENT


def test_yaml_1_2_core_schema() -> None:
    text = "{a: yes, b: 0o17, c: 0x1F, d: 1e3, e: 012, f: 1:30, g: 2026-01-01, h: ~, i: TRUE, j: '8', k: 8, l: !!str 8}"
    assert read(text, name="x") == {
        "a": "yes", "b": 15, "c": 31, "d": 1000.0, "e": 12, "f": "1:30", "g": "2026-01-01", "h": None, "i": True,
        "j": "8", "k": 8, "l": "8",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", '{"a": 1,\n\t"b": 2,\n\t"a": 3}'])
def test_duplicate_keys_name_both_lines(text: str) -> None:
    place, why = refused(text)
    assert place.startswith("line 3, column ")
    assert "of line 1" in why
    assert "line 3" in why


def test_duplicate_keys_of_json_that_is_no_yaml_are_refused() -> None:
    """YAML takes no key of more than 1024 characters on a line."""
    long = "k" * 2000
    assert refused(f'{{"{long}": 3, "a": 1, "a": 2}}')[1] == "the key 'a' is there twice"
    assert refused(f'{{"{long}": 1, "{long}": 2}}')[1] == f"the key '{long[:40]}…' is there twice"
    assert read(f'{{"{long}": 1}}', name="x") == {long: 1}


@pytest.mark.parametrize(
    ("text", "place"), [("a: [1\nb: {", "line 2"), ("a:\n\tb: 1", "line 2, column 1"), ("a: b: c", "line 1, column 5")]
)
def test_syntax_errors_have_a_line_and_a_column(text: str, place: str) -> None:
    assert refused(text)[0].startswith(place)


def test_tabs_get_their_own_advice() -> None:
    with pytest.raises(DocumentError) as caught:
        read("a:\n\tb: 1", name="x")
    assert caught.value.remedy == "Indent with spaces, not tabs"


def test_aliases_are_copied_and_bounded() -> None:
    data = read("a: &x {n: [1]}\nb: *x", name="x")
    assert isinstance(data, dict)
    assert data["a"] == data["b"]
    assert data["a"] is not data["b"]
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert "aliases" in refused(bomb)[1]
    deep = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} {'[' * 30}*a{n - 1}{']' * 30}\n" for n in range(1, 100))
    assert "nested" in refused(deep)[1]
    assert "stands for nothing" in refused("a: &a [*a]")[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#" * (MAX_BYTES + 1), "bytes"),
        ("[" * 3000, "nested"),
        ("{" * 100_000, "key"),
        ('{"a":' + "[" * 5000 + "]" * 5000 + "}", "nested"),
        ('{"a":' + "[" * 500 + "]" * 500 + "}", "levels"),
        ("a: " + "[" * 500 + "]" * 500, "nested"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": NaN}', "finite"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: !!python/name:os.system x", "tag"),
        ("a: !mine {}", "tag"),
        ("? [a]\n: 1", "key"),
        ("a: " + "9" * 6000, "64 bits"),
        ('{"a": ' + "9" * 6000 + "}", "64 bits"),
        ("a: '\ud800'", "surrogate"),
    ],
)
def test_hostile_texts_are_refused(text: str, why: str) -> None:
    assert why in refused(text)[1]


def test_objects_that_no_file_could_give_are_refused() -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    wide: list[object] = []
    for _ in range(40):
        wide = [wide, wide]
    for data in ({"a": float("nan")}, {"a": 2**64}, {1: 2}, {"a": object()}, "\0", "\ud800", cyclic, wide):
        assert unreadable(data), data
    assert unreadable({"a": [1, 2.5, "b", None, True, {"c": (1,)}]}) == []

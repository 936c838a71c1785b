"""The language of rules: what it says, what it refuses, and that it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.config.comparison import MAX_DEPTH, parse_comparison, renamed
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar

VALUES: dict[str, Scalar] = {
    "tp-size": 4,
    "mem-fraction-static": 0.85,
    "schedule-policy": "lpm",
    "fast": True,
    "slow": False,
    "one": 1,
}


def value_of(name: str) -> Scalar:
    """Of a name, with or without its dashes in front."""
    return VALUES.get(name.lstrip("-"))


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        ("tp-size >= 4", True, False),
        ("tp-size > 4", False, True),
        ("tp-size == 4.0", True, False),
        ("--tp-size < 8 and mem-fraction-static <= 0.85", True, False),
        ("tp-size in [1, 2, 4]", True, False),
        ("tp-size not in [1, 2, 4]", False, True),
        ('schedule-policy == "lpm"', True, False),
        ("schedule-policy != 'lpm'", False, True),
        ('schedule-policy < "mpl"', True, False),
        ("not (tp-size == 4 or one == 2)", False, True),
        ("fast and not slow", True, False),
        # True is no number, and text is none.
        ("fast == 1", False, True),
        ("one == true", False, True),
        ('one == "1"', False, True),
        ("fast < 2", False, True),
        ("schedule-policy < 3", False, True),
        # What nobody knows.
        ("nothing == null", True, False),
        ("nothing == 3", False, True),
        ("nothing < 3", False, False),
        ("not nothing < 3", False, False),
        ("nothing < 3 or tp-size == 4", True, False),
        ("nothing < 3 and tp-size == 5", False, True),
        ("nothing", False, True),
        # and binds closer than or.
        ("fast or slow and slow", True, False),
        ("(fast or slow) and slow", False, True),
    ],
)
def test_what_comparisons_say(text: str, holds: bool, fails: bool) -> None:
    parsed = parse_comparison(text)
    assert (parsed.holds(value_of), parsed.fails(value_of)) == (holds, fails)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tp-size >=",
        ">= 4",
        "tp-size 4",
        "1 < 2 < 3",
        "tp-size >= 4 or",
        "(tp-size >= 4",
        "tp-size >= 4)",
        "tp-size in 4",
        "tp-size in [1, [2]]",
        "tp-size in [other]",
        "tp-size in [1",
        "a not 3",
        "4x == 3",
        "__import__('os')",
        "a; b",
        "a.b()",
        "lambda: 1",
        "tp-size = 4",
        'a == "x',
        "not " * (MAX_DEPTH + 1) + "a",
        "(" * (MAX_DEPTH + 2) + "a" + ")" * (MAX_DEPTH + 2),
        "[" * 5000,
        "a or " * 1000 + "a",
        "a == 1 or " * 190 + "a == 1",
    ],
)
def test_what_is_no_comparison_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_comparison(text)
    assert caught.value.code is ErrorCode.INVALID_VALUE
    assert "cannot be read" in caught.value.what


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = parse_comparison(text)
    except AutotunerError:
        return
    assert not (parsed.holds(VALUES.get) and parsed.fails(VALUES.get))


TERMS = st.recursive(
    st.sampled_from(["tp-size >= 4", "one == 1", "fast", "nothing < 1", 'schedule-policy in ["lpm"]']),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) and ({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) or ({pair[1]})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=6,
)


@given(TERMS, TERMS)
def test_laws_of_logic(one: str, other: str) -> None:
    def truth(text: str) -> tuple[bool, bool]:
        parsed = parse_comparison(text)
        return parsed.holds(VALUES.get), parsed.fails(VALUES.get)

    assert truth(f"not (not ({one}))") == truth(one)
    assert truth(f"({one}) and ({other})") == truth(f"({other}) and ({one})")
    assert truth(f"not (({one}) or ({other}))") == truth(f"not ({one}) and not ({other})")


def test_names_and_other_names_for_them() -> None:
    text = 'tp-size >= 4 and (mode == "tp-size" or tp-size in [8])'
    assert parse_comparison(text).names == ("tp-size", "mode")
    assert renamed(text, {"tp-size": "tp"}) == 'tp >= 4 and (mode == "tp-size" or tp in [8])'
    assert renamed(text, {}) == text

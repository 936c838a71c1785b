"""Parameters in their simple, rich and fixed forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.config.parameters import (
    Choices,
    Fixed,
    FloatRange,
    IntRange,
    ParameterSpec,
    dump_spec,
    parse_spec,
)
from autotuner.contracts.errors import AutotunerError, ErrorCode

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALAR = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | FINITE | st.text()
SPECS: st.SearchStrategy[ParameterSpec] = st.one_of(
    SCALAR.map(lambda v: Fixed(value=v)),
    st.lists(SCALAR, min_size=1).map(parse_spec),
    st.tuples(st.integers(1, 99), st.integers(0, 99), st.integers(1, 9), st.booleans()).map(
        lambda t: IntRange(low=t[0], high=t[0] + t[1], step=1 if t[3] else t[2], log=t[3])
    ),
    st.tuples(st.floats(1e-9, 1e9), st.floats(0, 1e9), st.none() | st.floats(1e-6, 10), st.booleans()).map(
        lambda t: FloatRange(low=t[0], high=t[0] + t[1], step=None if t[3] else t[2], log=t[3])
    ),
)


@settings(deadline=None)
@given(SPECS)
def test_dump_and_parse_are_inverse(spec: ParameterSpec) -> None:
    again = parse_spec(dump_spec(spec))
    assert repr(again) == repr(spec)


@pytest.mark.parametrize(
    ("given_form", "spec"),
    [
        (8, Fixed(value=8)),
        (None, Fixed(value=None)),
        ([4, 2, 4, 2], Choices(values=(4, 2))),
        ([1, True, "1", 1.0], Choices(values=(1, True, "1"))),
        ({"type": "choice", "values": ["a", "b"]}, Choices(values=("a", "b"))),
        ({"type": "bool"}, Choices(values=(False, True))),
        ({"type": "float", "values": [1, 2.5]}, Choices(values=(1.0, 2.5))),
        ({"type": "int", "low": 1, "high": 9, "step": 2}, IntRange(low=1, high=9, step=2)),
        ({"type": "int", "low": 1, "high": 64, "log": True}, IntRange(low=1, high=64, log=True)),
        ({"type": "float", "low": 0, "high": 1}, FloatRange(low=0.0, high=1.0)),
    ],
)
def test_forms(given_form: object, spec: ParameterSpec) -> None:
    assert repr(parse_spec(given_form)) == repr(spec)


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [[1]],
        float("nan"),
        [1, float("inf")],
        {},
        {"type": "integer", "low": 1, "high": 2},
        {"type": "int", "low": 5, "high": 1},
        {"type": "int", "low": "1", "high": 8},
        {"type": "int", "low": True, "high": 8},
        {"type": "int", "low": 1.5, "high": 8},
        {"type": "int", "low": 1},
        {"type": "int", "low": 0, "high": 8, "log": True},
        {"type": "int", "low": 1, "high": 8, "step": 0},
        {"type": "int", "low": 1, "high": 8, "step": 2, "log": True},
        {"type": "int", "low": 1, "high": 8, "log": 1},
        {"type": "int", "values": ["8"]},
        {"type": "int", "values": [1], "low": 0},
        {"type": "float", "low": 0.0, "high": float("inf")},
        {"type": "float", "low": 0.0, "high": 1.0, "step": -0.1},
        {"type": "bool", "values": [0, 1]},
        {"type": "choice"},
        {"type": "choice", "value": [1]},
        {"type": ["int"], "low": 1, "high": 2},
        object(),
    ],
)
def test_what_is_refused(bad: object) -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_spec(bad)
    assert caught.value.code is ErrorCode.INVALID_VALUE


def test_a_misspelt_key_gets_its_nearest() -> None:
    with pytest.raises(AutotunerError) as caught:
        parse_spec({"type": "int", "lo": 1, "high": 2})
    assert caught.value.remedy == "Write low"

"""The kinds of searched parameters: positions, values and indices belong together."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autotuner.contracts.search import Dimension
from autotuner.planning.dimensions import ChoiceDimension, FloatDimension, IntDimension, choices

INTEGERS = st.builds(
    lambda low, length, step: IntDimension("x", low, low + length, step),
    st.integers(-(10**6), 10**6),
    st.integers(0, 10**6),
    st.integers(1, 1000),
)
LOG_INTEGERS = st.builds(
    lambda low, length: IntDimension("x", low, low + length, log=True), st.integers(1, 1000), st.integers(0, 10**6)
)
STEPPED = st.builds(
    lambda low, length, step: FloatDimension("x", low / 100, (low + length) / 100, step / 100),
    st.integers(-1000, 1000),
    st.integers(0, 1000),
    st.integers(1, 100),
)
LISTED = st.lists(st.sampled_from([None, True, False, 1, 2.5, "1", "a"]), min_size=1, unique_by=repr).map(
    lambda values: ChoiceDimension("x", tuple(values))
)


@given(dimension=st.one_of(INTEGERS, LOG_INTEGERS, STEPPED, LISTED), unit=st.floats(0, 1, exclude_max=True))
def test_positions_values_and_indices_agree(dimension: Dimension, unit: float) -> None:
    assert dimension.size is not None
    value = dimension.at(unit)
    index = dimension.index(value)
    assert 0 <= index < dimension.size
    assert dimension.value(index) == value
    assert 0 <= dimension.unit(value) <= 1
    assert dimension.at(dimension.unit(value)) == value


@given(dimension=st.one_of(INTEGERS, STEPPED, LISTED))
def test_values_have_equal_shares_of_the_axis(dimension: Dimension) -> None:
    assert dimension.size is not None
    assume(dimension.size < 10**5)
    for index in {0, dimension.size // 2, dimension.size - 1}:
        # Rounding may move the very edge of a share.
        assert dimension.at((index + 0.001) / dimension.size) == dimension.value(index)
        assert dimension.at((index + 0.999) / dimension.size) == dimension.value(index)


@given(dimension=STEPPED, index=st.integers(0, 2000))
def test_stepped_floats_are_the_decimal_numbers_that_a_person_would_write(
    dimension: FloatDimension, index: int
) -> None:
    assert dimension.size is not None
    value = dimension.value(index % dimension.size)
    assert isinstance(value, float)
    assert value == round(value, 2)
    assert dimension.low <= value <= dimension.high
    with pytest.raises(ValueError, match="is not a value of x"):
        dimension.index(value + (dimension.step or 0) / 2)


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1, 1e6), unit=st.floats(0, 1), log=st.booleans())
def test_continuous_positions_and_values_agree(low: float, factor: float, unit: float, log: bool) -> None:
    dimension = FloatDimension("x", low, low * factor, log=log)
    assert dimension.size is None
    value = dimension.at(unit)
    assert isinstance(value, float)
    assert low <= value <= low * factor
    again = dimension.at(dimension.unit(value))
    assert isinstance(again, float)
    assert math.isclose(again, value, rel_tol=1e-6)


def test_neighbouring_floats_with_one_logarithm_have_a_position() -> None:
    assert FloatDimension("x", 9.0, 9.000000000000002, log=True).unit(9.0) == 0.5


def test_a_log_axis_spreads_small_values_out() -> None:
    assert IntDimension("x", 1, 1023, log=True).at(0.5) == 32
    middle = FloatDimension("x", 0.01, 1.0, log=True).at(0.5)
    assert isinstance(middle, float)
    assert math.isclose(middle, 0.1)


def test_numbers_are_sorted_and_choices_follow_the_catalogue() -> None:
    sizes = choices("x", [4096, 0.5, 10**400, 2048])
    assert (sizes.values, sizes.kind) == ((0.5, 2048, 4096, 10**400), "ordered")
    levels = choices("x", ["high", "low"], ordered=True, order=("low", "middle", "high"))
    assert (levels.values, levels.kind) == (("low", "high"), "ordered")
    assert choices("x", ["b", "a"]).kind == "categorical"
    assert choices("x", [None, 1, 2]).kind == "categorical"
    switch = choices("x", [True, False])
    assert (switch.values, switch.kind) == ((True, False), "ordered")


def test_true_is_not_one_and_text_is_no_number() -> None:
    dimension = ChoiceDimension("x", (True, 2, "3"))
    for value in (1, "2", 3, None):
        with pytest.raises(ValueError, match="is not a value of x"):
            dimension.index(value)
    assert dimension.index(2.0) == 1


def test_what_is_not_on_the_axis_is_refused() -> None:
    for dimension, value in (
        (IntDimension("x", 1, 9, 4), 3),
        (IntDimension("x", 1, 9, 4), 13),
        (IntDimension("x", 1, 9), 2.0),
        (IntDimension("x", 0, 9), False),
        (FloatDimension("x", 0.0, 1.0), 1.5),
        (FloatDimension("x", 0.0, 1.0), "0.5"),
        (FloatDimension("x", 0.0, 1.0, 0.25), 0.3),
    ):
        with pytest.raises(ValueError, match="is not a"):
            dimension.unit(value)
    with pytest.raises(ValueError, match="continuous"):
        FloatDimension("x", 0.0, 1.0).value(0)
    with pytest.raises(ValueError, match="exclude each other"):
        FloatDimension("x", 0.1, 1.0, 0.1, log=True)

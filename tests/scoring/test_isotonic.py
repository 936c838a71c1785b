"""Isotonic regression over repeated values."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.scoring.isotonic import PRIOR_NOISE, isotonic, rising

VALUES = st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 9)), min_size=1, max_size=12)


def test_neighbours_in_the_wrong_order_are_pooled() -> None:
    # Barlow et al., the usual small example: the weighted mean of what violates the order.
    assert isotonic([1.0, 3.0, 2.0, 4.0], [1, 1, 1, 1]) == [1.0, 2.5, 2.5, 4.0]
    assert isotonic([3.0, 1.0], [1, 3]) == [1.5, 1.5]
    assert isotonic([3.0, 2.0, 1.0], [1, 1, 1]) == [2.0, 2.0, 2.0]


@given(VALUES)
def test_the_fit_rises_and_keeps_the_weighted_mean(points: list[tuple[float, int]]) -> None:
    values, weights = [v for v, _ in points], [float(w) for _, w in points]
    fit = isotonic(values, weights)
    assert all(a <= b + 1e-12 for a, b in pairwise(fit))
    total = sum(w * v for v, w in zip(values, weights, strict=True))
    assert sum(w * f for f, w in zip(fit, weights, strict=True)) == pytest.approx(total, abs=1e-9)


@given(VALUES)
def test_no_rising_sequence_is_nearer(points: list[tuple[float, int]]) -> None:
    values, weights = [v for v, _ in points], [float(w) for _, w in points]
    fit = isotonic(values, weights)

    def distance(candidate: list[float]) -> float:
        return sum(w * (v - c) ** 2 for v, c, w in zip(values, candidate, weights, strict=True))

    rng = random.Random(len(points))
    for _ in range(20):
        other = sorted(f + rng.gauss(0, 0.3) for f in fit)
        assert distance(fit) <= distance(other) + 1e-9


def test_values_that_rise_already_stay() -> None:
    curve = rising([[0.1], [0.2, 0.2], [0.9]])
    assert curve.fit == pytest.approx((0.1, 0.2, 0.9))
    assert curve.errors[1] < curve.errors[0]


def test_noise_comes_from_repeats_and_until_then_from_the_prior() -> None:
    assert rising([[0.0], [1.0]]).noise == pytest.approx(PRIOR_NOISE)
    quiet = rising([[0.0, 0.001, 0.0, 0.001, 0.0]] * 4).noise
    loud = rising([[0.0, 0.5, -0.5, 0.4, -0.4]] * 4).noise
    assert quiet < PRIOR_NOISE / 2
    assert loud > 0.3


def test_one_value_far_off_does_not_count() -> None:
    curve = rising([[-0.3, -0.28, 1.0], [0.5]])
    assert curve.fit[0] == pytest.approx(-0.29)
    # Of two that differ nobody knows which is wrong.
    assert rising([[-0.3, 1.0]]).fit[0] == pytest.approx(0.35)

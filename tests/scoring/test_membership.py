"""How certain the front is: probabilities that follow the noise."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.search import Direction
from autotuner.scoring.evidence import pooled_noise
from autotuner.scoring.membership import (
    Candidate,
    StartNoise,
    front_probabilities,
    place,
    score_interval,
    start_noise,
)
from autotuner.scoring.pareto import pareto_front

BOTH: tuple[Direction, ...] = ("maximize", "minimize")
VALUES = st.tuples(st.floats(0.1, 1e4), st.floats(0.001, 10))


def noise(share: float, freedom: int = 20, correlation: float = 0.0) -> StartNoise:
    own = share**2
    return StartNoise(((own, correlation * own), (correlation * own, own)), freedom)


@settings(max_examples=40, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=12), st.floats(0, 0.3), st.integers(1, 30), st.integers(0, 5))
def test_probabilities_are_probabilities_and_something_is_on_the_front(
    values: list[tuple[float, float]], share: float, freedom: int, seed: int
) -> None:
    candidates = {number: Candidate(v, 1 + number % 3) for number, v in enumerate(values)}
    found = front_probabilities(candidates, BOTH, noise(share, freedom), seed=seed, draws=300)
    assert found.keys() == candidates.keys()
    assert all(0 <= p <= 1 for p in found.values())
    # Every draw has a front.
    assert sum(found.values()) >= 1 - 1e-9


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=12))
def test_without_noise_it_is_the_measured_front(values: list[tuple[float, float]]) -> None:
    candidates = {number: Candidate(v) for number, v in enumerate(values)}
    found = front_probabilities(candidates, BOTH, noise(0.0), seed=0)
    assert [n for n, p in found.items() if p == 1.0] == pareto_front(values, BOTH)
    assert set(found.values()) <= {0.0, 1.0}


@settings(deadline=None)
@given(st.lists(VALUES, min_size=2, max_size=8), st.randoms())
def test_the_order_of_the_configurations_plays_no_part(values: list[tuple[float, float]], rng: random.Random) -> None:
    candidates = {number: Candidate(v) for number, v in enumerate(values)}
    shuffled = list(candidates.items())
    rng.shuffle(shuffled)
    first = front_probabilities(candidates, BOTH, noise(0.05), seed=3, draws=100)
    assert front_probabilities(dict(shuffled), BOTH, noise(0.05), seed=3, draws=100) == first


def test_far_behind_is_never_on_it_and_far_ahead_always() -> None:
    candidates = {1: Candidate((100.0, 0.1)), 2: Candidate((50.0, 0.3)), 3: Candidate((99.9, 0.1001))}
    found = front_probabilities(candidates, BOTH, noise(0.02), seed=0)
    assert found[2] == 0.0
    # Two that differ by far less than the noise are about as likely: each beats the other in both, or in one.
    assert 0.6 < found[3] < 0.85
    assert 0.6 < found[1] < 0.85
    alone = front_probabilities({1: Candidate((100.0, 0.1)), 2: Candidate((50.0, 0.3))}, BOTH, noise(0.02), seed=0)
    assert alone == {1: 1.0, 2: 0.0}


def test_more_starts_tell_more() -> None:
    def behind(starts: int) -> float:
        candidates = {1: Candidate((100.0, 0.1), starts), 2: Candidate((97.0, 0.103), starts)}
        return front_probabilities(candidates, BOTH, noise(0.03), seed=0)[2]

    assert behind(1) > behind(4) > behind(16)


def test_the_probability_is_that_of_the_noise_in_closed_form() -> None:
    # One objective: the second is on the front when its draw is the better one, a t-test of two means.
    from scipy.special import stdtr

    freedom, share, ratio = 8, 0.05, 1.04
    single = StartNoise(((share**2,),), freedom)
    found = front_probabilities(
        {1: Candidate((100.0,)), 2: Candidate((100.0 / ratio,))}, ("maximize",), single, seed=1, draws=20_000
    )
    expected = float(stdtr(freedom, -math.log(ratio) / (share * math.sqrt(2))))
    assert found[2] == pytest.approx(expected, abs=0.01)
    assert found[1] + found[2] == pytest.approx(1.0)


def test_objectives_that_are_slow_together_are_told_apart_better() -> None:
    # It is worse in both. If a slow start is slow in both, both must turn round at once.
    def behind(correlation: float) -> float:
        candidates = {1: Candidate((100.0, 0.1)), 2: Candidate((97.0, 0.103))}
        return front_probabilities(candidates, BOTH, noise(0.03, 50, correlation), seed=0, draws=4000)[2]

    # Less of one and more of the other is what a slow start gives.
    assert behind(-0.95) < behind(0.0) < behind(0.95)


def test_many_near_ones_are_all_looked_at() -> None:
    rng = random.Random(1)
    candidates = {n: Candidate((100 * rng.uniform(0.9, 1.1), 0.1 * rng.uniform(0.9, 1.1))) for n in range(400)}
    found = front_probabilities(candidates, BOTH, noise(0.05), seed=0)
    assert len(found) == 400
    assert 1 <= sum(found.values()) < 60


def test_a_throughput_of_zero_is_the_worst() -> None:
    found = front_probabilities({1: Candidate((0.0, 0.2)), 2: Candidate((5.0, 0.1))}, BOTH, noise(0.02), seed=0)
    assert found == {1: 0.0, 2: 1.0}
    assert front_probabilities({}, BOTH, noise(0.02), seed=0) == {}


@given(
    st.lists(st.lists(VALUES, min_size=1, max_size=5), min_size=1, max_size=4).filter(
        lambda g: any(len(x) > 1 for x in g)
    )
)
def test_the_noise_is_that_of_the_evidence(groups: list[list[tuple[float, float]]]) -> None:
    found = start_noise(groups)
    assert found is not None
    for axis in range(2):
        assert found.deviation(axis) == pytest.approx(pooled_noise([[s[axis] for s in g] for g in groups]), abs=1e-12)
    assert found.covariance[0][1] == found.covariance[1][0]


def test_without_repeats_there_is_no_noise() -> None:
    assert start_noise([]) is None
    assert start_noise([[(1.0, 2.0)], [(3.0, 4.0)]]) is None
    assert start_noise([[(1.0, 2.0), (0.0, 2.0)]]) is None


def test_places() -> None:
    assert [place(p) for p in (1.0, 0.95, 0.94, 0.06, 0.05, 0.0)] == [
        "front", "front", "unclear", "unclear", "behind", "behind",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.floats(0.01, 1e6), st.floats(0, 1), st.integers(1, 20), st.integers(1, 30))
def test_an_interval_holds_its_value(value: float, deviation: float, starts: int, freedom: int) -> None:
    low, high = score_interval(value, deviation, starts, freedom, 0.95)
    assert 0 <= low <= value <= high
    assert score_interval(value, 0.0, starts, freedom, 0.95) == (value, value)

"""Looks, what they spend of α, and what they make of finalists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.scoring.evidence import Gain, paired_gain
from autotuner.scoring.sequential import (
    ALPHA,
    last_look,
    look_of,
    next_look,
    out_of_reach,
    repeated_gain,
    spent_at,
    standings,
)

Pairs = tuple[list[float], list[float]]


def pairs(rng: np.random.Generator, gain: float, noise: float, count: int) -> Pairs:
    """Starts with a level that drifts from pair to pair."""
    level = np.exp(np.cumsum(rng.normal(0, noise, count)))
    base = 50 * level * np.exp(rng.normal(0, noise, count))
    return base.tolist(), (50 * (1 + gain) * level * np.exp(rng.normal(0, noise, count))).tolist()


def at(made: Pairs, count: int, finalists: int = 1) -> Gain:
    base, own = made
    return repeated_gain(base[:count], own[:count], direction="maximize", least=5, finalists=finalists)


def test_looks_grow_by_two_fifths() -> None:
    looks = [5]
    while looks[-1] < 30:
        looks.append(next_look(looks[-1]))
    assert looks == [5, 7, 10, 14, 20, 28, 40]
    assert [next_look(n) for n in (1, 2, 3, 4)] == [2, 3, 5, 6]
    assert [look_of(n, 5) for n in (4, 5, 6, 7, 8, 10, 11)] == [None, 0, 1, 1, 2, 2, 3]
    assert [last_look(n, 5) for n in (4, 5, 6, 7, 9, 10)] == [None, 5, 5, 7, 7, 10]


@given(least=st.integers(1, 12), count=st.integers(0, 200))
def test_a_look_is_one_of_the_looks(least: int, count: int) -> None:
    last = last_look(count, least)
    assert (last is None) == (count < least) == (look_of(count, least) is None)
    if last is not None:
        assert last <= count < next_look(last)
        assert look_of(last, least) == sum(
            look_of(n, least) is not None and last_look(n, least) == n for n in range(last)
        )


@given(looks=st.integers(1, 60), alpha=st.floats(1e-6, 0.5))
def test_all_looks_together_spend_less_than_alpha(looks: int, alpha: float) -> None:
    assert math.fsum(spent_at(look, alpha) for look in range(looks)) <= alpha


def test_what_the_looks_spend() -> None:
    assert [spent_at(look, 1.0) for look in range(5)] == pytest.approx([0.15, 0.25, 0.35, 0.125, 0.0625])


def test_each_look_has_its_own_level_and_the_confidence_is_that_of_all() -> None:
    made = pairs(np.random.default_rng(1), 0.1, 0.02, 10)
    for count, share in ((5, 0.15), (7, 0.25), (10, 0.35)):
        gain, plain = (
            at(made, count, 2),
            paired_gain(made[0][:count], made[1][:count], direction="maximize", alpha=ALPHA * share, finalists=2),
        )
        assert (gain.low, gain.high, gain.confidence) == (plain.low, plain.high, 0.99)


def test_before_the_first_look_there_is_no_interval() -> None:
    gain = at(pairs(np.random.default_rng(1), 0.5, 0.001, 4), 4)
    assert (gain.low, gain.high, gain.significant, gain.pairs, gain.vague) == (None, None, False, 4, True)
    assert gain.gain == pytest.approx(0.5, abs=0.02)


def test_looking_again_and_again_claims_nothing_that_is_not_there() -> None:
    """A/A with a look after each group of pairs up to forty: the level holds over all of them together."""
    rng, runs = np.random.default_rng(2), 1000
    claims = misses = 0
    for _ in range(runs):
        finalists = [pairs(rng, 0.0, 0.03, 40) for _ in range(2)]
        seen = [at(one, count, 2) for one in finalists for count in (5, 7, 10, 14, 20, 28, 40)]
        claims += any(gain.significant for gain in seen)
        misses += any(gain.low is None or gain.high is None or not gain.low <= 0 <= gain.high for gain in seen)
    assert claims <= misses
    assert misses / runs <= ALPHA


def test_a_gain_is_found_the_later_the_noisier() -> None:
    rng, runs, needed = np.random.default_rng(3), 100, {}
    for noise in (0.005, 0.02, 0.03):
        stops = []
        for _ in range(runs):
            made = pairs(rng, 0.1, noise, 40)
            stops.append(next(count for count in (5, 7, 10, 14, 20, 28, 40) if at(made, count).significant))
        needed[noise] = sum(stops) / runs
    assert needed[0.005] == 5
    assert needed[0.005] < needed[0.02] < needed[0.03] < 15


def gain(low: float | None, high: float | None) -> Gain:
    middle = 0.0 if low is None or high is None else (low + high) / 2
    shown = low is not None and low > 0
    return Gain(1 + middle, middle, low, high, 0.99, 5, shown, None)


def test_standings() -> None:
    found = standings(
        {
            1: gain(0.10, 0.20),
            2: gain(-0.02, 0.09),
            3: gain(-0.02, 0.34),
            4: gain(-0.09, -0.01),
            5: gain(-0.03, 0.015),
            6: None,
            7: gain(None, None),
        },
        useful=0.02,
    )
    assert found == {1: "gain", 2: "beaten", 3: "open", 4: "worse", 5: "no_useful_gain", 6: "open", 7: "open"}
    assert standings({2: gain(-0.02, 0.09)}, useful=0.02) == {2: "open"}


def test_what_is_vague() -> None:
    assert gain(None, None).vague
    assert gain(-1.0, 110543.0).vague
    assert not gain(-0.2, 0.3).vague
    assert not gain(2.0, 9.0).vague


# ---- out of reach


def hopeless(made: Pairs, count: int, most: int = 10, finalists: int = 2) -> bool:
    base, own = made
    return out_of_reach(base[:count], own[:count], direction="maximize", least=5, most=most, finalists=finalists)


@pytest.mark.parametrize(("gain", "noise"), [(0.1, 0.03), (0.1, 0.05), (0.2, 0.11)])
def test_a_gain_that_would_have_been_shown_is_hardly_ever_given_up(gain: float, noise: float) -> None:
    rng = np.random.default_rng(21)
    lost = 0
    for _ in range(400):
        made = pairs(rng, gain, noise, 10)
        shown = [count for count in (5, 7, 10) if at(made, count, 2).significant]
        given_up = [count for count in (5, 7) if hopeless(made, count)]
        lost += bool(shown and given_up and given_up[0] < shown[0])
    assert lost <= 2


def test_where_there_is_none_most_are_given_up_before_the_end() -> None:
    rng = np.random.default_rng(22)
    tasks = [pairs(rng, 0.0, 0.05, 10) for _ in range(400)]
    given_up = sum(hopeless(made, 5) or hopeless(made, 7) for made in tasks)
    assert given_up > 200


def test_with_many_starts_left_nothing_is_out_of_reach() -> None:
    rng = np.random.default_rng(23)
    made = pairs(rng, 0.02, 0.03, 5)
    assert not hopeless(made, 5, most=200)
    assert not hopeless(made, 5, most=5)
    assert not hopeless(made, 4)


def test_the_same_scores_are_out_of_reach_and_a_plain_gain_is_not() -> None:
    same = [100.0] * 5
    assert out_of_reach(same, same, direction="maximize", least=5, most=10)
    assert not out_of_reach(same, [110.0] * 5, direction="maximize", least=5, most=10)
    assert not out_of_reach(same, [90.0] * 5, direction="minimize", least=5, most=10)
    assert out_of_reach(same, [90.0] * 5, direction="maximize", least=5, most=10)


def test_one_whose_gain_is_out_of_reach_is_told_apart() -> None:
    rng = np.random.default_rng(24)
    open_gain = at(pairs(rng, 0.03, 0.05, 5), 5)
    assert standings({1: open_gain}, useful=0.0) == {1: "open"}
    assert standings({1: open_gain}, useful=0.0, hopeless={1}) == {1: "out_of_reach"}
    shown = at(pairs(rng, 0.5, 0.01, 5), 5)
    assert standings({1: shown}, useful=0.0, hopeless={1}) == {1: "gain"}

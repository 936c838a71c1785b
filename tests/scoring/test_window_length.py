"""How long a window must be: what is known of the noise, and what follows from it."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.scoring.window_length import (
    LEAST_SHARE,
    MIN_PAIRS,
    PRIOR_BETWEEN,
    PRIOR_FREEDOM,
    WORTH,
    Course,
    between,
    precision,
    time_of,
    within,
)

SLICE_S = 0.25

Rng = np.random.Generator


def course(
    rng: Rng, work: np.ndarray, *, configuration: int = 0, speed: float = 1.0, wander: float = 0.0, kept: float = 0.0
) -> Course:
    """A window of 20 slices that goes through the pieces of ``work``, one a slice at speed 1.

    ``wander``: standard deviation of the speed from slice to slice, each with so much ``kept`` of the one before.
    """
    steps = rng.standard_normal(20)
    for i in range(1, 20):
        steps[i] = kept * steps[i - 1] + sqrt(1 - kept**2) * steps[i]
    done = np.concatenate([[0.0], np.cumsum(speed * np.exp(wander * steps))])
    through = np.interp(done, np.arange(len(work) + 1), np.concatenate([[0.0], np.cumsum(work)]))
    return Course(configuration, SLICE_S, tuple(np.diff(through)))


def work_of(rng: Rng) -> np.ndarray:
    """Pieces of very different size, as requests in a mixture are."""
    return 300 * np.exp(0.5 * rng.standard_normal(60))


def test_what_requests_ask_for_is_no_noise() -> None:
    rng = np.random.default_rng(1)
    work = work_of(rng)
    found = within([course(rng, work, speed=1 + 0.05 * n) for n in range(8)])
    assert found is not None
    assert sqrt(found / 5.0) < 0.01  # of a window of 5 s; the sizes alone make some 10 % of it


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_the_wandering_of_the_speed_is_found(kept: float) -> None:
    """Within a quarter, on the mean of many tasks; halves of 2.5 s miss a little of what hangs together."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(200):
        work = work_of(rng)
        found.append(within([course(rng, work, wander=0.05, kept=kept) for _ in range(8)]) or 0.0)
    true = 0.05**2 * SLICE_S * (1 + kept) / (1 - kept)
    assert sum(found) / len(found) == pytest.approx(true, rel=0.25)


def test_windows_of_one_configuration_are_compared_where_there_are_enough() -> None:
    """Between configurations that are slowed down by different requests the rest of the difference counts as noise."""
    rng = np.random.default_rng(3)
    work = work_of(rng)
    other = work * np.exp(0.3 * rng.standard_normal(60))
    mixed = [course(rng, one, configuration=n, wander=0.02) for n, one in enumerate([work, other] * 4)]
    same = [course(rng, (work, other)[n % 2], configuration=n % 2, wander=0.02) for n in range(8)]
    apart, together = within(mixed), within(same)
    assert apart is not None
    assert together is not None
    assert together < apart


def test_little_says_nothing() -> None:
    rng = np.random.default_rng(4)
    work = work_of(rng)
    windows = [course(rng, work, wander=0.05) for _ in range(MIN_PAIRS + 1)]
    assert within(windows) is not None
    assert within(windows[:MIN_PAIRS]) is None
    short = [Course(0, SLICE_S, window.tokens[:7]) for window in windows]
    assert within(short) is None
    assert within([*windows[:MIN_PAIRS], *short]) is None
    assert within([Course(0, SLICE_S, (0.0,) * 20)] * 9) is None


def test_a_window_that_is_far_slower_has_too_little_in_common() -> None:
    rng = np.random.default_rng(5)
    work = work_of(rng)
    pair = [course(rng, work, configuration=0), course(rng, work, configuration=1, speed=0.2)]
    assert within(pair * 4) is not None  # each with itself
    assert within([Course(n, one.slice_s, one.tokens) for n, one in enumerate(pair * 4)]) is None


def test_noise_between_starts_begins_with_the_prior_and_ends_with_the_data() -> None:
    assert between([], 0.0) == pytest.approx(PRIOR_BETWEEN)
    assert between([[100.0], [200.0]], 0.001) == pytest.approx(PRIOR_BETWEEN)
    rng = np.random.default_rng(6)
    starts = [(100 * np.exp(0.1 * rng.standard_normal(400))).tolist()]
    assert between(starts, 0.0) == pytest.approx(0.1, rel=0.1)
    # What the windows' own errors make of the spread is not between starts.
    assert between(starts, 0.06**2) == pytest.approx(0.08, rel=0.12)
    assert between(starts, 1.0) == 0.0
    two = [[100.0, 100.0 * exp(0.1 * sqrt(2))]]
    assert between(two, 0.0) ** 2 == pytest.approx((PRIOR_FREEDOM * PRIOR_BETWEEN**2 + 0.01) / (PRIOR_FREEDOM + 1))


@given(
    w2=st.floats(1e-7, 1.0),
    b=st.floats(1e-3, 0.5),
    whole_s=st.floats(1.0, 600.0),
    repeats=st.integers(1, 4),
    start_s=st.floats(0.0, 600.0),
)
def test_a_shorter_window_keeps_both_rules(w2: float, b: float, whole_s: float, repeats: int, start_s: float) -> None:
    found = precision(w2, b, whole_s=whole_s, repeats=repeats, start_s=start_s)
    if found is None:
        return
    assert LEAST_SHARE * whole_s <= found.enough_s < whole_s
    error2 = found.error**2
    assert error2 == pytest.approx(w2 / (repeats * found.enough_s))
    whole = b**2 + w2 / (repeats * whole_s)
    assert b**2 + error2 <= whole / WORTH * (1 + 1e-9)
    if start_s > 0:
        assert found.error <= b * sqrt(repeats * found.enough_s / start_s) * (1 + 1e-9)


@given(w2=st.floats(1e-6, 1e-2), b=st.floats(0.01, 0.2), whole_s=st.floats(2.0, 100.0), start_s=st.floats(0.1, 600.0))
def test_dearer_starts_and_quieter_ones_make_longer_windows(
    w2: float, b: float, whole_s: float, start_s: float
) -> None:
    def length(**changed: float) -> float:
        given = {"within": w2, "between": b, "start_s": start_s} | changed
        found = precision(given["within"], given["between"], whole_s=whole_s, start_s=given["start_s"])
        return whole_s if found is None else found.enough_s

    assert length(start_s=2 * start_s) >= length() * (1 - 1e-12)
    assert length(between=b / 2) >= length() * (1 - 1e-12)
    assert length(within=2 * w2) >= length() * (1 - 1e-12)


def test_the_cost_of_a_start_gives_the_length_that_tells_most_for_the_time() -> None:
    """Nothing else does as well: (s + t)(b² + w²/t) is least there."""
    w2, b, start_s = 0.02, 0.03, 60.0
    found = precision(w2, b, whole_s=1000.0, start_s=start_s)
    assert found is None or found.enough_s >= 500.0  # half is the least
    best = sqrt(start_s * w2) / b
    found = precision(w2, b, whole_s=1.5 * best, start_s=start_s)
    assert found is not None
    assert found.enough_s == pytest.approx(best)
    cost = [(start_s + t) * (b**2 + w2 / t) for t in (0.9 * best, best, 1.1 * best)]
    assert cost[1] == min(cost)


def test_without_noise_between_starts_all_of_a_window_is_needed() -> None:
    assert precision(0.001, 0.0, whole_s=10.0) is None
    assert precision(10.0, 0.01, whole_s=10.0, start_s=60.0) is None


def test_when_so_many_tokens_were_through() -> None:
    sums = [0.0, 10.0, 10.0, 30.0]
    assert [time_of(tokens, sums) for tokens in (0.0, 5.0, 20.0, 30.0)] == [0.0, 0.5, 2.5, 3.0]

"""When a running window may end: how often it ends wrongly, never too early, and what it makes of what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from autotuner.contracts.stopping import EarlyStop, Pace, Precision, SloStake, StopRules, ToBeat
from autotuner.scoring.batch_means import batched, interval
from autotuner.scoring.early_stop import Looks, RequestSoFar, SoFar

SLICE_S = 0.25
WINDOW_S = 5.0
P90 = SloStake(metric="ttft", statistic="p90", threshold=0.4, hard_fail=True)
MEAN = SloStake(metric="tpot", statistic="mean", threshold=0.01, hard_fail=True)
ERRORS = SloStake(metric="error_rate", statistic="mean", threshold=0.1, hard_fail=True)
TO_BEAT = ToBeat(who="experiment 3", figure="total_throughput", value=1000.0)
WINDOWS = 400

Rng = np.random.Generator
Draw = Callable[[Rng, int], np.ndarray]


def independent(rng: Rng, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def correlated(rng: Rng, n: int, kept: float = 0.8) -> np.ndarray:
    """Standard normal, each with so much of the one before."""
    values = rng.standard_normal(n)
    for i in range(1, n):
        values[i] = kept * values[i - 1] + sqrt(1 - kept**2) * values[i]
    return values


def wandering(rng: Rng, n: int) -> np.ndarray:
    """Slices of a speed that wanders within 0.4 s."""
    return correlated(rng, n, 0.5)


class Window:
    """Requests that start at a steady rate, and throughput in slices, all of it fixed beforehand."""

    def __init__(
        self,
        ttft: Sequence[float],
        tpot: Sequence[float],
        rates: Sequence[float],
        errors: Sequence[bool] | None = None,
        per_s: float = 40.0,
    ) -> None:
        self._requests = [
            RequestSoFar(i / per_s, ttft=t, tpot=p, e2e=t + 20 * p, outcome="error" if errors and errors[i] else "ok")
            for i, (t, p) in enumerate(zip(ttft, tpot, strict=True))
        ]
        self._rates = list(rates)

    def so_far(self, elapsed: float) -> SoFar:
        seen = [self._at(request, elapsed) for request in self._requests if request.started <= elapsed]
        slices = self._rates[: round(elapsed / SLICE_S)]
        return SoFar(elapsed, seen, {"total_throughput": slices})

    @staticmethod
    def _at(request: RequestSoFar, elapsed: float) -> RequestSoFar:
        assert request.ttft is not None
        assert request.e2e is not None
        if request.started + request.e2e <= elapsed:
            return request
        come = request.started + request.ttft <= elapsed
        return RequestSoFar(request.started, ttft=request.ttft if come else None)


def looks(rules: StopRules, *, min_requests: int = 0, scored: bool = True) -> Looks:
    return Looks(rules, planned_s=WINDOW_S, min_requests=min_requests, scored=scored)


def run(
    rules: StopRules, window: Window, *, min_requests: int = 0, scored: bool = True
) -> tuple[float, EarlyStop] | None:
    """When and why the window is ended; None when it is not."""
    judge = looks(rules, min_requests=min_requests, scored=scored)
    for tick in range(1, round(WINDOW_S / SLICE_S)):
        found = judge.look(window.so_far(tick * SLICE_S))
        if found is not None:
            return tick * SLICE_S, found
    return None


def steady(n: int = 200, ttft: float = 0.1, tpot: float = 0.005, rate: float = 1000.0) -> Window:
    return Window([ttft] * n, [tpot] * n, [rate * (1 + 0.001 * (i % 3)) for i in range(20)])


def wrong_stops(rules: StopRules, make: Callable[[Rng], Window], seed: int) -> int:
    rng = np.random.default_rng(seed)
    return sum(run(rules, make(rng)) is not None for _ in range(WINDOWS))


def allowed(rules: StopRules) -> int:
    """No more wrong stops than that, but once in a thousand such tests."""
    return int(binom.ppf(0.999, WINDOWS, rules.error))


@pytest.mark.parametrize("draw", [independent, correlated])
def test_a_percentile_at_its_limit_is_seldom_taken_for_one_above(draw: Draw) -> None:
    rules = StopRules(slo=(P90,))
    at_limit = 0.4 / np.exp(0.3 * 1.2815515655446004)

    def make(rng: Rng) -> Window:
        return Window((at_limit * np.exp(0.3 * draw(rng, 200))).tolist(), [0.005] * 200, [])

    assert wrong_stops(rules, make, 1) <= allowed(rules)


@pytest.mark.parametrize("draw", [independent, correlated])
def test_a_mean_at_its_limit_is_seldom_taken_for_one_above(draw: Draw) -> None:
    rules = StopRules(slo=(MEAN,))

    def make(rng: Rng) -> Window:
        return Window([0.1] * 200, (0.01 * np.maximum(1 + 0.2 * draw(rng, 200), 0.01)).tolist(), [])

    assert wrong_stops(rules, make, 2) <= allowed(rules)


@pytest.mark.parametrize("draw", [independent, wandering])
def test_a_throughput_that_is_not_worse_by_the_margin_is_seldom_given_up(draw: Draw) -> None:
    rules = StopRules(to_beat=TO_BEAT)

    def make(rng: Rng) -> Window:
        return Window([0.1] * 200, [0.005] * 200, (950 * (1 + 0.1 * draw(rng, 20))).tolist())

    assert wrong_stops(rules, make, 3) <= allowed(rules)


def test_an_error_rate_at_its_limit_is_seldom_taken_for_one_above() -> None:
    rules = StopRules(slo=(ERRORS,))

    def make(rng: Rng) -> Window:
        return Window([0.1] * 200, [0.005] * 200, [], errors=(rng.random(200) < 0.1).tolist())

    assert wrong_stops(rules, make, 4) <= allowed(rules)


def test_all_tests_together_err_no_more_than_one() -> None:
    rules = StopRules(slo=(P90, MEAN), to_beat=TO_BEAT)
    at_limit = 0.4 / np.exp(0.3 * 1.2815515655446004)

    def make(rng: Rng) -> Window:
        return Window(
            (at_limit * np.exp(0.3 * independent(rng, 200))).tolist(),
            (0.01 * np.maximum(1 + 0.2 * independent(rng, 200), 0.01)).tolist(),
            (950 * (1 + 0.1 * independent(rng, 20))).tolist(),
        )

    assert wrong_stops(rules, make, 5) <= allowed(rules)


def test_what_is_out_of_reach_ends_the_window_and_says_by_how_much() -> None:
    rng = np.random.default_rng(6)
    window = Window((0.55 * np.exp(0.05 * rng.standard_normal(200))).tolist(), [0.005] * 200, [])
    found = run(StopRules(slo=(P90,)), window)
    assert found is not None
    when, early = found
    assert when <= 2.0
    assert (early.kind, early.planned_s) == ("slo_out_of_reach", WINDOW_S)
    assert early.why.startswith("the SLO is out of reach (p90 TTFT at least 0.5")
    assert early.why.endswith("limit 0.4 s)")


def test_a_mean_out_of_reach_and_one_within_its_fail_ratio() -> None:
    window = steady(tpot=0.012)
    found = run(StopRules(slo=(MEAN,)), window)
    assert found is not None
    assert "mean TPOT at least 0.012 s, limit 0.01 s" in found[1].why
    lenient = MEAN.model_copy(update={"fail_ratio": 0.5})
    assert run(StopRules(slo=(lenient,)), window) is None
    found = run(StopRules(slo=(lenient,)), steady(tpot=0.016))
    assert found is not None
    assert "ruled out from 0.015 s" in found[1].why


def test_a_soft_limit_ends_no_window() -> None:
    soft = P90.model_copy(update={"hard_fail": False})
    assert run(StopRules(slo=(soft,)), steady(ttft=0.8)) is None


def test_the_certainly_worse_are_given_up_and_the_nearly_as_good_are_not() -> None:
    rules = StopRules(to_beat=TO_BEAT)
    found = run(rules, steady(rate=800.0))
    assert found is not None
    assert found[1].kind == "certainly_worse"
    assert "worse than experiment 3 (total throughput at most 80" in found[1].why
    assert run(rules, steady(rate=970.0)) is None
    slow = ToBeat(who="experiment 3", figure="ttft", value=0.2)
    assert run(rules.model_copy(update={"to_beat": slow}), steady(ttft=0.205)) is None
    found = run(rules.model_copy(update={"to_beat": slow}), steady(ttft=0.3))
    assert found is not None
    assert "mean TTFT at least 0.3 s against 0.2" in found[1].why


def paced(work: Sequence[float], seconds_per_slice: float = 1.0) -> StopRules:
    """The best took so many times a slice of the window for each piece of the same work."""
    pace = Pace(slice_s=SLICE_S * seconds_per_slice, tokens=tuple(work), share=1.0)
    return StopRules(to_beat=TO_BEAT.model_copy(update={"pace": pace}))


def test_over_the_same_tokens_what_they_are_is_no_noise() -> None:
    """Pieces of work of very different size: 20 % slower is seen through them, as fast as the best is not given up."""
    rng = np.random.default_rng(8)
    work = (300 * np.exp(0.5 * rng.standard_normal(40))).tolist()

    def window(speed: float) -> Window:
        """Goes through the same tokens, at so many pieces a slice."""
        sums = np.concatenate([[0.0], np.cumsum(work)])
        through = np.interp(speed * np.arange(21), np.arange(41), sums)
        noisy = np.diff(through) * (1 + 0.02 * rng.standard_normal(20))
        return Window([0.1] * 200, [0.005] * 200, (noisy / SLICE_S).tolist())

    found = run(paced(work), window(0.8))
    assert found is not None
    assert found[0] <= 2.0
    assert found[1].why.startswith("it is certainly worse than experiment 3 (at most 8")
    assert found[1].why.endswith("of its speed over the same tokens)")
    assert run(paced(work), window(1.0)) is None
    assert run(paced(work), window(1.5)) is None


@pytest.mark.parametrize("draw", [independent, wandering])
def test_one_that_is_slower_by_no_more_than_the_margin_is_seldom_given_up(draw: Draw) -> None:
    """Also when requests do not come in the same order after all: then both windows' noise is in the comparison."""
    error = StopRules().error

    def make(rng: Rng) -> bool:
        best = (250 * (1 + 0.1 * draw(rng, 20))).clip(1.0).tolist()
        own = (0.95 * 250 * (1 + 0.1 * draw(rng, 20))).clip(1.0)
        return run(paced(best), Window([0.1] * 200, [0.005] * 200, (own / SLICE_S).tolist())) is not None

    rng = np.random.default_rng(9)
    assert sum(make(rng) for _ in range(WINDOWS)) <= int(binom.ppf(0.999, WINDOWS, error))


def test_a_penalty_of_the_best_is_taken_off_its_speed() -> None:
    rules = paced([250.0] * 40)
    assert rules.to_beat is not None
    assert rules.to_beat.pace is not None
    half = rules.to_beat.pace.model_copy(update={"share": 0.5})
    eased = rules.model_copy(update={"to_beat": rules.to_beat.model_copy(update={"pace": half})})
    slow = Window([0.1] * 200, [0.005] * 200, [700.0] * 20)
    assert run(rules, slow) is not None
    assert run(eased, slow) is None


def test_a_best_that_was_measured_for_less_is_compared_as_far_as_it_goes() -> None:
    assert run(paced([250.0] * 3), Window([0.1] * 200, [0.005] * 200, [500.0] * 20)) is not None
    assert run(paced([250.0] * 2), Window([0.1] * 200, [0.005] * 200, [900.0] * 20)) is None


def test_a_load_point_that_is_not_scored_decides_nothing() -> None:
    rules = StopRules(slo=(P90,), to_beat=TO_BEAT)
    assert run(rules, steady(ttft=2.0, rate=100.0), scored=False) is None
    precise = rules.model_copy(update={"figures": ("total_throughput",)})
    found = run(precise, steady(ttft=0.6, rate=100.0), scored=False)
    assert found is not None
    assert found[1].kind == "precise_enough"


def test_figures_that_are_known_end_the_window_when_no_slo_is_open() -> None:
    rules = StopRules(slo=(P90, MEAN), figures=("total_throughput",))
    found = run(rules, steady())
    assert found is not None
    when, early = found
    assert when >= 8 * SLICE_S
    assert early.kind == "precise_enough"
    assert not early.cuts
    near = [0.1 if i % 11 else 0.5 for i in range(200)]  # 9 % above the limit of the 90th percentile
    assert run(rules, Window(near, [0.005] * 200, [1000.0] * 20)) is None
    rng = np.random.default_rng(7)
    wild = Window([0.1] * 200, [0.005] * 200, (1000 * (1 + 0.3 * rng.standard_normal(20))).tolist())
    assert run(rules, wild) is None


def test_precision_does_not_do_without_the_requests_asked_for() -> None:
    rules = StopRules(figures=("total_throughput",))
    found = run(rules, steady(), min_requests=100)
    assert found is not None
    assert found[0] >= 100 / 40
    assert run(rules, steady(), min_requests=500) is None


def test_a_window_that_waits_for_its_requests_would_have_been_longer() -> None:
    found = run(StopRules(slo=(P90,)), steady(ttft=0.6), min_requests=400)
    assert found is not None
    when, early = found
    assert early.planned_s > WINDOW_S
    assert when < WINDOW_S


def test_requests_that_are_still_young_prove_nothing_and_old_ones_do() -> None:
    rules = StopRules(slo=(P90,), min_s=0.5)
    waiting = [RequestSoFar(i / 100) for i in range(60)]
    assert looks(rules).look(SoFar(0.5, waiting[:50], {})) is None  # ten of them have waited for 0.4 s
    aged = looks(rules).look(SoFar(1.5, waiting, {}))
    assert aged is not None
    assert aged.kind == "slo_out_of_reach"


def test_the_short_ones_that_end_first_do_not_stand_for_all() -> None:
    # Of two in flight one is quick and one takes 3 s: the mean of what has ended says nothing yet.
    mixed = [
        RequestSoFar(i / 40, ttft=0.01, tpot=0.02, e2e=0.3, outcome="ok") if i % 2 else RequestSoFar(i / 40, ttft=0.01)
        for i in range(80)
    ]
    assert looks(StopRules(slo=(MEAN,))).look(SoFar(2.0, mixed, {})) is None


@given(
    elapsed=st.floats(0.01, 10),
    count=st.integers(0, 40),
    ttft=st.floats(0.5, 5),
    min_s=st.floats(0.1, 5),
    min_requests=st.integers(1, 30),
)
def test_nothing_ends_before_the_minimum(
    elapsed: float, count: int, ttft: float, min_s: float, min_requests: int
) -> None:
    rules = StopRules(
        slo=(P90, MEAN), to_beat=TO_BEAT, figures=("total_throughput",), min_s=min_s, min_requests=min_requests
    )
    requests = [RequestSoFar(-1.0 - ttft - i / 100, ttft=ttft, tpot=1.0, e2e=1.0, outcome="ok") for i in range(count)]
    slices = [1.0] * max(1, int(elapsed / SLICE_S))
    found = looks(rules).look(SoFar(elapsed, requests, {"total_throughput": slices}))
    if elapsed < min_s or count < min_requests:
        assert found is None


@given(seed=st.integers(0, 10_000), shuffled=st.randoms(use_true_random=False))
def test_the_order_in_which_requests_are_told_is_no_matter(seed: int, shuffled: object) -> None:
    rng = np.random.default_rng(seed)
    window = Window((0.4 * np.exp(0.5 * rng.standard_normal(200))).tolist(), (0.01 * rng.random(200)).tolist(), [])
    rules = StopRules(slo=(P90, MEAN))
    so_far = window.so_far(2.0)
    order = list(so_far.requests)
    shuffled.shuffle(order)  # type: ignore[attr-defined]
    assert looks(rules).look(replace(so_far, requests=order)) == looks(rules).look(so_far)


@given(st.lists(st.floats(0.1, 10), min_size=4, max_size=16))
def test_time_running_backwards_gives_the_same_interval(means: list[float]) -> None:
    forwards, backwards = interval(means, 0.01), interval(means[::-1], 0.01)
    assert backwards.mean == pytest.approx(forwards.mean)
    assert backwards.reach == pytest.approx(forwards.reach)
    assert forwards.low <= forwards.mean <= forwards.high


def test_correlation_widens_an_interval_and_few_values_give_none() -> None:
    up_and_down = [1.0, 2.0] * 8
    slowly = [1.0] * 8 + [2.0] * 8
    assert interval(slowly, 0.01).reach > 2 * interval(up_and_down, 0.01).reach
    assert batched([1.0] * 15, least=4) is None
    assert batched([1.0] * 16, least=4) == [1.0] * 4
    assert batched(list(range(100)), least=4) == [5.0 + 7 * i for i in range(14)]


def test_looks_come_ever_less_often() -> None:
    judge = looks(StopRules(slo=(P90,)))
    window, taken = steady(), []
    for tick in range(1, 20):
        at = tick * SLICE_S
        if judge.due(at):
            taken.append(at)
            judge.look(window.so_far(at))
    assert taken[0] == 0.5
    assert len(taken) < 12


# ---- precise enough beside the noise from start to start

PRECISION = Precision(enough_s=2.5, error=0.02, between=0.03)
STANDS = StopRules(judged=False, slo=(P90, MEAN, ERRORS), precision=PRECISION)


def test_a_window_that_is_long_enough_ends_there_and_says_why() -> None:
    found = run(STANDS, steady())
    assert found is not None
    when, early = found
    assert (when, early.kind, early.planned_s, early.cuts) == (2.5, "precise_enough", WINDOW_S, False)
    assert early.why == "it is precise enough (its own error of 2 % is small beside the 3 % from start to start)"
    assert run(STANDS, steady(), scored=False) is None


@given(
    rates=st.lists(st.floats(1, 1e6), min_size=20, max_size=20),
    enough_s=st.floats(1.5, 4.5),
    ttft=st.floats(0.01, 0.3),
)
def test_what_is_measured_does_not_decide_when_it_ends(rates: list[float], enough_s: float, ttft: float) -> None:
    """So its figures are not biased by it."""
    rules = STANDS.model_copy(update={"precision": PRECISION.model_copy(update={"enough_s": enough_s})})
    found = run(rules, Window([ttft] * 200, [0.005] * 200, rates))
    assert found is not None
    when, early = found
    assert enough_s <= when < enough_s + SLICE_S
    assert early.kind == "precise_enough"


def test_it_waits_for_the_requests_asked_for() -> None:
    found = run(STANDS, steady(), min_requests=150)
    assert found is not None
    assert found[0] >= 150 / 40
    assert run(STANDS, steady(), min_requests=500) is None


@pytest.mark.parametrize("rules", [STANDS, STANDS.model_copy(update={"judged": True})], ids=["compared", "searched"])
def test_it_goes_on_while_an_slo_is_open(rules: StopRules) -> None:
    near = [0.1 if i % 11 else 0.5 for i in range(200)]  # 9 % above the limit of the 90th percentile
    assert run(rules, Window(near, [0.005] * 200, [1000.0] * 20)) is None
    rng = np.random.default_rng(11)
    wild = (0.0099 * np.exp(rng.standard_normal(200) - 0.5)).tolist()
    assert run(rules, Window([0.1] * 200, wild, [1000.0] * 20)) is None
    failing = [i == 20 for i in range(200)]
    assert run(rules, Window([0.1] * 200, [0.005] * 200, [1000.0] * 20, failing)) is None


def test_where_figures_stand_for_themselves_a_missed_slo_only_has_to_be_plain() -> None:
    for slow in (steady(ttft=0.5), steady(tpot=0.012)):
        found = run(STANDS, slow)
        assert found is not None
        assert (found[0], found[1].kind) == (2.5, "precise_enough")
        judged = run(STANDS.model_copy(update={"judged": True}), slow)
        assert judged is not None
        assert (judged[0] < 2.5, judged[1].kind) == (True, "slo_out_of_reach")


def test_between_a_limit_and_what_is_ruled_out_it_is_plain_too() -> None:
    """All requests above the limit and below what would rule it out."""
    lenient = P90.model_copy(update={"fail_ratio": 1.0})
    rules = StopRules(judged=False, slo=(lenient,), precision=PRECISION)
    assert run(rules, steady(ttft=0.6)) is not None
    near = [0.6 if i % 11 else 0.9 for i in range(200)]
    assert run(rules, Window(near, [0.005] * 200, [1000.0] * 20)) is None
    soft = lenient.model_copy(update={"hard_fail": False})
    assert run(rules.model_copy(update={"slo": (soft,)}), Window(near, [0.005] * 200, [1000.0] * 20)) is not None

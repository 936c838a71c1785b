"""The pure search for the highest load that meets the SLO."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.load_search import NOT_SUSTAINED, LoadLimit, LoadSearch, Probe
from autotuner.contracts.workload import MeasureLimits
from autotuner.scoring.load_search import (
    HIGHEST_LOAD,
    NOTHING_MEETS,
    PROBES_USED,
    Ask,
    Found,
    ask,
    fitted_figures,
    found,
    load_limits,
    probe,
    probe_limits,
)
from autotuner.scoring.slo import SloRule, SloSet
from conformance.fake_parts import load_point, measurement

Truth = Callable[[float], dict[str, float]]


def spec(**changes: object) -> LoadSearch:
    return LoadSearch(by="concurrency", lowest=1, highest=256, start=4).model_copy(update=changes)


def run(search: LoadSearch, truth: Truth, noise: Callable[[], float] = lambda: 0.0) -> tuple[Found, list[Probe]]:
    """A whole search: log margins by figure are the truth and noise."""
    told: list[Probe] = []
    while isinstance(asked := ask(search, told), Ask):
        margins = {name: margin + noise() for name, margin in truth(asked.load).items()}
        told.append(Probe(load=asked.load, repeat=asked.repeat, margins=margins))
        assert len(told) <= search.probes
    return asked, told


def power(knee: float, slope: float = 1.0) -> Truth:
    """The margin is a power law that crosses right behind the knee."""
    return lambda load: {"p90_ttft": slope * math.log(load / (knee + 0.5))}


def step(knee: float, below: float = -0.5, above: float = 0.8) -> Truth:
    return lambda load: {"p90_ttft": below if load <= knee else above}


# ---- without noise


@settings(deadline=None)
@given(st.integers(1, 255), st.floats(0.2, 5), st.integers(1, 256))
def test_a_rising_truth_without_noise_is_found(knee: int, slope: float, start: int) -> None:
    search = spec(start=start, probes=60)
    came, told = run(search, power(knee, slope))
    assert came.load is not None
    assert abs(came.load - knee) <= search.tolerance * knee
    assert came.low is not None
    assert came.high is not None
    assert came.low <= knee <= came.high
    assert came.limited_by == "p90_ttft"
    assert not came.cliff or slope >= 4
    assert len(told) == came.probes


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=64, max_size=64), st.integers(1, 64))
def test_any_rising_truth_is_found_exactly_when_that_is_asked_for(margins: list[float], start: int) -> None:
    """Neighbouring loads are measured however small the difference, and interpolation never leaves them."""
    rising = sorted(margins)
    knee = sum(margin <= 0 for margin in rising)
    came, _ = run(spec(highest=64, start=start, tolerance=0.0, probes=100), lambda load: {"x": rising[round(load) - 1]})
    assert came.load == (knee or None)


@settings(deadline=None)
@given(st.integers(1, 255), st.integers(1, 256))
def test_a_jump_is_found_exactly_and_called_a_cliff(knee: int, start: int) -> None:
    came, told = run(spec(start=start), step(knee))
    assert came.load is not None
    assert came.load <= knee < came.load * 1.06 + 1
    assert came.cliff or knee < 4
    assert came.margins["p90_ttft"] <= 0
    assert len(told) <= 20


def test_the_first_of_several_slos_limits() -> None:
    came, _ = run(spec(), lambda load: {"a": math.log(load / 40.5), "b": 2 * math.log(load / 60)})
    assert came.load is not None
    assert abs(came.load - 40) <= 2
    assert came.limited_by == "a"
    assert came.margins["b"] == pytest.approx(2 * math.log(came.load / 60), abs=0.05)


def test_rates_have_three_digits() -> None:
    search = LoadSearch(by="request_rate", lowest=0.1, highest=1000, start=1)
    came, told = run(search, lambda rate: {"x": 2 * math.log(rate / 7.77)})
    assert came.load == pytest.approx(7.77, rel=0.05)
    assert all(float(f"{p.load:.3g}") == p.load for p in told)
    assert all(0.1 <= p.load <= 1000 for p in told)


# ---- where nothing crosses


def test_nothing_meets() -> None:
    came, told = run(spec(start=16), lambda load: {"x": 0.5 + 0.1 * math.log(load)})
    assert (came.load, came.low, came.high, came.limited_by) == (None, None, None, NOTHING_MEETS)
    assert (came.below, came.above) == (1, None)
    assert Counter(p.load for p in told)[1] >= 2  # one probe does not decide it
    assert came.margins["x"] > 0


def test_everything_meets() -> None:
    came, told = run(spec(start=16), lambda load: {"x": -0.5})
    assert (came.load, came.limited_by, came.cliff) == (256, HIGHEST_LOAD, False)
    assert came.low == came.high == 256
    assert Counter(p.load for p in told)[256] >= 2


def test_probes_that_are_used_up_before_the_bracket_is_there_claim_no_more_than_they_know() -> None:
    going_up, _ = run(spec(start=1, stride=1.2, probes=3), power(200))
    assert (going_up.limited_by, going_up.high, going_up.precise) == (PROBES_USED, 256, False)
    assert going_up.load is not None
    assert going_up.load < 10
    going_down, told = run(spec(start=256, stride=1.2, probes=3), power(10))
    assert (going_down.load, going_down.limited_by) == (None, PROBES_USED)
    assert going_down.below == min(p.load for p in told) > 1


def test_a_load_just_below_the_lowest_that_was_measured() -> None:
    told = [Probe(load=43, repeat=n, margins={"x": 0.02}) for n in range(11)]
    told.append(Probe(load=47, repeat=0, margins={"x": 0.12}))
    came = ask(spec(start=43, stride=1.15, probes=12), told)
    assert isinstance(came, Found)
    assert (came.load, came.below, came.above, came.limited_by, came.precise) == (42, 43, None, "x", False)
    assert came.low is not None
    assert came.low <= 42
    assert came.margins["x"] <= 0


@pytest.mark.parametrize("start", [0.2, 1, 4, 256, 5000])
def test_the_limits_are_kept_wherever_it_begins(start: float) -> None:
    _, told = run(spec(lowest=2, highest=100, start=start), power(30))
    assert all(2 <= p.load <= 100 for p in told)


# ---- with noise


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.0, 0.5), st.floats(0.1, 6), st.integers(1, 200), st.integers(2, 30))
def test_never_more_probes_than_allowed_and_always_an_answer(
    seed: int, noise: float, slope: float, knee: int, probes: int
) -> None:
    rng = random.Random(seed)
    came, told = run(spec(probes=probes, start=rng.randint(1, 256)), power(knee, slope), lambda: rng.gauss(0, noise))
    assert len(told) <= probes
    if came.load is not None:
        assert came.low is not None
        assert came.high is not None
        assert 1 <= came.low <= came.load <= came.high <= 256
        assert came.load == int(came.load)
        assert all(margin <= 0 for margin in came.margins.values())
        assert 0 <= came.share < 1
        assert came.below <= came.load or (not came.precise and came.above is None)
        assert (came.above is None) == (came.share == 0)
        assert came.above is None or came.load < came.above


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.0, 0.3))
def test_the_order_of_the_probes_does_not_matter(seed: int, noise: float) -> None:
    """Nothing but the probes is remembered: so a search that was cut off goes on as the unbroken one."""
    rng = random.Random(seed)
    search = spec(start=rng.randint(1, 64))
    came, told = run(search, power(rng.randint(1, 120), rng.uniform(0.3, 3)), lambda: rng.gauss(0, noise))
    for cut in range(len(told) + 1):
        some = told[:cut]
        shuffled = random.Random(cut).sample(some, cut)
        assert ask(search, shuffled) == ask(search, some)
        if cut < len(told):
            assert ask(search, some) == Ask(told[cut].load, told[cut].repeat)
    assert found(search, told) == came or not came.precise


def test_one_wild_probe_flips_nothing() -> None:
    """Whichever probe comes out far too high or too low, once, the load is found."""
    for wild in range(12):
        for by in (1.5, -1.5):
            count = 0

            def noise(wild: int = wild, by: float = by) -> float:
                nonlocal count
                count += 1
                return by if count - 1 == wild else 0.0

            came, told = run(spec(), power(40, 1.0), noise)
            assert came.load is not None, (wild, by)
            assert abs(came.load / 40 - 1) <= 0.08, (wild, by, came.load, [(p.load, p.margins) for p in told])


def test_noise_of_five_per_cent_is_overcome() -> None:
    rng = random.Random(5)
    off = []
    for _ in range(60):
        knee = rng.randint(20, 150)
        came, _ = run(spec(), power(knee, rng.uniform(0.8, 2)), lambda: rng.gauss(0, 0.05))
        off.append(abs((came.load or 0) / knee - 1))
    assert sum(error <= 0.05 for error in off) >= 57


def test_a_search_from_the_known_load_is_short() -> None:
    rng = random.Random(6)
    lengths = []
    for _ in range(30):
        came, told = run(spec(start=60, stride=1.15, probes=12), power(62, 1.5), lambda: rng.gauss(0, 0.02))
        assert came.load is not None
        assert abs(came.load / 62 - 1) <= 0.06
        lengths.append(len(told))
    assert sorted(lengths)[15] <= 7


# ---- measurements and limits


def test_margins_of_a_measurement() -> None:
    limits = load_limits(
        SloSet(
            rules=(
                SloRule(metric="ttft", statistic="p90", threshold=0.2),
                SloRule(metric="error_rate", threshold=0.01, hard_fail=True, fail_ratio=0.0),
            )
        )
    )
    told = probe(measurement(load_point(8), ttft=0.1, repeat=3), spec(), limits)
    assert (told.load, told.repeat) == (8, 3)
    assert told.margins["p90_ttft"] == pytest.approx(math.log(0.5))
    assert told.margins["error_rate"] < -1
    failed = probe(measurement(load_point(8), completed=0, errors=9), spec(), limits)
    assert all(margin > 1 for margin in failed.margins.values())
    with pytest.raises(ValueError, match="request_rate"):
        probe(measurement(load_point(8)), spec(by="request_rate"), limits)


def test_a_rate_that_is_not_sustained_does_not_count() -> None:
    point = load_point().model_copy(update={"concurrency": None, "request_rate": 3.0})
    taken = measurement(point).model_copy(update={"concurrency": None, "request_rate": 3.0})
    search = spec(by="request_rate")
    assert probe(taken, search, ()).margins[NOT_SUSTAINED] < 0
    behind = taken.model_copy(update={"load_not_sustained": True})
    assert probe(behind, search, ()).margins[NOT_SUSTAINED] > 0


def test_hard_slos_count_and_all_where_none_is_hard() -> None:
    soft = SloRule(metric="ttft", threshold=0.2)
    hard = SloRule(metric="tpot", threshold=0.1, hard_fail=True)
    errors = SloRule(metric="error_rate", threshold=0.01, hard_fail=True, fail_ratio=0.0)
    assert [limit.figure for limit in load_limits(SloSet(rules=(soft, hard, errors)))] == ["mean_tpot", "error_rate"]
    assert [limit.figure for limit in load_limits(SloSet(rules=(soft, errors)))] == ["mean_ttft", "error_rate"]
    e2e = SloRule(metric="latency", statistic="p99", threshold=3)
    answers = SloRule(metric="answer_difference", threshold=0.1, hard_fail=True, fail_ratio=0.0)
    rules = (soft, errors, answers)  # no load changes what is answered
    assert [limit.figure for limit in load_limits(SloSet(rules=rules))] == ["mean_ttft", "error_rate"]
    assert load_limits(SloSet(rules=(e2e, errors)))[0] == LoadLimit(
        figure="p99_e2e_latency", metric="e2e", statistic="p99", threshold=3
    )


def test_fitted_figures_meet_their_limits() -> None:
    rng = random.Random(1)
    came, _ = run(spec(), power(40), lambda: rng.gauss(0, 0.05))
    limits = (LoadLimit(figure="p90_ttft", metric="ttft", statistic="p90", threshold=0.4),)
    assert 0.36 < fitted_figures(came, limits)["p90_ttft"] <= 0.4


def test_windows_are_just_long_enough() -> None:
    limits = MeasureLimits(window_s=4, warmup_requests=8, min_requests=10)
    crowd = probe_limits(limits, load_point(100))
    assert (crowd.warmup_requests, crowd.min_requests, crowd.window_s) == (100, 100, 4)
    few = probe_limits(limits, load_point(2))
    assert (few.warmup_requests, few.min_requests) == (8, 10)
    rate = load_point().model_copy(update={"concurrency": None, "request_rate": 20.0})
    assert (probe_limits(limits, rate).warmup_requests, probe_limits(limits, rate).min_requests) == (40, 10)
    capped = limits.model_copy(update={"max_requests": 20})
    assert probe_limits(capped, load_point(100)).min_requests == 20

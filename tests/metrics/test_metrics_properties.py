"""What must hold of the figures for any records."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.measurement import RequestRecord
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic
from autotuner.metrics import distribution, pool, summarise, tokens_between
from autotuner.metrics.distribution import PERCENTILES
from autotuner.metrics.summary import MOST_SLICES, SLICE_S

POINT = LoadPoint(
    traffic=Traffic(
        text="D(8,4)",
        parts=((1.0, Scenario(text="D(8,4)", prompt=Length(mean=8), output=Length(mean=4))),),
    ),
    concurrency=2,
)
LIMITS = {"ttft": 0.5, "tpot": 0.2, "e2e": 3.0}

seconds = st.floats(0.0, 5.0, allow_nan=False)


@st.composite
def successes(draw: st.DrawFn) -> RequestRecord:
    started = draw(st.floats(-5.0, 15.0))
    steps = draw(st.lists(seconds, min_size=1, max_size=8))
    arrivals: list[float] = []
    now = started
    for step in steps:
        now += step
        arrivals.append(now)
    return RequestRecord(
        started=started,
        first_token=arrivals[0],
        last_token=arrivals[-1],
        finished=arrivals[-1] + draw(st.floats(0.0, 0.1)),
        arrivals=tuple(arrivals),
        output_tokens=draw(st.integers(len(arrivals), 40)),
        prompt_tokens=draw(st.integers(0, 1000)),
        asked_tokens=8,
        in_window=0 <= started < 10,
    )


@st.composite
def failures(draw: st.DrawFn) -> RequestRecord:
    """An error may come after content and even after a usage figure."""
    good = draw(successes())
    outcome = draw(st.sampled_from(["error", "incomplete"]))
    return good.model_copy(update={"outcome": outcome, "error": draw(st.sampled_from(["http_500", "timeout"]))})


anything = st.lists(st.one_of(successes(), failures()), max_size=12)


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1e4, allow_nan=False), min_size=1, max_size=60))
def test_percentiles_are_ordered_and_lie_between_the_extremes(samples: list[float]) -> None:
    found = distribution(samples)
    assert found is not None
    figures = found.model_dump()
    line = [found.min, *(figures[name] for name in PERCENTILES), found.max]
    assert all(earlier <= later for earlier, later in pairwise(line))
    assert found.min <= found.mean <= found.max
    assert found.min <= found.mode <= found.max
    assert found.min == min(samples)
    assert found.max == max(samples)
    assert found.count == len(samples)


@settings(deadline=None)
@given(st.lists(successes(), min_size=1, max_size=8), st.lists(st.floats(-5.0, 60.0), max_size=6))
def test_windows_that_tile_time_hold_every_token_once(records: list[RequestRecord], cuts: list[float]) -> None:
    edges = [-100.0, *sorted(cuts), 1000.0]
    inside = sum(tokens_between(r, start, end) for start, end in pairwise(edges) for r in records)
    assert inside == pytest.approx(sum(r.output_tokens or 0 for r in records))


@settings(deadline=None)
@given(anything)
def test_every_request_of_the_window_has_one_outcome(records: list[RequestRecord]) -> None:
    found = summarise(records, load_point=POINT, repeat=0, window_s=10.0, slo_limits=LIMITS)
    own = [r for r in records if r.in_window]
    assert found.total_requests == len(own)
    assert found.completed_requests + found.error_requests + found.incomplete_requests == len(own)
    assert found.completed_requests == sum(r.outcome == "ok" for r in own)
    assert sum(found.error_codes.values()) == found.error_requests
    assert (found.ttft is None) == (found.completed_requests == 0)
    if found.e2e is not None:
        assert found.e2e.count == found.completed_requests


@settings(deadline=None)
@given(anything, failures())
def test_a_failure_adds_to_no_figure_of_success(records: list[RequestRecord], failure: RequestRecord) -> None:
    before = summarise(records, load_point=POINT, repeat=0, window_s=10.0, slo_limits=LIMITS)
    after = summarise([*records, failure], load_point=POINT, repeat=0, window_s=10.0, slo_limits=LIMITS)
    assert after.goodput == before.goodput
    assert after.requests_per_second == before.requests_per_second
    assert after.total_throughput == before.total_throughput
    assert after.completed_requests == before.completed_requests
    assert after.ttft == before.ttft
    assert after.success_rate <= before.success_rate or before.total_requests == 0


@settings(deadline=None)
@given(anything, st.data())
def test_the_order_of_the_records_does_not_matter(records: list[RequestRecord], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(records))
    one = summarise(records, load_point=POINT, repeat=0, window_s=10.0, slo_limits=LIMITS)
    other = summarise(shuffled, load_point=POINT, repeat=0, window_s=10.0, slo_limits=LIMITS)
    assert one == other


@settings(deadline=None)
@given(anything)
def test_goodput_is_at_most_the_request_rate_and_falls_with_tighter_limits(records: list[RequestRecord]) -> None:
    loose = summarise(records, load_point=POINT, repeat=0, window_s=10.0, slo_limits=LIMITS)
    tight = summarise(records, load_point=POINT, repeat=0, window_s=10.0, slo_limits={**LIMITS, "ttft": 0.1})
    assert loose.goodput is not None
    assert tight.goodput is not None
    assert tight.goodput <= loose.goodput <= loose.requests_per_second


@settings(deadline=None)
@given(st.lists(anything, min_size=1, max_size=4))
def test_pooling_repeats_equals_one_long_repeat(repeats: list[list[RequestRecord]]) -> None:
    assert pool(repeats) == pool([[record for records in repeats for record in records]])


@settings(deadline=None)
@given(anything, st.floats(0.05, 60.0))
def test_the_slices_of_a_window_hold_the_tokens_of_its_throughput(
    records: list[RequestRecord], window_s: float
) -> None:
    found = summarise(records, load_point=POINT, repeat=0, window_s=window_s, slo_limits={})
    if found.slice_s is None:
        assert window_s < SLICE_S
        assert found.slice_tokens == ()
    else:
        assert found.slice_s >= SLICE_S
        assert len(found.slice_tokens) == min(int(window_s / SLICE_S), MOST_SLICES)
        assert found.slice_s * len(found.slice_tokens) == pytest.approx(window_s)
        whole = found.total_throughput * window_s
        assert sum(found.slice_tokens) == pytest.approx(whole, abs=0.001 * len(found.slice_tokens))

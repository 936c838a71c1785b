"""The definitions, on figures worked out by hand."""

from __future__ import annotations

import pytest

from autotuner.contracts.measurement import RequestRecord
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic
from autotuner.metrics import distribution, summarise
from autotuner.metrics.summary import backlog_grows

POINT = LoadPoint(
    traffic=Traffic(
        text="D(10,4)",
        parts=((1.0, Scenario(text="D(10,4)", prompt=Length(mean=10), output=Length(mean=4))),),
    ),
    concurrency=1,
)


def request(started: float, arrivals: tuple[float, ...], tokens: int, *, in_window: bool = True) -> RequestRecord:
    return RequestRecord(
        started=started,
        first_token=arrivals[0],
        last_token=arrivals[-1],
        finished=arrivals[-1],
        arrivals=arrivals,
        output_tokens=tokens,
        prompt_tokens=10,
        asked_tokens=4,
        in_window=in_window,
    )


def test_tpot_uses_the_servers_count_and_itl_the_chunks() -> None:
    # Two chunks carry four tokens: tpot is a third of the only gap.
    found = summarise([request(1.0, (1.5, 2.1), 4)], load_point=POINT, repeat=0, window_s=10, slo_limits={})
    assert found.ttft is not None
    assert found.tpot is not None
    assert found.itl is not None
    assert found.e2e is not None
    assert found.ttft.mean == pytest.approx(0.5)
    assert found.tpot.mean == pytest.approx(0.2)
    assert found.itl.mean == pytest.approx(0.6)
    assert found.e2e.mean == pytest.approx(1.1)
    assert found.goodput is None


def test_one_token_has_no_tpot_and_keeps_any_limit_on_it() -> None:
    found = summarise([request(1.0, (1.5,), 1)], load_point=POINT, repeat=0, window_s=10, slo_limits={"tpot": 1e-9})
    assert found.tpot is None
    assert found.goodput == pytest.approx(0.1)


def test_tokens_count_where_they_arrive() -> None:
    before = request(-1.0, (-0.5, 0.5), 4, in_window=False)  # 2 of 4 tokens inside, prompt before the window
    after = request(9.0, (9.5, 10.5), 4)  # 2 of 4 tokens inside, prompt inside, ends after it
    found = summarise([before, after], load_point=POINT, repeat=0, window_s=10, slo_limits={"e2e": 9.0})
    assert found.output_throughput == pytest.approx(0.4)
    assert found.input_throughput == pytest.approx(1.0)
    assert found.total_throughput == pytest.approx(1.4)
    assert found.requests_per_second == pytest.approx(0.1)  # only ``before`` ended inside
    assert found.goodput == pytest.approx(0.1)
    assert found.total_requests == 1
    assert found.ttft is not None
    assert found.ttft.count == 1


def test_no_success_has_no_distribution_and_no_throughput() -> None:
    failed = RequestRecord(started=1.0, finished=2.0, asked_tokens=4, outcome="error", error="http_500")
    spoken = [failed.model_copy(update={"error_text": text}) for text in ("out of blocks", "again")]
    silent = failed.model_copy(update={"error": "timeout"})
    told = summarise([failed, *spoken, silent], load_point=POINT, repeat=0, window_s=10, slo_limits={})
    assert (told.error_codes, told.error_texts) == ({"http_500": 3, "timeout": 1}, {"http_500": "out of blocks"})
    found = summarise([failed], load_point=POINT, repeat=2, window_s=10, slo_limits={"ttft": 1.0})
    assert (found.ttft, found.tpot, found.itl, found.e2e) == (None, None, None, None)
    assert found.error_codes == {"http_500": 1}
    assert found.success_rate == 0.0
    assert found.goodput == 0.0
    assert found.output_throughput == 0.0


def test_percentiles_interpolate_linearly_and_the_mode_is_the_most_frequent_tenth_of_a_millisecond() -> None:
    found = distribution([0.10001, 0.10002, 0.3, 0.4, 0.5])
    assert found is not None
    assert found.p25 == pytest.approx(0.10002)
    assert found.p90 == pytest.approx(0.46)
    assert found.mode == pytest.approx(0.10001)  # 0.1 lies below the least sample
    assert distribution([]) is None


def test_limits_on_what_a_request_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="itl"):
        summarise([], load_point=POINT, repeat=0, window_s=10, slo_limits={"itl": 1.0})


def served(rate: float, capacity: float, window_s: float, slots: int = 4) -> list[RequestRecord]:
    """What an open loop at a constant rate meets at a server of so many slots and requests per second."""
    free = [-5.0] * slots
    records = []
    for number in range(round((window_s + 5.0) * rate)):
        due = -5.0 + number / rate
        slot = free.index(min(free))
        free[slot] = max(due, free[slot]) + slots / capacity
        if free[slot] > 0:
            records.append(RequestRecord(started=due, finished=free[slot], asked_tokens=1, in_window=due >= 0))
    return records


@pytest.mark.parametrize("capacity", [20.0, 60.0, 300.0])
@pytest.mark.parametrize("window_s", [8.0, 20.0])
def test_a_load_above_the_capacity_is_told_from_one_below(capacity: float, window_s: float) -> None:
    assert not backlog_grows(served(0.8 * capacity, capacity, window_s), window_s)
    assert backlog_grows(served(1.2 * capacity, capacity, window_s), window_s)


def test_requests_that_never_end_are_backlog() -> None:
    hanging = [
        RequestRecord(started=0.1 * number, finished=0.1 * number, asked_tokens=1, outcome="incomplete")
        for number in range(100)
    ]
    assert backlog_grows(hanging, 10.0)


def test_a_slice_holds_what_arrived_in_it() -> None:
    early, late = request(0.0, (0.1, 0.3), 4), request(0.2, (0.5, 1.2), 2)
    found = summarise([early, late], load_point=POINT, repeat=0, window_s=1.0, slo_limits={})
    assert found.slice_s == pytest.approx(0.25)
    prompt = early.prompt_tokens or 0
    assert found.slice_tokens == (2.0 + prompt, 2.0, 1.0 + prompt, 0.0)

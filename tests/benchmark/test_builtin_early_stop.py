"""The builtin client ends a window whose verdict is certain, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.builtin import pool as builtin_pool
from autotuner.benchmark.builtin.watched import Watched
from autotuner.benchmark.builtin.wire import Seen
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.stopping import Precision, SloStake, StopRules, ToBeat
from autotuner.metrics import pool, tokens_between
from autotuner.metrics.summary import e2e, tpot, ttft
from autotuner.mock_server import MockOptions, MockServer
from autotuner.scoring.early_stop import Looks, SoFar
from conformance.client_suite import endpoint, fixed, job, load, measure

POINT = load((1.0, fixed(20, 8)), concurrency=8)
SLO = SloStake(metric="ttft", statistic="p90", threshold=0.05, hard_fail=True)
SLOW = MockOptions(ttft_s=0.1, token_s=0.002)
GOOD = MockOptions(ttft_s=0.02, token_s=0.002)
WINDOW_S = 6.0


def watched(rules: StopRules, processes: int = 1) -> AttemptJob:
    work = job(POINT, window_s=WINDOW_S, min_requests=0)
    workload = work.workload.model_copy(update={"client_processes": processes})
    return work.model_copy(update={"stop": rules, "workload": workload})


@pytest.mark.parametrize("processes", [1, 3])
async def test_a_slow_server_is_given_up_early_with_a_reason(tmp_path: Path, processes: int) -> None:
    rules = StopRules(slo=(SLO,), scored=(POINT.name,))
    async with MockServer(SLOW) as server, BuiltinClient().open(None) as session:
        (found,) = await measure(session, watched(rules, processes), endpoint(server), tmp_path)
    assert found.early_stop is not None
    assert (found.stopped, found.early_stop.kind) == ("slo_out_of_reach", "slo_out_of_reach")
    assert found.early_stop.planned_s == WINDOW_S
    assert "the SLO is out of reach (p90 TTFT at least 0.1" in found.early_stop.why
    assert found.window_s < WINDOW_S
    assert found.client_processes == processes
    # What it has is whole: all requests of the shorter window were waited for, and the figures are theirs.
    assert found.error_requests == found.incomplete_requests == 0
    assert found.completed_requests >= rules.min_requests
    assert found.samples_path is not None
    _, records = read_samples(tmp_path / found.samples_path)
    assert all(record.started < found.window_s for record in records)
    assert pool([records]).ttft == found.ttft


async def test_a_good_server_is_measured_to_the_end(tmp_path: Path) -> None:
    rules = StopRules(slo=(SLO,), scored=(POINT.name,))
    async with MockServer(GOOD) as server, BuiltinClient().open(None) as session:
        work = watched(rules)
        limits = work.workload.limits.model_copy(update={"window_s": 2.0})
        work = work.model_copy(update={"workload": work.workload.model_copy(update={"limits": limits})})
        (found,) = await measure(session, work, endpoint(server), tmp_path)
    assert (found.stopped, found.early_stop) == (None, None)
    assert found.window_s >= 2.0


async def test_one_that_is_far_worse_than_the_best_is_given_up(tmp_path: Path) -> None:
    beat = ToBeat(who="experiment 3", figure="total_throughput", value=1e6)
    rules = StopRules(scored=(POINT.name,), to_beat=beat)
    async with MockServer(GOOD) as server, BuiltinClient().open(None) as session:
        (found,) = await measure(session, watched(rules), endpoint(server), tmp_path)
    assert found.stopped == "certainly_worse"
    assert found.early_stop is not None
    assert found.early_stop.why.endswith("tokens/s against 1e+06)")


@pytest.mark.parametrize("processes", [1, 2])
async def test_it_goes_by_what_the_records_say_in_the_end(
    tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Recording()
    monkeypatch.setattr(builtin_pool, "Looks", lambda *args, **kwargs: looks)
    async with MockServer(GOOD) as server, BuiltinClient().open(None) as session:
        work = job(POINT, window_s=1.5, min_requests=0)
        workload = work.workload.model_copy(update={"client_processes": processes})
        work = work.model_copy(update={"stop": StopRules(), "workload": workload})
        (found,) = await measure(session, work, endpoint(server), tmp_path)
    assert found.samples_path is not None
    _, records = read_samples(tmp_path / found.samples_path)
    last = looks.shown[-1]
    rates = last.slices["output_throughput"]
    told = sum(rates) / len(rates) * last.elapsed_s
    near = [sum(tokens_between(r, 0.0, last.elapsed_s + late) for r in records) for late in (-0.05, 0.05)]
    assert near[0] <= told <= near[1]
    known = {round(r.started, 6): r for r in records if r.in_window}
    assert all(round(one.started, 6) in known for one in last.requests)
    for one in last.requests:
        if one.outcome == "ok":
            record = known[round(one.started, 6)]
            assert (one.ttft, one.tpot, one.e2e) == pytest.approx((ttft(record), tpot(record), e2e(record)), abs=1e-6)


async def test_precise_figures_end_it_with_what_they_are(tmp_path: Path) -> None:
    easy = SLO.model_copy(update={"threshold": 2.0})
    rules = StopRules(slo=(easy,), scored=(POINT.name,), figures=("total_throughput",), tolerance=0.9)
    async with MockServer(GOOD) as server, BuiltinClient().open(None) as session:
        (found,) = await measure(session, watched(rules), endpoint(server), tmp_path)
    assert found.stopped == "precise_enough"
    assert found.early_stop is not None
    assert "total throughput to ± " in found.early_stop.why
    assert found.window_s >= 2.0


async def test_a_window_ends_when_it_is_as_long_as_the_noise_asks_for(tmp_path: Path) -> None:
    easy = SLO.model_copy(update={"threshold": 2.0})
    precision = Precision(enough_s=1.0, error=0.01, between=0.03)
    rules = StopRules(judged=False, slo=(easy,), scored=(POINT.name,), precision=precision)
    other = load((1.0, fixed(20, 8)), concurrency=2)
    work = job(POINT, other, window_s=2.5, min_requests=40).model_copy(update={"stop": rules})
    async with MockServer(GOOD) as server, BuiltinClient().open(None) as session:
        first, second = await measure(session, work, endpoint(server), tmp_path)
    assert first.early_stop is not None
    assert (first.stopped, first.early_stop.kind) == ("precise_enough", "precise_enough")
    assert first.early_stop.why.startswith("it is precise enough (its own error of ")
    assert first.window_s >= 1.0
    assert first.completed_requests >= 40
    assert (second.stopped, second.early_stop) == (None, None)
    assert second.window_s >= 2.5


async def test_each_load_point_is_watched_by_itself(tmp_path: Path) -> None:
    other = load((1.0, fixed(20, 8)), concurrency=2)
    rules = StopRules(slo=(SLO,), scored=(POINT.name,))
    work = job(POINT, other, window_s=1.0, min_requests=0).model_copy(update={"stop": rules})
    async with MockServer(SLOW) as server, BuiltinClient().open(None) as session:
        first, second = await measure(session, work, endpoint(server), tmp_path)
    assert first.stopped == "slo_out_of_reach"
    assert (second.stopped, second.early_stop) == (None, None)


class Recording(Looks):
    """Never stops; keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__(StopRules(min_s=0.01), planned_s=10.0, min_requests=0, scored=True)
        self.shown: list[SoFar] = []

    def due(self, elapsed_s: float) -> bool:
        return True

    def look(self, so_far: SoFar) -> None:
        self.shown.append(so_far)


def seen(tokens: float) -> Seen:
    return Seen(output_tokens=tokens, prompt_tokens=2 * tokens, good=0)


@given(
    st.lists(st.floats(0.05, 0.45), min_size=4, max_size=10),
    st.lists(st.floats(0.05, 0.45), min_size=4, max_size=10),
    st.floats(10, 1000),
)
def test_workers_that_report_at_their_own_times_add_up(first: list[float], second: list[float], rate: float) -> None:
    """Two steady workers: every slice has both their rates, whenever they tell of it."""
    looks = Recording()
    together = Watched(looks, 2)
    reports = [(sum(gaps[: i + 1]), worker) for worker, gaps in ((0, first), (1, second)) for i in range(len(gaps))]
    for at, worker in sorted(reports):
        together.take(worker, at, seen(rate * at))
    last = looks.shown[-1]
    assert last.elapsed_s == pytest.approx(min(sum(first), sum(second)))
    assert last.slices["output_throughput"] == pytest.approx([2 * rate] * len(last.slices["output_throughput"]))
    assert last.slices["total_throughput"] == pytest.approx([6 * rate] * len(last.slices["total_throughput"]))

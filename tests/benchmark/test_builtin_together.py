"""Several workers that measure one load point together."""

from __future__ import annotations

import asyncio
import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.builtin.client import BuiltinSession
from autotuner.benchmark.builtin.pool import STREAMS_PER_PROCESS, TOKENS_PER_PROCESS, processes_for
from autotuner.benchmark.builtin.together import Share, joined, point_of
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.attempt import AttemptJob, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, RequestRecord
from autotuner.contracts.workload import MeasureLimits
from autotuner.metrics import pool
from autotuner.mock_server import Fault, MockOptions, MockServer
from conformance.client_suite import QUICK, endpoint, fixed, job, load, measure


def by(processes: int, work: AttemptJob, **workload: object) -> AttemptJob:
    changed = work.workload.model_copy(update={"client_processes": processes, **workload})
    return work.model_copy(update={"workload": changed})


def record(started: float, took: float = 0.1, *, in_window: bool = True) -> RequestRecord:
    return RequestRecord(started=started, finished=started + took, asked_tokens=1, in_window=in_window)


def share(*starts: float, window_s: float = 10.0, stopped: str | None = None) -> Share:
    return Share([record(start) for start in starts], window_s, stopped, 0.1, 0.001)


@given(st.integers(1, 2000), st.integers(1, 16))
def test_streams_are_shared_evenly(streams: int, wanted: int) -> None:
    point = load(concurrency=streams)
    count = processes_for(point, wanted, None)
    parts = [point_of(point, (index, count)).concurrency or 0 for index in range(count)]
    assert sum(parts) == streams
    assert max(parts) - min(parts) <= 1
    assert min(parts) >= 1


def test_more_processes_are_taken_for_heavy_loads_only_and_where_there_are_cores() -> None:
    cores = tuple(range(8))
    assert processes_for(load(concurrency=STREAMS_PER_PROCESS), None, cores) == 1
    assert processes_for(load(concurrency=STREAMS_PER_PROCESS + 1), None, cores) == 2
    assert processes_for(load(concurrency=100 * STREAMS_PER_PROCESS), None, cores) == 8
    assert processes_for(load(concurrency=100 * STREAMS_PER_PROCESS), None, (3,)) == 1
    fast = load((1.0, fixed(10, 100)), concurrency=None, rate=2.5 * TOKENS_PER_PROCESS / 100)
    assert processes_for(fast, None, cores) == 3
    assert processes_for(fast, 2, cores) == 2


def test_a_window_ends_with_the_last_of_max_requests() -> None:
    whole = joined([share(0.1, 0.3, 0.5), share(0.2, 0.4, 0.6)], MeasureLimits(max_requests=4))
    assert [one.started for one in whole.records] == [0.1, 0.2, 0.3, 0.4]
    assert (whole.window_s, whole.stopped) == (0.4, "max_requests")


def test_a_window_grows_until_min_requests_have_finished_and_no_longer() -> None:
    limits = MeasureLimits(window_s=1.0, min_requests=4, max_window_s=10.0)
    shares = [share(0.5, 1.5, 2.5, window_s=3.0), share(1.0, 2.0, 2.9, window_s=3.1)]
    whole = joined(shares, limits)
    assert whole.window_s == pytest.approx(2.1)
    assert [one.started for one in whole.records] == [0.5, 1.0, 1.5, 2.0]
    assert whole.stopped is None
    few = joined([share(0.5, window_s=10.0), share(0.6, window_s=10.0)], limits)
    assert (few.window_s, few.stopped) == (10.0, "max_window_s")


def test_what_began_before_the_window_is_kept_and_what_began_after_its_end_is_not() -> None:
    early = Share([record(-0.2, 1.0, in_window=False), record(4.95)], 5.0, None, 0.5, None)
    late = Share([record(0.5), record(4.99)], 4.98, None, 0.4, 0.002)
    whole = joined([early, late], MeasureLimits())
    assert [one.started for one in whole.records] == [-0.2, 0.5, 4.95]
    assert (whole.window_s, whole.cpu_share, whole.loop_lag_p99_s) == (4.98, 0.9, 0.002)


async def test_three_workers_give_one_measurement_with_exact_percentiles(tmp_path: Path) -> None:
    seen: list[LiveFigures] = []
    point = load((1.0, fixed(20, 8)), concurrency=8)
    async with MockServer(QUICK) as server, BuiltinClient().open(None) as session:
        assert isinstance(session, BuiltinSession)
        work = by(3, job(point, max_requests=90, window_s=60.0))
        (found,) = await measure(session, work, endpoint(server), tmp_path, seen)
        assert len(session.worker_pids) == 3
        most = max(
            sum(one.received <= other.received < (one.last or 0.0) for one in server.truth) for other in server.truth
        )
    assert most <= 8
    assert (found.client_processes, found.stopped, found.concurrency) == (3, "max_requests", 8)
    assert (found.total_requests, found.completed_requests) == (90, 90)
    assert len({truth.prompt for truth in server.truth}) == len(server.truth)
    assert found.samples_path is not None
    _, records = read_samples(tmp_path / found.samples_path)
    assert pool([records]).ttft == found.ttft
    assert seen
    assert all(one.load_point == point.name for one in seen)


async def test_an_open_loop_keeps_its_schedule_whatever_the_number_of_workers(tmp_path: Path) -> None:
    point = load(concurrency=None, rate=100.0)
    async with MockServer(QUICK) as server, BuiltinClient().open(None) as session:
        work = by(2, job(point, warmup_requests=0, window_s=1.0), arrival="constant")
        (found,) = await measure(session, work, endpoint(server), tmp_path)
    assert found.samples_path is not None
    _, records = read_samples(tmp_path / found.samples_path)
    starts = sorted(one.started for one in records if one.in_window)
    assert len(starts) == pytest.approx(100, abs=1)
    assert all(later - earlier == pytest.approx(0.01, abs=1e-6) for earlier, later in pairwise(starts))


@pytest.mark.parametrize(("fault", "code"), [(Fault.HANG_MIDDLE, "timeout"), (Fault.CUT, "truncated")])
async def test_too_many_errors_of_all_stop_all(tmp_path: Path, fault: Fault, code: str) -> None:
    options = QUICK.model_copy(update={"fault": fault})
    async with MockServer(options) as server, BuiltinClient().open(None) as session:
        limits = {"max_errors": 10, "window_s": 60.0, "request_timeout_s": 0.3, "warmup_requests": 0}
        (found,) = await measure(session, by(2, job(**limits)), endpoint(server), tmp_path)
    assert found.stopped == "max_errors"
    assert set(found.error_codes) == {code}
    assert found.error_requests >= 10
    assert found.ttft is None


@pytest.mark.parametrize("victim", [0, 1])
async def test_a_worker_that_dies_ends_the_measurement_and_stops_the_others(tmp_path: Path, victim: int) -> None:
    async with MockServer(MockOptions(ttft_s=0.01, token_s=0.01)) as server, BuiltinClient().open(None) as session:
        assert isinstance(session, BuiltinSession)
        measuring = asyncio.Event()

        def saw(figures: LiveFigures) -> None:
            if figures.phase == "measure":
                measuring.set()

        async def all_of_it() -> None:
            async for _ in session.measure(by(2, job(window_s=60.0)), endpoint(server), tmp_path, saw):
                pass

        running = asyncio.create_task(all_of_it())
        await measuring.wait()
        first = session.worker_pids
        os.kill(first[victim], signal.SIGKILL)
        with pytest.raises(ClientError) as caught:
            await running
        assert caught.value.failure.kind is FailureClass.CLIENT
        await server.until(lambda: server.open_requests == 0)
        (found,) = await measure(session, by(2, job(max_requests=10)), endpoint(server), tmp_path)
        assert len(set(first) & set(session.worker_pids)) == 1
    assert found.completed_requests == 10


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_server_that_trickles_for_ever_is_left_when_the_time_is_up(tmp_path: Path, processes: int) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b'data: {"choices":[{"index":0,"text":"x"}]}\n\n: still here\n\n')
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            pass
        finally:
            writer.close()

    endless = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with endless, BuiltinClient().open(None) as session:
        where = Endpoint(f"http://127.0.0.1:{endless.sockets[0].getsockname()[1]}", "mock")
        work = by(processes, job(window_s=0.5, request_timeout_s=0.2, warmup_requests=2, min_requests=0))
        (found,) = await measure(session, work, where, tmp_path)
    assert found.completed_requests == 0
    assert found.error_codes == {"timeout": found.total_requests}
    assert (found.ttft, found.tpot, found.itl, found.e2e) == (None, None, None, None)

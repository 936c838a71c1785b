"""What every BenchmarkClient must do, against the mock server.

A test class inherits the tests and gives the fixture ``client``. ``killable`` clients have worker processes whose pids
``worker_pid`` finds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from autotuner.benchmark.samples import read_samples
from autotuner.contracts.attempt import AttemptJob, AttemptReason, FailureClass, ServerFacts
from autotuner.contracts.client import BenchmarkClient, ClientError, ClientSession
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.workload import Length, LoadPoint, MeasureLimits, Scenario, Traffic, Workload
from autotuner.mock_server import Fault, MockOptions, MockServer

QUICK = MockOptions(ttft_s=0.01, token_s=0.001)
PATIENCE_S = 60


def fixed(prompt: int, output: int) -> Scenario:
    return Scenario(text=f"D({prompt},{output})", prompt=Length(mean=prompt), output=Length(mean=output))


def load(*parts: tuple[float, Scenario], concurrency: int | None = 4, rate: float | None = None) -> LoadPoint:
    chosen = parts or ((1.0, fixed(20, 8)),)
    text = "+".join(f"{weight:g}*{part.text}" for weight, part in chosen) if len(chosen) > 1 else chosen[0][1].text
    return LoadPoint(traffic=Traffic(text=text, parts=chosen), concurrency=concurrency, request_rate=rate)


def job(*points: LoadPoint, options: dict[str, object] | None = None, repeats: int = 1, **limits: Any) -> AttemptJob:
    usual: dict[str, Any] = {
        "window_s": 0.3,
        "min_requests": 5,
        "warmup_requests": 4,
        "drain_s": 5.0,
        "request_timeout_s": 5.0,
    }
    return AttemptJob(
        task_id=1,
        task_name="suite",
        experiment_id=1,
        experiment_number=0,
        attempt_id=1,
        reason=AttemptReason.FIRST,
        deployment="none",
        client="suite",
        command=None,
        served_name="mock",
        server=ServerFacts(),
        workload=Workload(
            load_points=points or (load(),),
            limits=MeasureLimits(**{**usual, **limits}),
            repeats=repeats,
            request_body={"ignore_eos": True},
        ),
        slo_limits={"ttft": 5.0},
        artefact_dir="unused",
        options={"prompt_token_ids": [10, 4000]} if options is None else options,
    )


def endpoint(server: MockServer, api_key: str | None = None) -> Endpoint:
    return Endpoint(base_url=server.base_url, model="mock", api_key=api_key)


async def measure(
    session: ClientSession, work: AttemptJob, where: Endpoint, folder: Path, seen: list[LiveFigures] | None = None
) -> list[Measurement]:
    on_progress = (lambda figures: None) if seen is None else seen.append
    async with asyncio.timeout(PATIENCE_S):
        return [found async for found in session.measure(work, where, folder, on_progress)]


class ClientSuite:
    """Inherit and give ``client``."""

    killable = False

    def worker_pid(self, session: ClientSession) -> int:
        raise NotImplementedError

    async def test_counts_agree_with_the_servers(self, client: BenchmarkClient, tmp_path: Path) -> None:
        async with MockServer(QUICK) as server, client.open(None) as session:
            (found,) = await measure(session, job(), endpoint(server), tmp_path)
        good = found.completed_requests
        assert good > 0
        assert found.total_requests == good
        assert found.error_codes == {}
        assert found.output_tokens == found.asked_output_tokens == 8 * good
        assert found.prompt_tokens == 20 * good
        assert found.ttft is not None
        assert found.ttft.count == good
        assert found.itl is not None
        assert found.itl.count == 7 * good
        assert found.output_throughput > 0
        assert found.total_throughput == pytest.approx(found.output_throughput + found.input_throughput)
        assert found.goodput == found.requests_per_second
        # Warm-up and the requests that kept the load up are the server's alone.
        assert len(server.truth) >= good + 4
        assert all(truth.ended in ("done", "closed") for truth in server.truth)

    async def test_the_records_are_kept_and_warm_up_is_not_of_the_window(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        async with MockServer(QUICK) as server, client.open(None) as session:
            (found,) = await measure(session, job(warmup_requests=6), endpoint(server), tmp_path)
        assert found.samples_path is not None
        _, records = read_samples(tmp_path / found.samples_path)
        own = [record for record in records if record.in_window]
        assert len(own) == found.total_requests
        assert all(0 <= record.started <= found.window_s for record in own)
        assert all(record.started < 0 for record in records if not record.in_window)
        assert len(server.truth) - len(own) >= 6

    async def test_times_are_the_servers_times(self, client: BenchmarkClient, tmp_path: Path) -> None:
        options = MockOptions(ttft_s=0.05, token_s=0.005)
        async with MockServer(options) as server, client.open(None) as session:
            (found,) = await measure(session, job(), endpoint(server), tmp_path)
            truths = [truth for truth in server.truth if truth.ended == "done" and truth.first is not None]
        assert found.ttft is not None
        assert found.tpot is not None
        fastest = min((truth.first or 0.0) - truth.received for truth in truths)
        slowest = max((truth.first or 0.0) - truth.received for truth in truths)
        assert fastest <= found.ttft.min
        assert found.ttft.p50 <= slowest + 0.05
        steps = [((truth.last or 0.0) - (truth.first or 0.0)) / 7 for truth in truths]
        assert min(steps) - 0.02 <= found.tpot.mean <= max(steps) + 0.02

    async def test_several_tokens_per_chunk_are_counted_by_usage(self, client: BenchmarkClient, tmp_path: Path) -> None:
        async with MockServer(QUICK.model_copy(update={"tokens_per_chunk": 4})) as server, client.open(None) as session:
            (found,) = await measure(session, job(), endpoint(server), tmp_path)
        assert found.output_tokens == 8 * found.completed_requests > 0
        assert found.itl is not None
        assert found.itl.count == found.completed_requests
        assert found.tpot is not None
        assert found.tpot.mean == pytest.approx(found.itl.mean / 7)

    async def test_points_and_repeats_come_in_order_with_progress(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        points = (load(concurrency=1), load(concurrency=3))
        seen: list[LiveFigures] = []
        async with MockServer(QUICK) as server, client.open(None) as session:
            found = await measure(session, job(*points, repeats=2), endpoint(server), tmp_path, seen)
        names = [(measurement.load_point, measurement.repeat) for measurement in found]
        assert names == [(point.name, repeat) for point in points for repeat in (0, 1)]
        assert len({measurement.samples_path for measurement in found}) == 4
        assert {figures.load_point for figures in seen} == {point.name for point in points}
        assert {figures.phase for figures in seen} <= {"warmup", "measure", "drain"}

    async def test_what_a_start_that_was_cut_off_has_measured_is_not_taken_again(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        first, second, third = load(concurrency=1), load(concurrency=2), load(concurrency=3)
        done = ((first.name, 0), (first.name, 1), (second.name, 1))
        work = job(first, second, third, repeats=2).model_copy(update={"done": done})
        seen: list[LiveFigures] = []
        async with MockServer(QUICK) as server, client.open(None) as session:
            found = await measure(session, work, endpoint(server), tmp_path, seen)
        names = [(measurement.load_point, measurement.repeat) for measurement in found]
        assert names == [(second.name, 0), (third.name, 0), (third.name, 1)]
        assert {(figures.load_point, figures.repeat) for figures in seen} == set(names)

    async def test_the_concurrency_is_never_exceeded(self, client: BenchmarkClient, tmp_path: Path) -> None:
        options = QUICK.model_copy(update={"ttft_s": 0.05})
        async with MockServer(options) as server, client.open(None) as session:
            await measure(session, job(load(concurrency=7), min_requests=30), endpoint(server), tmp_path)
        times = [(truth.received, 1) for truth in server.truth]
        times += [((truth.last or truth.received), -1) for truth in server.truth]
        level = peak = 0
        for _, change in sorted(times):
            level += change
            peak = max(peak, level)
        assert 1 < peak <= 7

    async def test_no_two_prompts_begin_alike(self, client: BenchmarkClient, tmp_path: Path) -> None:
        work = job(load(), load(concurrency=2), repeats=2, max_requests=20, window_s=60.0)
        async with MockServer(QUICK) as server, client.open(None) as session:
            await measure(session, work, endpoint(server), tmp_path)
            await measure(session, work, endpoint(server), tmp_path)
        beginnings = [truth.prompt[:3] for truth in server.truth]
        assert len(beginnings) > 50
        assert len(set(beginnings)) == len(beginnings)

    async def test_mixtures_keep_their_shares(self, client: BenchmarkClient, tmp_path: Path) -> None:
        mixed = load((0.7, fixed(10, 2)), (0.3, fixed(30, 4)))
        async with MockServer(QUICK) as server, client.open(None) as session:
            (found,) = await measure(session, job(mixed, max_requests=60, window_s=60.0), endpoint(server), tmp_path)
        lengths = [(truth.prompt_tokens, truth.asked_tokens) for truth in server.truth]
        assert set(lengths) == {(10, 2), (30, 4)}
        whole = lengths[: len(lengths) // 20 * 20]
        assert len(whole) >= 20
        # Requests may overtake each other on the way, by at most the concurrency.
        assert abs(whole.count((10, 2)) - 0.7 * len(whole)) <= 4
        assert found.error_requests == 0

    async def test_the_window_waits_for_its_requests(self, client: BenchmarkClient, tmp_path: Path) -> None:
        work = job(load(concurrency=2), window_s=0.01, min_requests=30)
        async with MockServer(QUICK) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
        assert found.completed_requests >= 30
        assert found.window_s > 0.01
        assert found.stopped is None

    async def test_the_window_has_a_longest_length(self, client: BenchmarkClient, tmp_path: Path) -> None:
        work = job(window_s=0.05, max_window_s=0.2, min_requests=100_000)
        async with MockServer(QUICK) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
        assert found.stopped == "max_window_s"
        assert found.window_s >= 0.2
        assert found.total_requests < 100_000

    async def test_the_window_ends_at_its_number_of_requests(self, client: BenchmarkClient, tmp_path: Path) -> None:
        work = job(max_requests=10, window_s=60.0)
        async with MockServer(QUICK) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
        assert found.total_requests == 10
        assert found.completed_requests == 10
        assert found.stopped == "max_requests"

    async def test_requests_that_do_not_end_in_time_are_incomplete(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        options = MockOptions(fault=Fault.HANG_MIDDLE, fault_every=5, ttft_s=0.001, token_s=0.001)
        work = job(load(concurrency=8), max_requests=20, drain_s=0.2, request_timeout_s=30.0, warmup_requests=0)
        async with MockServer(options) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
            await server.until(lambda: server.open_requests == 0)
        assert found.total_requests == 20
        assert found.incomplete_requests > 0
        assert found.completed_requests + found.incomplete_requests == 20
        assert found.error_rate > 0

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (Fault.ERROR_500, "http_500"),
            (Fault.EARLY_END, "truncated"),
            (Fault.CUT, "truncated"),
            (Fault.ERROR_PAYLOAD, "error_payload"),
            (Fault.NO_ANSWER_CLOSE, "connection_closed"),
            (Fault.HANG_BEFORE, "timeout"),
            (Fault.HANG_MIDDLE, "timeout"),
        ],
    )
    async def test_an_answer_that_goes_wrong_is_an_error(
        self, client: BenchmarkClient, tmp_path: Path, fault: Fault, code: str
    ) -> None:
        options = QUICK.model_copy(update={"fault": fault, "fault_every": 1})
        work = job(max_requests=8, request_timeout_s=0.3, warmup_requests=2)
        async with MockServer(options) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
        assert found.completed_requests == 0
        assert found.error_requests == found.total_requests > 0
        assert found.error_codes == {code: found.error_requests}
        assert (found.ttft, found.e2e) == (None, None)
        assert found.output_throughput == 0
        assert found.goodput == 0

    async def test_some_errors_do_not_spoil_the_others(self, client: BenchmarkClient, tmp_path: Path) -> None:
        options = QUICK.model_copy(update={"fault": Fault.ERROR_500, "fault_every": 4})
        work = job(max_requests=40, window_s=60.0)
        async with MockServer(options) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
        assert found.total_requests == 40
        assert 9 <= found.error_requests <= 11
        assert found.completed_requests == 40 - found.error_requests
        assert found.output_tokens == 8 * found.completed_requests

    async def test_missing_usage_is_an_error(self, client: BenchmarkClient, tmp_path: Path) -> None:
        async with MockServer(QUICK.model_copy(update={"usage": False})) as server, client.open(None) as session:
            (found,) = await measure(session, job(max_requests=5), endpoint(server), tmp_path)
        assert found.error_codes == {"missing_usage": found.total_requests}

    async def test_a_wrong_key_is_an_error_and_the_right_one_works(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        options = QUICK.model_copy(update={"api_key": "right"})
        async with MockServer(options) as server, client.open(None) as session:
            (wrong,) = await measure(session, job(max_requests=5), endpoint(server, "wrong"), tmp_path)
            (right,) = await measure(session, job(max_requests=5), endpoint(server, "right"), tmp_path)
        assert wrong.error_codes == {"http_401": wrong.total_requests}
        assert right.completed_requests == 5

    async def test_nobody_there_gives_errors_not_an_exception(self, client: BenchmarkClient, tmp_path: Path) -> None:
        with socket.socket() as taken:  # bound, so nobody else gets it, but not listening
            taken.bind(("127.0.0.1", 0))
            where = Endpoint(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", model="mock")
            async with client.open(None) as session:
                (found,) = await measure(session, job(max_errors=6), where, tmp_path)
        assert found.completed_requests == 0
        assert found.error_codes == {"connection_refused": found.total_requests}
        assert found.stopped == "max_errors"

    async def test_too_many_errors_end_the_measurement(self, client: BenchmarkClient, tmp_path: Path) -> None:
        options = QUICK.model_copy(update={"fault": Fault.ERROR_500, "fault_every": 2})
        work = job(max_error_rate=0.2, window_s=60.0)
        async with MockServer(options) as server, client.open(None) as session:
            (found,) = await measure(session, work, endpoint(server), tmp_path)
        assert found.stopped == "max_error_rate"
        assert found.completed_requests + found.error_requests >= 20

    async def test_connections_that_the_server_closes_between_answers_are_no_errors(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        options = QUICK.model_copy(update={"answers_per_connection": 2})
        async with MockServer(options) as server, client.open(None) as session:
            (found,) = await measure(session, job(max_requests=40, drain_s=600.0), endpoint(server), tmp_path)
        assert found.error_codes == {}
        assert found.completed_requests == found.total_requests > 0
        assert any(truth.reused_connection for truth in server.truth)

    async def test_closing_the_iterator_stops_all_requests_and_the_session_goes_on(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        async with MockServer(QUICK) as server, client.open(None) as session:
            work = job(load(), load(concurrency=2))
            async with aclosing(session.measure(work, endpoint(server), tmp_path, lambda figures: None)) as measured:
                first = await anext(measured)
            await server.until(lambda: server.open_requests == 0)
            sent = len(server.truth)
            (again,) = await measure(session, job(max_requests=5), endpoint(server), tmp_path)
            assert len(server.truth) > sent
        assert first.completed_requests > 0
        assert again.completed_requests == 5

    async def test_cancelling_stops_all_requests_and_the_session_goes_on(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        options = MockOptions(fault=Fault.HANG_BEFORE, fault_every=1)
        async with client.open(None) as session:
            async with MockServer(options) as server:
                running = asyncio.create_task(
                    measure(session, job(load(concurrency=3), request_timeout_s=60.0), endpoint(server), tmp_path)
                )
                await server.until(lambda: server.open_requests == 3)
                running.cancel()
                await asyncio.wait({running})
                assert running.cancelled()
                await server.until(lambda: server.open_requests == 0)
            async with MockServer(QUICK) as server:
                (again,) = await measure(session, job(max_requests=5), endpoint(server), tmp_path)
        assert again.completed_requests == 5

    async def test_a_killed_worker_is_a_client_error_and_is_replaced(
        self, client: BenchmarkClient, tmp_path: Path
    ) -> None:
        if not self.killable:
            pytest.skip("this client has no process of its own")
        async with MockServer(QUICK) as server, client.open(None) as session:
            running = asyncio.create_task(measure(session, job(window_s=60.0), endpoint(server), tmp_path))
            await server.until(lambda: len(server.truth) >= 3)
            os.kill(self.worker_pid(session), signal.SIGKILL)
            with pytest.raises(ClientError) as caught:
                await running
            assert caught.value.failure.kind == FailureClass.CLIENT
            await server.until(lambda: server.open_requests == 0)
            (again,) = await measure(session, job(max_requests=5), endpoint(server), tmp_path)
        assert again.completed_requests == 5

"""The builtin client passes the conformance suite; what only it does is tested here too."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.builtin.client import BuiltinSession
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.client import BenchmarkClient, ClientError, ClientSession
from autotuner.contracts.deployment import Endpoint
from autotuner.mock_server import MockOptions, MockServer
from conformance.client_suite import PATIENCE_S, QUICK, ClientSuite, endpoint, fixed, job, load, measure


def pid_of(session: ClientSession) -> int:
    assert isinstance(session, BuiltinSession)
    return session.worker_pid


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


class TestBuiltinConforms(ClientSuite):
    killable = True

    @pytest.fixture
    def client(self) -> BenchmarkClient:
        return BuiltinClient()

    def worker_pid(self, session: ClientSession) -> int:
        return pid_of(session)


async def test_the_worker_is_pinned_and_gone_with_its_session() -> None:
    core = min(os.sched_getaffinity(0))
    async with BuiltinClient().open((core,)) as session:
        pid = pid_of(session)
        assert os.sched_getaffinity(pid) == {core}
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_worker_ends_when_its_parent_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from autotuner.benchmark.builtin import BuiltinClient\n"
        "async def main():\n"
        "    async with BuiltinClient().open(None) as session:\n"
        "        print(session.worker_pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    worker = os.pidfd_open(int(await parent.stdout.readline()))
    try:
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(worker, gone.set)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
    finally:
        asyncio.get_running_loop().remove_reader(worker)
        os.close(worker)


async def test_words_are_calibrated_against_the_servers_count(tmp_path: Path) -> None:
    options = QUICK.model_copy(update={"words_per_token": 0.5})  # two tokens per word
    async with MockServer(options) as server, BuiltinClient().open(None) as session:
        work = job(load((1.0, fixed(120, 4))), options={}, max_requests=10)
        (found,) = await measure(session, work, endpoint(server), tmp_path)
    assert found.completed_requests == 10
    assert found.prompt_tokens == 1200
    assert all(isinstance(truth.prompt, str) for truth in server.truth)


async def test_chat_completions_work_too(tmp_path: Path) -> None:
    async with MockServer(QUICK) as server, BuiltinClient().open(None) as session:
        work = job(max_requests=10)
        facts = work.server.model_copy(update={"completions_path": "/v1/chat/completions"})
        (found,) = await measure(session, work.model_copy(update={"server": facts}), endpoint(server), tmp_path)
    assert found.completed_requests == 10
    assert found.output_tokens == 80
    assert found.itl is not None
    assert found.itl.count == 70  # the empty role chunk is no token


async def test_an_open_loop_counts_waiting_from_the_scheduled_time(tmp_path: Path) -> None:
    # One slot of about 20 ms per request, asked for every 10 ms: the queue, and with it ttft, grows.
    options = MockOptions(ttft_s=0.02, token_s=0.0, max_batch=1)
    point = load((1.0, fixed(10, 2)), concurrency=None, rate=100.0)
    work = job(point, warmup_requests=0)
    work = work.model_copy(update={"workload": work.workload.model_copy(update={"arrival": "constant"})})
    async with MockServer(options) as server, BuiltinClient().open(None) as session:
        (found,) = await measure(session, work, endpoint(server), tmp_path)
    assert found.samples_path is not None
    _, records = read_samples(tmp_path / found.samples_path)
    starts = [record.started for record in records if record.in_window]
    assert found.error_requests == 0
    assert all(later - earlier == pytest.approx(0.01, abs=1e-6) for earlier, later in pairwise(starts))
    assert found.ttft is not None
    # The last has waited for all before it, of which each took 20 ms at least.
    assert found.ttft.max >= 0.02 * len(starts) - 0.01 * (len(starts) - 1) - 0.005


async def test_load_dependent_answers_get_slower_with_concurrency(tmp_path: Path) -> None:
    options = MockOptions(ttft_s=0.005, token_s=0.001, max_batch=4, slowdown=0.5)
    async with MockServer(options) as server, BuiltinClient().open(None) as session:
        work = job(load(concurrency=1), load(concurrency=8), max_requests=40, window_s=60.0)
        alone, crowded = await measure(session, work, endpoint(server), tmp_path)
    assert alone.ttft is not None
    assert alone.tpot is not None
    assert crowded.ttft is not None
    assert crowded.tpot is not None
    assert crowded.ttft.p50 > 2 * alone.ttft.p50
    assert crowded.tpot.p50 > alone.tpot.p50


async def test_unusable_options_and_addresses_are_refused(tmp_path: Path) -> None:
    async with BuiltinClient().open(None) as session:
        with pytest.raises(ClientError, match="prompt_token_ids"):
            work = job(options={"prompt_token_ids": [5, 5]})
            await measure(session, work, Endpoint("http://127.0.0.1:1", "m"), tmp_path)
        with pytest.raises(ClientError, match="ftp://"):
            await measure(session, job(), Endpoint("ftp://127.0.0.1", "m"), tmp_path)


async def test_a_process_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError('nothing of the kind')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ClientError, match="ImportError: nothing of the kind"):
        async with BuiltinClient().open(None):
            pass


async def test_the_key_never_reaches_the_artefacts_or_the_command_line(tmp_path: Path) -> None:
    options = QUICK.model_copy(update={"api_key": "sesame-91"})
    async with MockServer(options) as server, BuiltinClient().open(None) as session:
        (found,) = await measure(session, job(max_requests=5), endpoint(server, "sesame-91"), tmp_path)
        command = command_line(pid_of(session))
    assert found.samples_path is not None
    header, records = read_samples(tmp_path / found.samples_path)
    assert "sesame-91" not in command + str(header) + "".join(record.model_dump_json() for record in records)


async def test_server_and_client_are_not_foreign(tmp_path: Path) -> None:
    async with MockServer(QUICK) as server, BuiltinClient().open(None) as session:
        known = job(options={"prompt_token_ids": [10, 4000], "server_pid": os.getpid()})
        (told,) = await measure(session, known, endpoint(server), tmp_path)
        (untold,) = await measure(session, job(), endpoint(server), tmp_path)
    assert told.foreign_cpu_share is not None
    assert told.client_cpu_share is not None
    assert told.foreign_cpu_share <= (os.cpu_count() or 1)
    assert told.foreign_cpu_peak is not None
    assert told.disturbed == (told.foreign_cpu_share > 0.10 or told.foreign_cpu_peak > 0.15)
    assert untold.foreign_cpu_share is None
    assert not untold.disturbed

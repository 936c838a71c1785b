"""What every deployment that starts servers must keep. A test module runs each of ``CHECKS`` with a ``Setup``."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from autotuner.contracts.attempt import (
    API_KEY,
    PORT,
    AttemptJob,
    AttemptReason,
    Command,
    FailureClass,
    Handle,
    LogPattern,
    ServerFacts,
)
from autotuner.contracts.deployment import Deployment, DeploymentError
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic, Workload
from autotuner.network.http import request

FAKE_SERVER = str(Path(__file__).with_name("fake_server.py"))
START_S = 30.0
SHORT_S = 1.5
TURNS = 5
BURST = LogPattern(pattern="BURST of", kind=FailureClass.OOM, diagnosis="it wanted too much", hint="ask for less")


@dataclass(frozen=True)
class Setup:
    """How a check makes deployments and sees what they leave."""

    make: Callable[[], Deployment]
    folder: Path
    leftovers: Callable[[Handle], int]
    """How many processes (containers, …) of the handle's server exist."""

    def job(self, mode: str, *words: str, argv: tuple[str, ...] | None = None) -> AttemptJob:
        length = Length(mean=8)
        traffic = Traffic(text="D(8,8)", parts=((1.0, Scenario(text="D(8,8)", prompt=length, output=length)),))
        return AttemptJob(
            task_id=1,
            task_name="t",
            experiment_id=1,
            experiment_number=1,
            attempt_id=1,
            reason=AttemptReason.FIRST,
            deployment="",
            client="",
            command=Command(
                argv=argv or (sys.executable, FAKE_SERVER, PORT, mode, *words), env={"FAKE_API_KEY": API_KEY}
            ),
            served_name="tiny",
            server=ServerFacts(log_patterns=(BURST,)),
            workload=Workload(load_points=(LoadPoint(traffic=traffic, concurrency=1),)),
            artefact_dir=str(self.folder),
        )


async def keep(handle: Handle) -> None:
    """An ``on_handle`` that stores nothing."""


async def check_serves_and_ends(setup: Setup) -> None:
    """A ready server answers with its key only; stop leaves nothing behind and may be repeated."""
    deployment = setup.make()
    handle = await deployment.start(setup.job("ok"), keep)
    try:
        endpoint = await deployment.wait_ready(handle, START_S)
        assert endpoint.model == "tiny"
        assert endpoint.api_key
        assert endpoint.api_key not in repr(endpoint) + handle.model_dump_json()
        assert await deployment.failure(handle) is None
        stats = await deployment.stats(handle)
        assert (stats.rss_bytes or 0) > 1_000_000
        assert (stats.cpu_seconds or 0) >= 0
        answer = await request(
            "POST", f"{endpoint.base_url}/v1/completions", body=b'{"model":"tiny"}', timeout_s=START_S
        )
        assert answer.status == 401
    finally:
        await deployment.stop(handle, 5.0)
    assert setup.leftovers(handle) == 0
    await deployment.stop(handle, 5.0)
    with pytest.raises(OSError):
        await request("GET", f"{endpoint.base_url}/health", timeout_s=START_S)


async def check_handle_is_stored_first(setup: Setup) -> None:
    """The server exists when its handle is stored, start waits for that, and a failing store leaves no server."""
    deployment = setup.make()
    stored: list[Handle] = []

    async def store(handle: Handle) -> None:
        assert setup.leftovers(handle) > 0
        await asyncio.sleep(0)
        stored.append(handle)

    handle = await deployment.start(setup.job("ok"), store)
    assert stored == [handle]
    assert Handle.model_validate_json(handle.model_dump_json()) == handle
    await deployment.stop(handle, 5.0)

    async def fail(handle: Handle) -> None:
        stored.append(handle)
        raise RuntimeError("the store is gone")

    with pytest.raises(RuntimeError):
        await deployment.start(setup.job("ok"), fail)
    assert setup.leftovers(stored[-1]) == 0


async def check_wrong_program(setup: Setup) -> None:
    deployment = setup.make()
    with pytest.raises(DeploymentError) as error:
        handle = await deployment.start(setup.job("ok", argv=("/no/such program", PORT)), keep)
        await deployment.wait_ready(handle, START_S)
    assert error.value.failure.kind is FailureClass.BAD_ARGUMENT
    assert "/no/such program" in error.value.failure.diagnosis + error.value.failure.log_tail


async def failed_start(setup: Setup, mode: str, timeout_s: float = START_S) -> DeploymentError:
    deployment = setup.make()
    handle = await deployment.start(setup.job(mode), keep)
    try:
        with pytest.raises(DeploymentError) as error:
            await deployment.wait_ready(handle, timeout_s)
    finally:
        await deployment.stop(handle, 0.5)
    assert setup.leftovers(handle) == 0
    return error.value


async def check_death_is_told(setup: Setup) -> None:
    """The wait ends with the server, and its last words tell why."""
    died = (await failed_start(setup, "dies")).failure
    assert died.kind is FailureClass.CRASH
    assert "exit code 1" in died.diagnosis
    assert "a last word" in died.diagnosis
    assert "a last word" in died.log_tail
    burst = (await failed_start(setup, "bursts")).failure
    assert burst.kind is FailureClass.OOM
    assert "BURST of 8 GiB" in burst.diagnosis
    assert burst.hint == BURST.hint
    assert (await failed_start(setup, "taken")).failure.kind is FailureClass.PORT


async def check_silence_is_told(setup: Setup) -> None:
    """A server that starts but never completes anything is a start timeout that says how far it came."""
    silent = (await failed_start(setup, "silent", SHORT_S)).failure
    assert silent.kind is FailureClass.START_TIMEOUT
    assert "completion" in silent.diagnosis
    assert "starting silent" in silent.log_tail
    unhealthy = (await failed_start(setup, "unhealthy", SHORT_S)).failure
    assert unhealthy.kind is FailureClass.START_TIMEOUT
    assert "503" in unhealthy.diagnosis
    wrong = (await failed_start(setup, "wrong")).failure
    assert "400" in wrong.diagnosis
    assert "no such thing" in wrong.diagnosis


async def check_wrong_model(setup: Setup) -> None:
    """A server that answers, but serves another model than asked, is not taken for ready.

    The tail of its log is not looked at: it runs, and what it said last may still be on its way into the log.
    """
    wrong = (await failed_start(setup, "other")).failure
    assert wrong.kind is FailureClass.MISSING_MODEL
    assert wrong.certain
    assert "serves other instead of tiny" in wrong.diagnosis


async def check_stubborn_servers_end(setup: Setup) -> None:
    """SIGTERM is not obeyed: SIGKILL follows, for children in sessions of their own too."""
    for mode in ("stubborn", "family"):
        deployment = setup.make()
        handle = await deployment.start(setup.job(mode), keep)
        await deployment.wait_ready(handle, START_S)
        assert setup.leftovers(handle) == (3 if mode == "family" else 1)
        await deployment.stop(handle, 0.2)
        assert setup.leftovers(handle) == 0


async def check_cancel_leaves_nothing(setup: Setup) -> None:
    """Cancelled while it stores the handle, waits, or stops: after stop (or by itself) nothing is left."""
    deployment = setup.make()
    reached = asyncio.Event()
    seen: list[Handle] = []

    async def hang(handle: Handle) -> None:
        seen.append(handle)
        reached.set()
        await asyncio.Event().wait()

    await cancelled(deployment.start(setup.job("stubborn"), hang), reached)
    assert setup.leftovers(seen[0]) == 0

    handle = await deployment.start(setup.job("unhealthy"), keep)
    waiting = asyncio.Event()
    await cancelled(after(waiting, deployment.wait_ready(handle, START_S)), waiting)
    assert setup.leftovers(handle) == 1
    await deployment.stop(handle, 5.0)
    assert setup.leftovers(handle) == 0

    handle = await deployment.start(setup.job("stubborn"), keep)
    await deployment.wait_ready(handle, START_S)
    stopping = asyncio.Event()
    await cancelled(after(stopping, deployment.stop(handle, 3600.0)), stopping)
    assert setup.leftovers(handle) == 0


async def check_clean_ends_what_is_left(setup: Setup) -> None:
    """One that did not start the server, as after the death of its owner, ends all of it; then nothing is left."""
    owner, other = setup.make(), setup.make()
    for mode in ("stubborn", "family"):
        handle = await owner.start(setup.job(mode), keep)
        await owner.wait_ready(handle, START_S)
        assert setup.leftovers(handle) > 0
        assert await other.clean(handle)
        assert setup.leftovers(handle) == 0
        assert not await other.clean(handle)
        await owner.stop(handle, 5.0)


async def check_log_tail(setup: Setup) -> None:
    """Whole lines from the end, without the key."""
    deployment = setup.make()
    handle = await deployment.start(setup.job("ok", "a word with spaces", "{port} "), keep)
    endpoint = await deployment.wait_ready(handle, START_S)
    async with asyncio.timeout(START_S):
        while "POST /v1/completions" not in (whole := await deployment.log_tail(handle, 1 << 20)):
            await deployment.stats(handle)  # the log may come a little after what it tells of
    assert "starting ok a word with spaces {port}  ***\n" in whole
    assert endpoint.api_key
    assert endpoint.api_key not in whole
    tail = await deployment.log_tail(handle, 80)
    assert 0 < len(tail) <= 80
    assert whole.endswith(tail)
    assert whole[: -len(tail)].endswith("\n")
    await deployment.stop(handle, 5.0)


async def check_servers_side_by_side(setup: Setup) -> None:
    """Several at once have ports and keys of their own."""
    deployment = setup.make()
    jobs = [setup.job("ok").model_copy(update={"artefact_dir": str(setup.folder / str(n))}) for n in range(3)]
    handles = await asyncio.gather(*(deployment.start(job, keep) for job in jobs))
    endpoints = await asyncio.gather(*(deployment.wait_ready(handle, START_S) for handle in handles))
    assert len({endpoint.base_url for endpoint in endpoints}) == len(jobs)
    assert len({endpoint.api_key for endpoint in endpoints}) == len(jobs)
    await asyncio.gather(*(deployment.stop(handle, 5.0) for handle in handles))
    assert [setup.leftovers(handle) for handle in handles] == [0, 0, 0]


async def after(event: asyncio.Event, work: Awaitable[object]) -> None:
    """Set the event when the work has been given a few turns of the loop."""
    task = asyncio.ensure_future(work)
    try:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        event.set()
        await asyncio.shield(task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def cancelled(work: Awaitable[object], reached: asyncio.Event) -> None:
    """Cancel the work once it has come so far; it must not swallow that."""
    task = asyncio.ensure_future(work)
    async with asyncio.timeout(START_S):
        await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


CHECKS: tuple[Callable[[Setup], Awaitable[None]], ...] = (
    check_serves_and_ends,
    check_handle_is_stored_first,
    check_wrong_program,
    check_death_is_told,
    check_silence_is_told,
    check_wrong_model,
    check_stubborn_servers_end,
    check_cancel_leaves_nothing,
    check_clean_ends_what_is_left,
    check_log_tail,
    check_servers_side_by_side,
)

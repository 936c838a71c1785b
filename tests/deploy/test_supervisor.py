"""Whatever dies, and however a server behaves: nothing of it is left. Every kill is a real SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autotuner.contracts.attempt import FailureClass, Handle
from autotuner.contracts.deployment import DeploymentError
from autotuner.deploy.local import deployment as local_module
from autotuner.deploy.local import ports, processes
from autotuner.deploy.local.deployment import LocalDeployment, reap
from autotuner.deploy.local.remains import read_roster
from autotuner.deploy.local.server_log import MOST_BYTES
from conformance.deployment_suite import FAKE_SERVER, START_S, Setup, keep

OWNER = """
import asyncio, sys
from pathlib import Path
from autotuner.deploy.local.deployment import LocalDeployment
from conformance.deployment_suite import Setup, START_S, keep

async def main():
    setup = Setup(LocalDeployment, Path(sys.argv[1]), lambda handle: 0)
    deployment = setup.make()
    handle = await deployment.start(setup.job(sys.argv[2]), keep)
    await deployment.wait_ready(handle, START_S)
    print(handle.model_dump_json(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    stopping = asyncio.create_task(deployment.stop(handle, 3600.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print("asked", flush=True)
    await stopping

asyncio.run(main())
"""
MODES = ["ok", "stubborn", "family", "daemon", "breeder", "chatty"]


def number(handle: Handle, name: str) -> int:
    value = handle.fields[name]
    assert isinstance(value, int)
    return value


def of_server(handle: Handle) -> set[int]:
    """Processes that run the fake server of that port, by their command line: nothing else goes by it."""
    found = set()
    for pid in processes.pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if FAKE_SERVER in words and str(handle.fields["port"]) in words and state not in "ZX":
            found.add(pid)
    return found


def wait_for_none(handle: Handle) -> None:
    """Wait until no process of the server runs; a new one may have appeared meanwhile."""
    for _ in range(1000):
        left = of_server(handle)
        if not left:
            return
        for pid in left:
            wait_for_end(pid)
    pytest.fail(f"processes of the server are left: {sorted(of_server(handle))}")


def wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([descriptor], [], [], START_S)
    os.close(descriptor)
    assert ended, f"process {pid} still runs"


def wait_for(claim: Callable[[], bool]) -> None:
    """Look until it holds."""
    for _ in range(100_000):
        if claim():
            return
        os.sched_yield()
    pytest.fail("it never came to hold")


@contextmanager
def owner(folder: Path, mode: str) -> Iterator[tuple[subprocess.Popen[str], Handle]]:
    """Another process with a server that is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=with_tests(),
    )
    try:
        assert process.stdout
        yield process, Handle.model_validate(json.loads(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def with_tests() -> dict[str, str]:
    here = Path(__file__).resolve()
    paths = (str(here.parents[2] / "src"), str(here.parents[1]))
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def seen_below_supervisor(handle: Handle) -> set[int]:
    roster = read_roster(Path(str(handle.fields["log_path"])).with_name("server.processes"))
    return {process.pid for process in roster.seen}


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(LocalDeployment, tmp_path / "artefacts", lambda handle: len(of_server(handle)))


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_owner_leaves_nothing(mode: str, tmp_path: Path) -> None:
    with owner(tmp_path, mode) as (process, handle):
        assert of_server(handle)
        process.kill()
        process.wait()
        wait_for_none(handle)
        wait_for_end(number(handle, "root_pid"))
    ports.bind("127.0.0.1", number(handle, "port"))


@pytest.mark.parametrize("mode", ["ok", "family", "daemon"])
def test_supervisor_and_owner_killed_together_leave_what_the_next_start_finds(mode: str, tmp_path: Path) -> None:
    with owner(tmp_path, mode) as (process, handle):
        wait_for(lambda: of_server(handle) <= seen_below_supervisor(handle))
        os.kill(process.pid, signal.SIGSTOP)  # so that neither can do anything about the other's end
        os.kill(number(handle, "root_pid"), signal.SIGKILL)
        process.kill()
        process.wait()
    wait_for_end(number(handle, "root_pid"))
    left = of_server(handle)
    assert len(left) >= {"ok": 0, "family": 2, "daemon": 1}[mode], "there is nothing to find: the test shows nothing"
    asyncio.run(reap(handle))
    assert of_server(handle) == set()
    assert not asyncio.run(reap(handle))


@pytest.mark.parametrize("mode", ["ok", "stubborn", "family", "daemon"])
async def test_a_killed_supervisor_is_noticed_and_cleaned_up_after(setup: Setup, mode: str) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job(mode), keep)
    await local.wait_ready(handle, START_S)
    await asyncio.to_thread(wait_for, lambda: of_server(handle) <= seen_below_supervisor(handle))
    os.kill(number(handle, "root_pid"), signal.SIGKILL)
    async with asyncio.timeout(START_S):
        while (failure := await local.failure(handle)) is None:
            await local.stats(handle)
    assert failure.kind is FailureClass.INFRASTRUCTURE
    assert "supervisor" in failure.diagnosis
    assert "signal 9" in failure.diagnosis
    await local.stop(handle, 5.0)
    assert of_server(handle) == set()
    ports.bind("127.0.0.1", number(handle, "port"))


def test_an_order_that_was_under_way_when_the_owner_died_gives_no_grace(tmp_path: Path) -> None:
    with owner(tmp_path, "stubborn") as (process, handle):
        supervisor = number(handle, "root_pid")
        os.kill(supervisor, signal.SIGSTOP)
        assert process.stdin
        process.stdin.write("stop\n")  # a grace of an hour
        process.stdin.flush()
        assert process.stdout
        assert process.stdout.readline() == "asked\n"
        process.kill()
        process.wait()
        os.kill(supervisor, signal.SIGCONT)  # it finds the order and the owner's death at once
        wait_for_none(handle)


async def test_a_supervisor_that_hangs_is_done_without(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_module, "KILLED_S", 0.2)
    local = LocalDeployment()
    handle = await local.start(setup.job("family"), keep)
    await local.wait_ready(handle, START_S)
    await asyncio.to_thread(wait_for, lambda: of_server(handle) <= seen_below_supervisor(handle))
    os.kill(number(handle, "root_pid"), signal.SIGSTOP)
    await local.stop(handle, 0.1)
    assert of_server(handle) == set()
    wait_for_end(number(handle, "root_pid"))


async def test_a_supervisor_that_is_asked_to_end_takes_its_server_along(setup: Setup) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job("ok"), keep)
    await local.wait_ready(handle, START_S)
    os.kill(number(handle, "root_pid"), signal.SIGTERM)
    await asyncio.to_thread(wait_for_end, number(handle, "root_pid"))
    assert of_server(handle) == set()
    failure = await local.failure(handle)
    assert failure is not None
    assert "SIGTERM" in failure.diagnosis
    await local.stop(handle, 5.0)


@pytest.mark.parametrize("mode", MODES)
async def test_stop_ends_all_that_the_server_has_started(setup: Setup, mode: str) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job(mode), keep)
    await local.wait_ready(handle, START_S)
    assert await local.failure(handle) is None, "it lives, also when its first process has ended"
    stats = await local.stats(handle)
    assert (stats.rss_bytes or 0) > 1_000_000
    await local.stop(handle, 0.2)
    assert of_server(handle) == set()
    wait_for_end(number(handle, "root_pid"))


async def test_a_server_runs_only_after_its_handle_is_stored(setup: Setup) -> None:
    local = LocalDeployment()
    seen: list[bytes] = []

    async def look(handle: Handle) -> None:
        seen.append(cmdline(number(handle, "pid")))

    handle = await local.start(setup.job("ok"), look)
    assert seen[0], "the process exists"
    assert FAKE_SERVER.encode() not in seen[0]
    await local.wait_ready(handle, START_S)
    assert of_server(handle) == {number(handle, "pid")}
    await local.stop(handle, 5.0)


async def test_the_port_block_stays_leased_while_anything_of_the_server_lives(setup: Setup) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job("stubborn"), keep)
    await local.wait_ready(handle, START_S)
    held = [f for f in processes.open_files(number(handle, "pid")) if f"ports-{handle.fields['port']}.lock" in f]
    assert held, "the server holds the lock itself"
    await local.stop(handle, 0.0)


async def test_a_port_that_is_not_free_afterwards_is_told(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job("ok"), keep)
    await local.wait_ready(handle, START_S)

    def taken(host: str, port: int) -> None:
        raise OSError(f"port {port} is taken")

    monkeypatch.setattr(ports, "bind", taken)
    with pytest.raises(DeploymentError) as error:
        await local.stop(handle, 5.0)
    assert error.value.failure.kind is FailureClass.INFRASTRUCTURE
    assert str(handle.fields["port"]) in error.value.failure.diagnosis
    assert of_server(handle) == set()
    await local.stop(handle, 5.0)


async def test_the_log_of_a_chatty_server_is_bounded(setup: Setup) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job("chatty"), keep)
    await local.wait_ready(handle, START_S)
    log = Path(str(handle.fields["log_path"]))
    async with asyncio.timeout(60):
        while b"are left out here" not in await asyncio.to_thread(log.read_bytes):
            await local.stats(handle)
    await local.stop(handle, 0.0)
    text = await asyncio.to_thread(log.read_bytes)
    assert len(text) <= MOST_BYTES
    assert text.startswith(b"starting chatty"), "the beginning is kept"
    assert text.endswith((b"x" * 100, b"x\n")), "and the end"


async def test_a_log_that_cannot_be_written_is_a_clear_refusal(setup: Setup) -> None:
    local = LocalDeployment()
    job = setup.job("ok")
    log = Path(job.artefact_dir) / "server.log"
    log.mkdir(parents=True)
    with pytest.raises(DeploymentError) as error:
        await local.start(job, keep)
    assert error.value.failure.kind is FailureClass.INFRASTRUCTURE
    assert "server.log" in error.value.failure.diagnosis


async def test_a_cancelled_start_leaves_nothing(setup: Setup) -> None:
    """Cancelled at every turn of the loop until it is through."""
    for turns in range(60):
        local = LocalDeployment()
        started = asyncio.create_task(local.start(setup.job("ok"), keep))
        for _ in range(turns):
            await asyncio.sleep(0)
        started.cancel()
        try:
            handle = await started
        except asyncio.CancelledError:
            continue
        await local.stop(handle, 0.0)
    me = processes.find(os.getpid())
    assert me is not None
    assert not [p for p in processes.descendants(me) if b"autotuner.deploy.local" in cmdline(p.pid)]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

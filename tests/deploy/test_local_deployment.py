"""The mode local passes the conformance suite; what only it promises is tested here too."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from autotuner.contracts.attempt import API_KEY, CoreSplit, FailureClass, Handle, file_argument
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.deploy.local import ports, processes
from autotuner.deploy.local.deployment import LocalDeployment, reap
from autotuner.deploy.local.environment import server_environment
from autotuner.deploy.local.processes import Process
from autotuner.deploy.registry import DEPLOYMENTS
from conformance.deployment_suite import CHECKS, START_S, Setup, keep


def leftovers(handle: Handle) -> int:
    """Counts processes that write to the server's output, whatever became of their parents."""
    found = 0
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                found += str((process / "fd/2").readlink()) == handle.fields["output"]
            except OSError:
                continue
    return found


def proc_text(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(LocalDeployment, tmp_path / "artefacts", leftovers)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Callable[[Setup], Awaitable[None]], setup: Setup) -> None:
    await check(setup)


async def test_files_of_the_command_are_there_and_the_one_with_the_key_goes(setup: Setup) -> None:
    job = setup.job("ok", file_argument("plain.yaml"), file_argument("key.yaml"))
    assert job.command is not None
    files = {"plain.yaml": '{"a": 1}\n', "key.yaml": json.dumps({"api-key": API_KEY})}
    job = job.model_copy(update={"command": job.command.model_copy(update={"files": files})})
    local = LocalDeployment()
    handle = await local.start(job, keep)
    endpoint = await local.wait_ready(handle, START_S)
    words = proc_text(int(str(handle.fields["pid"])), "cmdline").split("\0")
    plain, key = (Path(word) for word in words if word.endswith(".yaml"))
    assert plain.read_text() == files["plain.yaml"]
    assert json.loads(key.read_text()) == {"api-key": endpoint.api_key}
    assert key.stat().st_mode & 0o077 == 0
    await local.stop(handle, 5.0)
    assert plain.exists()
    assert not key.exists()


async def test_server_has_its_own_session_cores_and_environment(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREIGN_SECRET", "x")
    core = min(os.sched_getaffinity(0))
    job = setup.job("ok").model_copy(update={"cores": CoreSplit(server=(core,))})
    local = LocalDeployment()
    handle = await local.start(job, keep)
    await local.wait_ready(handle, START_S)
    pid = handle.fields["pid"]
    assert isinstance(pid, int)
    assert os.getsid(pid) == pid != os.getsid(0)
    assert os.sched_getaffinity(pid) == {core}
    environment = proc_text(pid, "environ")
    assert "FOREIGN_SECRET" not in environment
    assert "FAKE_API_KEY=" in environment
    assert proc_text(pid, "cmdline").split("\0")[0] == sys.executable
    await local.stop(handle, 5.0)


async def test_a_secret_that_is_not_there_is_named(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    job = setup.job("ok")
    assert job.command is not None
    for reference in ("env:NO_SUCH_SECRET", "file:/no/such/secret"):
        env = {**job.command.env, "OWN": reference}
        lacking = job.model_copy(update={"command": job.command.model_copy(update={"env": env})})
        with pytest.raises(DeploymentError) as caught:
            await LocalDeployment().start(lacking, keep)
        assert caught.value.failure.kind is FailureClass.BAD_ARGUMENT
        assert reference.partition(":")[2] in caught.value.failure.diagnosis


async def test_server_ignores_no_signal_of_ours(setup: Setup) -> None:
    local = LocalDeployment()
    before = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGHUP)}  # as in the background
    try:
        handle = await local.start(setup.job("", argv=("grep", "SigIgn", "/proc/self/status")), keep)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with pytest.raises(DeploymentError):
        await local.wait_ready(handle, START_S)
    ignored = int((await local.log_tail(handle)).split()[1], 16)
    assert not [
        s
        for s in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        if ignored >> s - 1 & 1
    ]
    await local.stop(handle, 5.0)


async def test_reap_ends_only_what_is_the_handles(setup: Setup) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job("stubborn"), keep)
    await local.wait_ready(handle, START_S)
    other = {"token": "x", "output": "pipe:[1]", "log_path": "/no/such/server.log"}
    for wrong in ({"pid_start_time": 1, **other}, {"boot_id": "another"}, {"pid": "x"}):
        assert not await reap(handle.model_copy(update={"fields": handle.fields | wrong}))
    assert setup.leftovers(handle) == 1
    assert await reap(handle)
    assert setup.leftovers(handle) == 0
    assert not await reap(handle)
    async with asyncio.timeout(START_S):
        while (failure := await local.failure(handle)) is None:
            await local.stats(handle)
    assert "SIGKILL" in failure.diagnosis
    await local.stop(handle, 1.0)


async def test_a_stranger_on_the_port_is_no_server(setup: Setup) -> None:
    """A child that is alive but does not listen, while somebody else answers on its port."""
    local = LocalDeployment()
    handle = await local.start(setup.job("ok"), keep)
    await local.wait_ready(handle, START_S)
    port, pid, start = (handle.fields[name] for name in ("port", "root_pid", "root_start_time"))
    assert isinstance(port, int)
    assert isinstance(pid, int)
    assert isinstance(start, int)
    me = processes.find(os.getpid())
    assert me
    sleeper = await asyncio.create_subprocess_exec("sleep", "3600", start_new_session=True)
    other = processes.find(sleeper.pid)
    assert other
    assert processes.listens(Process(pid, start), port) is True
    assert processes.listens(other, port) is False
    sleeper.kill()
    await sleeper.wait()
    await local.stop(handle, 5.0)


def test_port_blocks_are_leased_once_and_outside_the_ephemeral_range() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    held = [ports.lease("127.0.0.1") for _ in range(20)]
    firsts = sorted(block.first for block in held)
    assert all(later - earlier >= ports.BLOCK for earlier, later in itertools.pairwise(firsts))
    assert low < 20000 or max(firsts) + ports.BLOCK <= low
    for block in held:
        block.release()
        block.release()


def test_a_block_of_which_one_port_is_taken_is_not_leased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.lease("127.0.0.1")
    monkeypatch.setattr(ports, "_range", lambda: (free.first, free.first + ports.BLOCK))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", free.first + 3))
        taken.listen()
        with pytest.raises(OSError, match="are free"):
            ports.lease("127.0.0.1", tmp_path)
    leased = ports.lease("127.0.0.1", tmp_path)
    assert leased.first == free.first
    with pytest.raises(OSError, match="are free"):
        ports.lease("127.0.0.1", tmp_path)
    leased.release()
    free.release()


def test_environment_is_an_allow_list() -> None:
    inherited = {"PATH": "/bin", "https_proxy": "p", "HF_HOME": "h", "AWS_SECRET": "s", "OMP_NUM_THREADS": "1"}
    seen = server_environment(inherited, {"OMP_NUM_THREADS": "4", "OWN": "o"})
    assert seen == {"PATH": "/bin", "https_proxy": "p", "HF_HOME": "h", "OMP_NUM_THREADS": "4", "OWN": "o"}


def test_registry() -> None:
    assert DEPLOYMENTS.names()[0] == "local"
    assert [DEPLOYMENTS.load(name)().name for name in ("local", "endpoint")] == ["local", "endpoint"]
    with pytest.raises(AutotunerError) as error:
        DEPLOYMENTS.load("locale")
    assert error.value.code is ErrorCode.UNKNOWN_NAME
    assert "local" in error.value.remedy

"""The mode local passes the conformance suite; what only it promises is tested here too."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from autotuner.contracts.attempt import CoreSplit, Handle
from autotuner.contracts.deployment import DeploymentError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.deploy.local import ports, processes
from autotuner.deploy.local.deployment import LocalDeployment, reap
from autotuner.deploy.local.environment import server_environment
from autotuner.deploy.local.processes import Process
from autotuner.deploy.registry import DEPLOYMENTS
from conformance.deployment_suite import CHECKS, START_S, Setup, keep

OWNER = """
import asyncio, json, sys
from pathlib import Path
from autotuner.deploy.local.deployment import LocalDeployment
from conformance.deployment_suite import Setup, START_S, keep

async def main():
    setup = Setup(LocalDeployment, Path(sys.argv[1]), lambda handle: 0)
    deployment = setup.make()
    handle = await deployment.start(setup.job(sys.argv[2]), keep)
    await deployment.wait_ready(handle, START_S)
    print(handle.model_dump_json(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def leftovers(handle: Handle) -> int:
    """Counts processes that have the server's log open, whatever became of their parents."""
    log, found = str(handle.fields["log_path"]), 0
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                found += str((process / "fd/2").readlink()) == log
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


@pytest.mark.parametrize("mode", ["ok", "stubborn"])
def test_killed_owner_takes_its_server_along(mode: str, tmp_path: Path) -> None:
    here = Path(__file__).resolve()
    path = os.pathsep.join(str(here.parents[number] / part) for number, part in ((2, "src"), (1, "")))
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), mode],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        assert owner.stdout
        handle = Handle.model_validate(json.loads(owner.stdout.readline()))
        pid = handle.fields["pid"]
        assert isinstance(pid, int)
        server = os.pidfd_open(pid)
    finally:
        owner.kill()
        owner.wait()
    readable, _, _ = select.select([server], [], [], START_S)
    os.close(server)
    assert readable, "the server outlived its owner"
    assert leftovers(handle) == 0


async def test_reap_ends_only_the_process_of_the_handle(setup: Setup) -> None:
    local = LocalDeployment()
    handle = await local.start(setup.job("stubborn"), keep)
    await local.wait_ready(handle, START_S)
    for wrong in ({"pid_start_time": 1}, {"boot_id": "another"}, {"pid": "x"}):
        assert not await reap(handle.model_copy(update={"fields": handle.fields | wrong}))
    assert setup.leftovers(handle) == 1
    assert await reap(handle)
    assert setup.leftovers(handle) == 0
    assert not await reap(handle)
    failure = await local.failure(handle)
    assert failure
    assert "SIGKILL" in failure.diagnosis
    await local.stop(handle, 1.0)


async def test_a_stranger_on_the_port_is_no_server(setup: Setup) -> None:
    """A child that is alive but does not listen, while somebody else answers on its port."""
    local = LocalDeployment()
    handle = await local.start(setup.job("ok"), keep)
    await local.wait_ready(handle, START_S)
    port, pid, start = (handle.fields[name] for name in ("port", "pid", "pid_start_time"))
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


def test_ports_are_reserved_once_and_below_the_ephemeral_range() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    held = [ports.reserve("127.0.0.1") for _ in range(20)]
    numbers = [port.number for port in held]
    assert len(set(numbers)) == len(numbers)
    assert low < 20000 or max(numbers) < low
    for port in held:
        port.release()
        port.release()


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

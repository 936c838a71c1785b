"""A server as a process of this host: own session, own port and key, its log in a file, gone when its owner is gone."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autotuner.contracts.attempt import API_KEY, HOST, PORT, AttemptJob, Failure, FailureClass, Handle
from autotuner.contracts.deployment import DeploymentError, DeploymentStats, Endpoint, OnHandle
from autotuner.deploy.local import processes
from autotuner.deploy.local.diagnosis import Exit, diagnose
from autotuner.deploy.local.environment import server_environment
from autotuner.deploy.local.ports import Port, reserve
from autotuner.deploy.local.processes import Process
from autotuner.deploy.local.spawn import Child, collect, exit_status, spawn
from autotuner.deploy.local.termination import end_tree
from autotuner.deploy.probe import Progress, RefusedError, until_ready, with_version, wrong_model

ADDRESS = "127.0.0.1"
LOG_NAME = "server.log"
DIAGNOSED_BYTES = 256 * 1024
FAILURE_TAIL_BYTES = 4096


@dataclass
class _Server:
    """A server that this process started. Its zombie is kept until ``_end``, so that its pid stays its own."""

    child: Child
    job: AttemptJob
    endpoint: Endpoint
    log: Path
    port: Port
    kills_before: int | None
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Task[None] | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def process(self) -> Process:
        return self.child.process


class LocalDeployment:
    """Starts servers as child processes.

    Use it from one thread that lives as long as its servers: the kernel kills them when the thread that started them
    ends. That is what makes a ``kill -9`` of the tuner take its servers along; only processes that a server has started
    itself can outlive it then (``reap`` finds the ones that do).
    """

    name = "local"

    def __init__(self) -> None:
        self._servers: dict[Process, _Server] = {}

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """See the protocol. BAD_ARGUMENT when there is no such program, INFRASTRUCTURE when the host can't start it."""
        if job.command is None:
            raise _error(
                FailureClass.BAD_ARGUMENT, "the job has no command to start", "use the deployment mode endpoint"
            )
        try:
            server = self._spawn(job, job.command.argv, job.command.env)
        except OSError as error:
            raise _error(
                FailureClass.INFRASTRUCTURE,
                f"the server could not be started: {error}",
                "check the free space, the free ports and the limits of this host",
            ) from error
        handle = Handle(
            deployment=self.name,
            fields={
                "pid": server.process.pid,
                "pid_start_time": server.process.start_time,
                "boot_id": processes.boot_id(),
                "port": server.port.number,
                "base_url": server.endpoint.base_url,
                "log_path": str(server.log),
            },
        )
        try:
            await on_handle(handle)
        except BaseException:
            await self.stop(handle, 0.0)
            raise
        return handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        """See the protocol; START_TIMEOUT says how far the server came."""
        server = self._server(handle)
        if server is None:
            raise _error(
                FailureClass.INFRASTRUCTURE, "this server was not started by this process", "start the attempt again"
            )
        progress = Progress()
        answering = asyncio.create_task(until_ready(server.endpoint, server.job.server, timeout_s, progress))
        dying = asyncio.create_task(server.exited.wait())
        try:
            done, _ = await asyncio.wait((answering, dying), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, dying):
                task.cancel()
            await asyncio.gather(answering, dying, return_exceptions=True)
        if server.exited.is_set():
            failure = await self.failure(handle)
            raise DeploymentError(failure or _gone())
        tail = await self.log_tail(handle, FAILURE_TAIL_BYTES)
        if answering not in done:
            raise _error(
                FailureClass.START_TIMEOUT,
                f"the server was not ready after {timeout_s:g} s: {progress.state}",
                "raise optimization.phase_budgets.start, or look into the server's log",
                tail,
            )
        try:
            answering.result()
        except RefusedError as error:
            raise _error(
                FailureClass.UNREACHABLE,
                f"the server runs, but refuses a completion with HTTP {error.status}: {error.text}",
                "look into the server's log",
                tail,
            ) from error
        if await asyncio.to_thread(processes.listens, server.process, server.port.number) is False:
            raise _error(
                FailureClass.PORT,
                f"another process answers on port {server.port.number} in the server's place",
                "nothing to do: the attempt is repeated on another port",
                tail,
            )
        wrong = await wrong_model(server.endpoint, server.job.server)
        if wrong is not None:
            raise DeploymentError(wrong.model_copy(update={"log_tail": tail}))
        return await with_version(server.endpoint, server.job.server)

    async def failure(self, handle: Handle) -> Failure | None:
        """See the protocol. A server that this process did not start is only known to be gone."""
        server = self._server(handle)
        if server is None:
            process = _process(handle)
            if process is not None and _same_boot(handle) and processes.alive(process):
                return None
            return _gone(await self.log_tail(handle, FAILURE_TAIL_BYTES))
        ended = _exit(server)
        if ended is None:
            return None
        log = await self.log_tail(handle, DIAGNOSED_BYTES)
        tail = await self.log_tail(handle, FAILURE_TAIL_BYTES)
        return diagnose(ended, server.job.server.log_patterns, log, tail)

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        """Whole lines from the end of the log; the server's key is blotted out."""
        text = await asyncio.to_thread(_tail, Path(str(handle.fields.get("log_path"))), max_bytes)
        server = self._server(handle)
        key = server.endpoint.api_key if server else None
        return text.replace(key, "***") if key else text

    async def stats(self, handle: Handle) -> DeploymentStats:
        """From /proc, over the whole tree."""
        process = _process(handle)
        used = await asyncio.to_thread(processes.usage, process) if process and _same_boot(handle) else None
        return DeploymentStats(*used) if used else DeploymentStats()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See the protocol. Cancelling it ends the grace: the server is killed before the cancellation goes on."""
        server = self._server(handle)
        if server is None:
            return
        if server.ending is None:
            server.ending = asyncio.create_task(self._end(server, grace_s))
        cancelled: asyncio.CancelledError | None = None
        while not server.ending.done():
            try:
                await asyncio.shield(server.ending)
            except asyncio.CancelledError as error:
                cancelled = error
                server.hurry.set()
        if cancelled is not None:
            raise cancelled
        server.ending.result()

    def _spawn(self, job: AttemptJob, argv: tuple[str, ...], env: Mapping[str, str]) -> _Server:
        port = reserve(ADDRESS)
        try:
            key = secrets.token_urlsafe(24)
            known = {HOST: ADDRESS, PORT: str(port.number), API_KEY: key}
            command = [known.get(word, word) for word in argv]
            environment = server_environment(os.environ, {name: known.get(text, text) for name, text in env.items()})
            program = command[0] if command else ""
            if shutil.which(program, path=environment.get("PATH", os.defpath)) is None:
                raise _error(
                    FailureClass.BAD_ARGUMENT,
                    f"the server's program {program!r} cannot be started: there is no such program",
                    "correct the command of the runtime",
                )
            log = Path(job.artefact_dir) / LOG_NAME
            kills_before = processes.out_of_memory_kills()
            child = spawn(command, environment, log, job.cores.server)
        except BaseException:
            port.release()
            raise
        endpoint = Endpoint(f"http://{ADDRESS}:{port.number}", job.served_name, key)
        server = _Server(child, job, endpoint, log, port, kills_before)
        self._servers[child.process] = server
        asyncio.get_running_loop().add_reader(child.descriptor, self._note_exit, server)
        return server

    def _note_exit(self, server: _Server) -> None:
        server.exited.set()
        asyncio.get_running_loop().remove_reader(server.child.descriptor)

    async def _end(self, server: _Server, grace_s: float) -> None:
        try:
            await end_tree(server.process, grace_s, server.hurry)
        finally:
            asyncio.get_running_loop().remove_reader(server.child.descriptor)
            collect(server.child)
            server.port.release()
            del self._servers[server.process]

    def _server(self, handle: Handle) -> _Server | None:
        process = _process(handle)
        return self._servers.get(process) if process else None


async def reap(handle: Handle, grace_s: float = 0.0) -> bool:
    """End the server of a handle that a dead tuner left behind; True if there was one.

    Nothing is done unless boot, pid and start time are those of the handle.
    """
    process = _process(handle)
    if process is None or not _same_boot(handle) or not processes.alive(process):
        return False
    await end_tree(process, grace_s, asyncio.Event())
    return True


def _process(handle: Handle) -> Process | None:
    pid, start_time = handle.fields.get("pid"), handle.fields.get("pid_start_time")
    return Process(pid, start_time) if isinstance(pid, int) and isinstance(start_time, int) else None


def _same_boot(handle: Handle) -> bool:
    return handle.fields.get("boot_id") == processes.boot_id()


def _exit(server: _Server) -> Exit | None:
    """How the server ended; None while it runs."""
    status = exit_status(server.process)
    if status is None:
        return None
    kills = processes.out_of_memory_kills()
    short = server.kills_before is not None and kills is not None and kills > server.kills_before
    return Exit(code=status[0], number=status[1], memory_was_short=short)


def _tail(path: Path, max_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - max_bytes))
            data = file.read(max_bytes)
    except OSError:
        return ""
    if size > max_bytes and b"\n" in data[:-1]:
        data = data[data.index(b"\n") + 1 :]
    return data.decode(errors="replace")


def _gone(tail: str = "") -> Failure:
    return Failure(
        kind=FailureClass.CRASH,
        diagnosis="the server is gone; how it ended is not known",
        hint="look into the server's log",
        log_tail=tail,
    )


def _error(kind: FailureClass, diagnosis: str, hint: str, tail: str = "") -> DeploymentError:
    return DeploymentError(Failure(kind=kind, diagnosis=diagnosis, hint=hint, log_tail=tail))

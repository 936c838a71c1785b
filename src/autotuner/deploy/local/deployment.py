"""A server as a process of this host: behind a supervisor, with a port and a key of its own, its log in a file."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autotuner.contracts.attempt import (
    API_KEY,
    HOST,
    PORT,
    AttemptJob,
    Command,
    Failure,
    FailureClass,
    Handle,
    file_argument,
)
from autotuner.contracts.deployment import DeploymentError, DeploymentStats, Endpoint, OnHandle
from autotuner.deploy.local import ports, processes
from autotuner.deploy.local.diagnosis import Exit, diagnose
from autotuner.deploy.local.environment import server_environment
from autotuner.deploy.local.ports import PortBlock
from autotuner.deploy.local.processes import Process
from autotuner.deploy.local.remains import Marks, end_remains, read_roster
from autotuner.deploy.local.supervised import Held, Supervised
from autotuner.deploy.local.supervisor import Order
from autotuner.deploy.probe import Progress, until_ready, with_version, wrong_model
from autotuner.deploy.probe import RefusedError as CompletionRefusedError
from autotuner.deploy.secret_references import MissingSecretError, secrets_by_name, with_values

ADDRESS = "127.0.0.1"
LOG_NAME = "server.log"
ROSTER_NAME = "server.processes"
DIAGNOSED_BYTES = 256 * 1024
FAILURE_TAIL_BYTES = 4096
KILLED_S = 10.0
"""After its grace a server is killed; what does not end within this does not end."""


@dataclass
class _Server:
    """A server that this process started."""

    supervised: Supervised
    held: Held
    job: AttemptJob
    endpoint: Endpoint
    marks: Marks
    ports: PortBlock
    kills_before: int | None
    ending: asyncio.Task[None] | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)


class LocalDeployment:
    """Starts servers behind supervisors (``supervisor``), which end them when this process is gone, however it ended.

    ``root_pid`` and ``root_start_time`` of a handle are the supervisor, ``pid`` and ``pid_start_time`` the server.
    """

    name = "local"

    def __init__(self) -> None:
        self._servers: dict[Process, _Server] = {}

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """See the protocol. BAD_ARGUMENT when there is no such program, INFRASTRUCTURE when the host can't start it.

        The server exists when its handle is stored, and executes its command only afterwards.
        """
        if job.command is None:
            raise _error(
                FailureClass.BAD_ARGUMENT, "the job has no command to start", "use the deployment mode endpoint"
            )
        try:
            server = await self._hold(job, job.command)
        except OSError as error:
            raise _error(
                FailureClass.INFRASTRUCTURE,
                f"the server could not be started: {error}",
                "check the free space, the free ports and the limits of this host",
            ) from error
        handle = _handle(server)
        try:
            await on_handle(handle)
        except BaseException:
            await self.stop(handle, 0.0)
            raise
        server.supervised.go()
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
        dying = asyncio.create_task(server.supervised.exited.wait())
        try:
            done, _ = await asyncio.wait((answering, dying), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, dying):
                task.cancel()
            await asyncio.gather(answering, dying, return_exceptions=True)
        if server.supervised.exited.is_set():
            failure = await self.failure(handle)
            raise DeploymentError(failure or _gone())
        tail = await self.log_tail(handle, FAILURE_TAIL_BYTES)
        if answering not in done:
            raise _error(
                FailureClass.START_TIMEOUT,
                f"the server was not ready after {timeout_s:.3g} s: {progress.state}",
                "raise optimization.phase_budgets.start, or look into the server's log",
                tail,
            )
        try:
            answering.result()
        except CompletionRefusedError as error:
            raise _error(
                FailureClass.UNREACHABLE,
                f"the server runs, but refuses a completion with HTTP {error.status}: {error.text}",
                "look into the server's log",
                tail,
            ) from error
        if await asyncio.to_thread(processes.listens, server.supervised.process, server.ports.first) is False:
            raise _error(
                FailureClass.PORT,
                f"another process answers on port {server.ports.first} in the server's place",
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
            process = _process(handle, "pid", "pid_start_time")
            if process is not None and _same_boot(handle) and processes.alive(process):
                return None
            return _gone(await self.log_tail(handle, FAILURE_TAIL_BYTES))
        supervised = server.supervised
        if not supervised.exited.is_set():
            return None
        tail = await self.log_tail(handle, FAILURE_TAIL_BYTES)
        if supervised.exit is None:
            return _unsupervised(await supervised.last_words(), tail)
        code, number = supervised.exit
        log = await self.log_tail(handle, DIAGNOSED_BYTES)
        ended = Exit(code=code, number=number, memory_was_short=_memory_was_short(server))
        return diagnose(ended, server.job.server.log_patterns, log, tail)

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        """Whole lines from the end of the log, in which the supervisor has blotted out the server's key."""
        return await asyncio.to_thread(_tail, Path(str(handle.fields.get("log_path"))), max_bytes)

    async def stats(self, handle: Handle) -> DeploymentStats:
        """From /proc, over everything that the server has started."""
        root = _process(handle, "root_pid", "root_start_time")
        used = await asyncio.to_thread(processes.usage, root) if root and _same_boot(handle) else None
        return DeploymentStats(*used) if used else DeploymentStats()

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """See the protocol. Cancelling it ends the grace: the server is killed before the cancellation goes on.

        DeploymentError(INFRASTRUCTURE) when a process of it does not end, or its port is still taken afterwards.
        """
        server = self._server(handle)
        if server is None:
            return
        if server.ending is None:
            server.ending = asyncio.create_task(self._end(server, grace_s))
        cancelled: asyncio.CancelledError | None = None
        while not server.ending.done():
            try:
                await asyncio.wait({server.ending})
            except asyncio.CancelledError as error:
                cancelled = error
                server.hurry.set()
        if cancelled is not None:
            server.ending.exception()  # seen
            raise cancelled
        server.ending.result()

    async def clean(self, handle: Handle) -> bool:
        """See the protocol. DeploymentError(INFRASTRUCTURE) for what does not end."""
        try:
            return await reap(handle)
        except OSError as error:
            raise _error(
                FailureClass.INFRASTRUCTURE,
                f"what an earlier run has left cannot be ended: {error}",
                "look at the processes of this host before anything else is started on it",
            ) from error

    async def _hold(self, job: AttemptJob, asked: Command) -> _Server:
        """Make the server, which then waits. DeploymentError, OSError."""
        block = await asyncio.to_thread(ports.lease, ADDRESS)
        try:
            key, token = secrets.token_urlsafe(24), secrets.token_hex(16)
            folder = Path(job.artefact_dir)
            known = {HOST: ADDRESS, PORT: str(block.first), API_KEY: key}
            known |= {file_argument(name): str(folder / name) for name in asked.files}
            command = [known.get(word, word) for word in asked.argv]
            given = {name: known.get(text, text) for name, text in asked.env.items()}
            given, secret_values = await asyncio.to_thread(with_values, given, os.environ)
            environment = server_environment(os.environ, given)
            program = command[0] if command else ""
            if shutil.which(program, path=environment.get("PATH", os.defpath)) is None:
                raise _error(
                    FailureClass.BAD_ARGUMENT,
                    f"the server's program {program!r} cannot be started: there is no such program",
                    "correct the command of the runtime",
                )
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(_write_files, folder, asked.files, key)
            order = Order(
                argv=command,
                env=environment,
                cores=list(job.cores.server) if job.cores.server else None,
                log=str(folder / LOG_NAME),
                roster=str(folder / ROSTER_NAME),
                token=token,
                keys=[key, *secret_values, *secrets_by_name(environment)],
            )
            kills_before = processes.out_of_memory_kills()
            supervised, held = await Supervised.start(order, (block.descriptor,))
        except MissingSecretError as error:
            block.release()
            raise _error(
                FailureClass.BAD_ARGUMENT,
                f"a secret of runtime.env is not there: {error}",
                "set it before the start",
            ) from error
        except BaseException:
            block.release()
            raise
        server = _Server(
            supervised=supervised,
            held=held,
            job=job,
            endpoint=Endpoint(f"http://{ADDRESS}:{block.first}", job.served_name, key),
            marks=Marks(frozenset({held.process}), token, held.output),
            ports=block,
            kills_before=kills_before,
        )
        self._servers[held.process] = server
        return server

    async def _end(self, server: _Server, grace_s: float) -> None:
        supervised = server.supervised
        try:
            supervised.stop(grace_s)
            await _either(supervised.over, server.hurry, grace_s)
            supervised.stop(0.0)
            await _either(supervised.over, None, KILLED_S)
            if not supervised.gone:
                # The supervisor was killed, or it hangs, or something cannot be killed.
                supervised.kill()
                await end_remains(_all_marks(server.marks, Path(server.job.artefact_dir) / ROSTER_NAME))
            await asyncio.to_thread(ports.bind, ADDRESS, server.ports.first)
        except OSError as error:
            raise _error(
                FailureClass.INFRASTRUCTURE,
                f"the server was ended, but not all that it used is free again: {error}",
                "look at the processes of this host before anything else is started on it",
            ) from error
        finally:
            await asyncio.to_thread(_remove_secrets, server.job)
            server.ports.release()
            del self._servers[server.held.process]
            await supervised.close()

    def _server(self, handle: Handle) -> _Server | None:
        process = _process(handle, "pid", "pid_start_time")
        return self._servers.get(process) if process else None


async def reap(handle: Handle, grace_s: float = 0.0) -> bool:
    """End what is left of the server of a handle whose owner is dead; True if there was anything.

    Nothing is done for a handle of another boot of this host. OSError for what does not end.
    """
    server = _process(handle, "pid", "pid_start_time")
    if server is None or not _same_boot(handle):
        return False
    token, output = handle.fields.get("token"), handle.fields.get("output")
    marks = Marks(frozenset({server}), str(token) if token else None, str(output) if output else None)
    return await end_remains(
        _all_marks(marks, Path(str(handle.fields.get("log_path"))).with_name(ROSTER_NAME)), grace_s
    )


def _write_files(folder: Path, files: Mapping[str, str], key: str) -> None:
    """Files of the command, for this user alone: one may hold the server's key."""
    for name, text in files.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text.replace(json.dumps(API_KEY), json.dumps(key)))


def _remove_secrets(job: AttemptJob) -> None:
    """A file with the server's key is of no use to anybody when the server is gone."""
    for name, text in job.command.files.items() if job.command is not None else ():
        if json.dumps(API_KEY) in text:
            (Path(job.artefact_dir) / name).unlink(missing_ok=True)


def _handle(server: _Server) -> Handle:
    root, process = server.supervised.process, server.held.process
    return Handle(
        deployment=LocalDeployment.name,
        fields={
            "root_pid": root.pid,
            "root_start_time": root.start_time,
            "pid": process.pid,
            "pid_start_time": process.start_time,
            "boot_id": processes.boot_id(),
            "token": server.marks.token,
            "output": server.marks.output,
            "port": server.ports.first,
            "base_url": server.endpoint.base_url,
            "log_path": str(Path(server.job.artefact_dir) / LOG_NAME),
        },
    )


def _all_marks(marks: Marks, roster: Path) -> Marks:
    """With what the supervisor has seen, if its roster is the one of this server (a later start writes it anew)."""
    written = read_roster(roster)
    if written.token is None or written.token != marks.token:
        return marks
    return Marks(marks.seen | written.seen, marks.token, marks.output)


async def _either(over: asyncio.Event, hurry: asyncio.Event | None, limit_s: float) -> None:
    """Wait for one of the two, or for the time to pass."""
    waiting = [asyncio.create_task(event.wait()) for event in (over, hurry) if event is not None]
    try:
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _process(handle: Handle, pid_field: str, start_field: str) -> Process | None:
    pid, start_time = handle.fields.get(pid_field), handle.fields.get(start_field)
    return Process(pid, start_time) if isinstance(pid, int) and isinstance(start_time, int) else None


def _same_boot(handle: Handle) -> bool:
    return handle.fields.get("boot_id") == processes.boot_id()


def _memory_was_short(server: _Server) -> bool:
    kills = processes.out_of_memory_kills()
    return server.kills_before is not None and kills is not None and kills > server.kills_before


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


def _unsupervised(words: str, tail: str) -> Failure:
    return Failure(
        kind=FailureClass.INFRASTRUCTURE,
        diagnosis=f"the supervisor of the server ended, and the server with it ({words})",
        hint="look for what kills processes on this host, such as a lack of memory",
        log_tail=tail,
    )


def _error(kind: FailureClass, diagnosis: str, hint: str, tail: str = "") -> DeploymentError:
    return DeploymentError(Failure(kind=kind, diagnosis=diagnosis, hint=hint, log_tail=tail))

"""The owner's end of a supervisor: starts it, tells it what to do, and knows how its server fares."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import autotuner
from autotuner.deploy.local import processes
from autotuner.deploy.local.processes import Process
from autotuner.deploy.local.supervisor import Order

_SOURCE = str(Path(autotuner.__file__).parents[1])
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from autotuner.deploy.local.supervisor import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]))"
)
ANSWER_S = 30.0
"""For starting an interpreter on a very busy host."""


class RefusedError(OSError):
    """The host did not let the supervisor or its server be made."""


@dataclass(frozen=True)
class Held:
    """A server that exists and waits for ``go``. ``output``: the pipe that it writes to, as /proc shows it."""

    process: Process
    output: str


class Supervised:
    """One supervisor and what it told. Made by ``start``; ``close`` lets it go.

    Public fields: ``process`` (the supervisor), ``exit`` (exit code, or signal, of the server; None while it runs or
    when that was never told), ``exited`` (set when the server ended or its supervisor is lost), ``over`` (set when
    nothing is left or the supervisor is lost), ``gone`` (nothing is left), ``stuck`` (pids that do not end).
    """

    def __init__(self, program: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._program = program
        self._control = control
        self._received = b""
        self._held: asyncio.Future[Held] = asyncio.get_running_loop().create_future()
        self.process = processes.find(program.pid) or Process(program.pid, 0)
        self.exit: tuple[int | None, int | None] | None = None
        self.exited = asyncio.Event()
        self.over = asyncio.Event()
        self.gone = False
        self._said = ""
        self.stuck: tuple[int, ...] = ()

    @classmethod
    async def start(cls, order: Order, keep: Sequence[int]) -> tuple[Supervised, Held]:
        """Start a supervisor and let it make its server, which then waits. RefusedError; cancelled, nothing is left.

        ``keep``: descriptors that supervisor and server hold.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                program = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", "-c", _BOOT, _SOURCE, str(theirs.fileno()), str(os.getpid())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(theirs.fileno(), *keep),
                    start_new_session=True,
                    env={},
                )
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise RefusedError(str(error)) from error
            raise
        supervised = cls(program, ours)
        try:
            async with asyncio.timeout(ANSWER_S):
                return supervised, await supervised._make(order)
        except BaseException as error:
            await supervised.close()
            if isinstance(error, TimeoutError):
                raise RefusedError(f"its supervisor did not answer within {ANSWER_S:g} s") from error
            raise

    @property
    def lost(self) -> bool:
        """Whether the supervisor ended before its work was done."""
        return self.over.is_set() and not self.gone

    def go(self) -> None:
        """Let the server execute its command."""
        self._send({"do": "go"})

    def stop(self, grace_s: float) -> None:
        """Ask all to end, and kill what is left after the grace. May be called again with a shorter one."""
        self._send({"do": "stop", "grace_s": grace_s})

    def kill(self) -> None:
        """End a supervisor that does not react. What it owned must be looked for then."""
        if self._program.returncode is None:
            self._program.kill()

    async def close(self) -> None:
        """Let the supervisor go and wait for its end. If it still has a server it ends it, as its owner is gone."""
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        if self._held.done() and not self._held.cancelled():
            self._held.exception()  # seen
        await self._program.communicate()

    async def last_words(self) -> str:
        """How a supervisor that is lost has ended."""
        _, said = await self._program.communicate()
        self._said = said.decode(errors="replace").strip().rpartition("\n")[2] or self._said
        status = self._program.returncode or 0
        return self._said or (f"signal {-status}" if status < 0 else f"exit code {status}")

    async def _make(self, order: Order) -> Held:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control, self._receive)
        await loop.sock_sendall(self._control, json.dumps(order).encode() + b"\n")
        return await asyncio.shield(self._held)

    def _send(self, message: dict[str, object]) -> None:
        if self.over.is_set():
            return
        try:
            self._control.send(json.dumps(message).encode() + b"\n")  # short: fits into the socket's buffer
        except OSError:
            self._lose()

    def _receive(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def _note(self, message: dict[str, Any]) -> None:
        match message["is"]:
            case "held":
                self._held.set_result(Held(Process(message["pid"], message["start_time"]), message["output"]))
            case "refused":
                self._held.set_exception(RefusedError(message["why"]))
            case "exited":
                self.exit = (message["code"], message["signal"])
                self.exited.set()
            case "stuck":
                self.stuck = tuple(message["pids"])
            case "gone":
                self.gone = True
                self.exited.set()
                self.over.set()

    def _lose(self) -> None:
        asyncio.get_running_loop().remove_reader(self._control)
        self.exited.set()
        self.over.set()
        if not self._held.done():
            self._held.set_exception(RefusedError("its supervisor ended at once"))

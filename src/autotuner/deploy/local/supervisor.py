"""Owns one server: starts it, keeps its log, and ends all that came of it when told to, or when its owner is gone.

A process of its own for each server, and its subreaper: whatever the server starts stays below it, also what moves to
a session of its own or loses its parent. It watches its owner by the socket between them and by a pidfd, so a killed
owner leaves nothing, and nobody has to start anything again for that.

``main`` is given the numbers of the socket's descriptor and the owner's pid. Messages are JSON, one per line.

| from the owner | |
|---|---|
| an ``Order`` as first line | fork the server; it waits before it executes its command |
| ``{"do": "go"}`` | let it: its handle is stored |
| ``{"do": "stop", "grace_s": …}`` | SIGTERM to all, SIGKILL to what is left after the grace; again: a shorter one |

| to the owner | |
|---|---|
| ``{"is": "held", "pid", "start_time", "output"}`` | the server exists; ``output`` is the pipe that it writes to |
| ``{"is": "refused", "why"}`` | the host did not let the server be made |
| ``{"is": "exited", "code", "signal"}`` | the server ended (one that left daemons behind: when these have) |
| ``{"is": "stuck", "pids"}`` | these do not end, though they were killed |
| ``{"is": "gone"}`` | nothing is left; the supervisor ends |

Standard library only, started without ``site``: an interpreter of some 20 ms.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TypedDict

from autotuner.deploy.local.processes import Process, Stat, below, find, send, table
from autotuner.deploy.local.server_log import ServerLog

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
NOT_STARTED = 127
MARK = "autotuner: cannot start"
SERVER_VARIABLE = "AUTOTUNER_SERVER"
"""Variable of the server that holds its token; its descendants inherit it."""

PIPE_BYTES = 1 << 20
LOG_PAUSE_S = 0.05
"""A server that writes much is read so often: each reading takes time from a core."""
KILL_PAUSE_S = 0.005
ASK_PAUSE_S = 0.05
WATCH_LEAST_S, WATCH_MOST_S = 0.05, 1.0
WATCH_SHARE = 0.01
"""Share of a core that looking for new descendants may take."""
STUCK_S = 5.0
OWN_GRACE_S = 5.0
"""Grace when the supervisor itself gets a SIGTERM, as at the shutdown of the host."""
INHERITED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Ignored by Python, or by the tuner or the shell that put it into the background; a server must not inherit that."""


class Order(TypedDict):
    """What is to be started. ``roster``: file for what tells the server's processes; ``keys``: kept out of the log."""

    argv: list[str]
    env: dict[str, str]
    cores: list[int] | None
    log: str
    roster: str
    token: str
    keys: list[str]


def main(control: int, owner: int) -> None:
    """Serve one order to its end."""
    os.set_inheritable(control, False)
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    system.prctl(PR_SET_NAME, b"autotuner-super", 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    supervisor = _Supervisor(socket.socket(fileno=control), owner)
    try:
        supervisor.run()
    finally:
        supervisor.kill_rest()


class _Supervisor:
    def __init__(self, control: socket.socket, owner: int) -> None:
        self._control = control
        self._received = b""
        self._poll = select.poll()
        self._server: int | None = None
        self._hold: socket.socket | None = None
        self._output = -1
        self._log: ServerLog | None = None
        self._roster = -1
        self._known: set[Process] = set()
        self._exit: tuple[int | None, int | None] | None = None
        self._told_exit = False
        self._stopping_at: float | None = None
        self._killing_since: float | None = None
        self._told_stuck = False
        self._asked: set[Process] = set()
        self._owner_gone = False
        self._read_at = 0.0
        self._watch_s = WATCH_LEAST_S
        self._look_at = 0.0
        self._left = False
        woken, self._waker = socket.socketpair()
        for end in (woken, self._waker):
            end.setblocking(False)
        self._woken = woken
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop(OWN_GRACE_S))
        self._poll.register(control, select.POLLIN)
        self._poll.register(woken, select.POLLIN)
        self._owner = _pidfd(owner)
        if self._owner is not None:
            self._poll.register(self._owner, select.POLLIN)

    def run(self) -> None:
        """Until nothing is left and nobody may ask for anything."""
        while True:
            ready = {descriptor for descriptor, _ in self._poll.poll(self._wait_ms())}
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            if self._owner in ready:
                self._lose_owner()
            if self._control.fileno() in ready:
                self._take_orders()
            self._read_output()
            self._left = self._collect()
            if self._left:
                self._press(time.monotonic())
            self._tell_exit()
            if not self._left and (self._owner_gone or self._stopping_at is not None):
                self._drain()
                self._say({"is": "gone"})
                return

    def kill_rest(self) -> None:
        """Whatever becomes of this process, nothing is left below it."""
        while _children_left():
            for stat in below({os.getpid()}, table()):
                send(stat.process, signal.SIGKILL)
            time.sleep(KILL_PAUSE_S)

    # ---- orders

    def _take_orders(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self._lose_owner()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "argv" in message:
                try:
                    self._fork(message)
                except OSError as error:
                    self._say({"is": "refused", "why": str(error)})
            elif message["do"] == "go":
                self._release()
            else:
                self._stop(message["grace_s"])

    def _fork(self, order: Order) -> None:
        self._log = ServerLog(order["log"], [key.encode() for key in order["keys"]])
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        _enlarge(self._output)
        held, hold = socket.socketpair()
        inode = f"pipe:[{os.fstat(output).st_ino}]"
        self._roster = _open_roster(order["roster"])
        self._server = os.fork()
        if self._server == 0:
            hold.close()
            os._exit(_become(order, held, output))
        held.close()
        os.close(output)
        self._hold = hold
        hold.recv(1)  # it has prepared itself, or ended
        self._poll.register(self._output, select.POLLIN)
        server = find(self._server) or Process(self._server, 0)  # not collected yet, so it is there
        self._note(f"token {order['token']}", f"output {inode}")
        self._enter({server})
        self._say({"is": "held", "pid": server.pid, "start_time": server.start_time, "output": inode})

    def _release(self) -> None:
        if self._hold is not None:
            with suppress(OSError):
                self._hold.send(b"g")
            self._hold.close()
            self._hold = None

    def _stop(self, grace_s: float) -> None:
        # Only ever sooner: an order that was under way when the owner died must not give its server time.
        at = time.monotonic() + grace_s
        self._stopping_at = at if self._stopping_at is None else min(at, self._stopping_at)
        self._look_at = 0.0

    def _lose_owner(self) -> None:
        self._owner_gone = True
        self._stop(0.0)
        for descriptor in (self._control.fileno(), self._owner):
            if descriptor is not None:
                self._ignore(descriptor)

    def _say(self, message: dict[str, object]) -> None:
        if self._owner_gone:
            return
        try:
            self._control.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._lose_owner()

    def _ignore(self, descriptor: int) -> None:
        with suppress(KeyError):
            self._poll.unregister(descriptor)

    # ---- the tree

    def _press(self, now: float) -> None:
        """Look at the descendants when it is time to: note new ones, ask them to end, kill them."""
        if now < self._look_at:
            return
        stats = below({os.getpid()}, table())
        running = {stat.process for stat in stats if stat.runs}
        self._enter(running)
        if self._stopping_at is None:
            spent = time.monotonic() - now
            self._watch_s = max(min(2 * self._watch_s, WATCH_MOST_S), spent / WATCH_SHARE)
            self._look_at = now + self._watch_s
        elif now < self._stopping_at:
            for process in running - self._asked:
                send(process, signal.SIGTERM)
            self._asked |= running
            self._look_at = min(now + ASK_PAUSE_S, self._stopping_at)
        else:
            self._kill(now, stats)

    def _kill(self, now: float, stats: list[Stat]) -> None:
        if self._killing_since is None:
            self._killing_since = now
        for stat in stats:
            send(stat.process, signal.SIGKILL)
        stuck = now - self._killing_since > STUCK_S
        if stuck and not self._told_stuck:
            self._told_stuck = True
            self._say({"is": "stuck", "pids": [stat.process.pid for stat in stats if stat.runs]})
        self._look_at = now + (ASK_PAUSE_S if stuck else KILL_PAUSE_S)

    def _collect(self) -> bool:
        """Take the ended children away; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._server:
                code = os.waitstatus_to_exitcode(status)
                self._exit = (code, None) if code >= 0 else (None, -code)

    def _tell_exit(self) -> None:
        # A server that puts itself into the background ends well and lives on in what it has left.
        if self._exit is None or self._told_exit or (self._left and self._exit == (0, None)):
            return
        self._told_exit = True
        self._drain()
        self._say({"is": "exited", "code": self._exit[0], "signal": self._exit[1]})

    def _enter(self, running: set[Process]) -> None:
        new = running - self._known
        if new:
            self._known |= new
            self._note(*(f"process {process.pid} {process.start_time}" for process in sorted(new)))

    def _note(self, *lines: str) -> None:
        if self._roster >= 0:
            try:
                os.write(self._roster, "".join(f"{line}\n" for line in lines).encode())
            except OSError:
                return  # the second line has less to go by

    # ---- the log

    def _read_output(self) -> None:
        """Copy what is there, but not at every line."""
        if self._log is None or self._output < 0 or time.monotonic() < self._read_at:
            return
        try:
            data = os.read(self._output, PIPE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._ignore(self._output)
            os.close(self._output)
            self._output = -1
            self._log.flush()
            return
        self._log.write(data)
        if len(data) < PIPE_BYTES // 2:
            self._read_at = time.monotonic() + LOG_PAUSE_S
            self._ignore(self._output)

    def _drain(self) -> None:
        while self._log is not None and self._output >= 0:
            try:
                data = os.read(self._output, PIPE_BYTES)
            except BlockingIOError:
                break
            if not data:
                break
            self._log.write(data)
        if self._log is not None:
            self._log.flush()

    def _wait_ms(self) -> int | None:
        """Until something has to be looked at, milliseconds; None: until something happens."""
        now = time.monotonic()
        due = [self._look_at] if self._left else []
        if self._output >= 0 and now < self._read_at:
            due.append(self._read_at)
        elif self._output >= 0:
            self._poll.register(self._output, select.POLLIN)
        return max(0, round(1000 * (min(due) - now) + 0.5)) if due else None


def _become(order: Order, held: socket.socket, output: int) -> int:
    """The forked child: become the server once that is allowed. Never returns when the command could be executed."""
    program = order["argv"][0]
    supervisor = os.getppid()
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.setsid()
        # Second line for this process: when the supervisor is killed, so is the server.
        if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != supervisor:
            return NOT_STARTED
        if order["cores"]:
            os.sched_setaffinity(0, order["cores"])
        signal.set_wakeup_fd(-1)
        for number in (*INHERITED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        held.send(b"r")
        if held.recv(1) != b"g":
            return NOT_STARTED
        os.execvpe(program, order["argv"], {**order["env"], SERVER_VARIABLE: order["token"]})
    except OSError as error:
        os.write(2, f"{MARK} {program}: {error.strerror}\n".encode(errors="replace"))
    except ValueError as error:
        os.write(2, f"{MARK} {program}: {error}\n".encode(errors="replace"))
    return NOT_STARTED


def _children_left() -> bool:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # the socket tells then


def _open_roster(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1


def _enlarge(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

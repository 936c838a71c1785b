"""Starts one program and ends all that came of it: when it ends, when told to, or when its owner is gone.

``python -I -S guard.py CORES FOLDER PROGRAM ARGUMENT…``; CORES is comma-separated, ``-`` for any. It ends the program
when it reads anything from its standard input, or its end, which the owner's death brings about: then FOLDER (``-``:
none), which nobody will look at any more, is removed too. The program runs in a session of its own and writes to the
guard's standard error. Whatever it starts stays below the guard, a subreaper. If the guard itself is killed, the
kernel kills the program. On standard output: one line of JSON, ``{"code": …, "cpu_s": …}``, a signal as negative code.

Standard library only, started without ``site``: an interpreter of some 20 ms.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NOT_STARTED = 127
INHERITED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Ignored by Python, here, or by whoever started the tuner; the program must not inherit that."""


def main(cores: str, folder: str, *command: str) -> None:
    """Run the program to its end, or end it."""
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # these are for the owner, who closes our input
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    guard = os.getpid()
    program = os.fork()
    if program == 0:
        try:
            os.setsid()
            system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == guard:
                _execute(cores, command)
        finally:
            os._exit(NOT_STARTED)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(woken, select.POLLIN)
    code: int | None = None
    owned = True
    while code is None:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken in ready:
            os.read(woken, 4096)
            code = _collect(program)
        if 0 in ready:
            owned = bool(os.read(0, 4096))
            break
    ended = _kill_rest(program)
    if not owned and folder != "-":
        import shutil  # late: hardly ever needed

        shutil.rmtree(folder, ignore_errors=True)
        return
    used = os.times()
    report = {"code": ended if code is None else code, "cpu_s": used.children_user + used.children_system}
    os.write(1, json.dumps(report).encode() + b"\n")


def _execute(cores: str, command: tuple[str, ...]) -> None:
    for number in INHERITED:
        signal.signal(number, signal.SIG_DFL)
    if cores != "-":
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        os.execv(command[0], command)  # noqa: S606 it is there to execute a command
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error}\n".encode())


def _collect(program: int) -> int | None:
    """Take note of all that has ended; the program's code, None while it runs."""
    found: int | None = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                found = os.waitstatus_to_exitcode(ended[1])
    return found


def _kill_rest(program: int) -> int | None:
    """Kill everything below; orphans come to us. Returns the program's code if it ended here."""
    found: int | None = None
    with suppress(ChildProcessError):
        while True:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:  # noqa: PTH123
                for child in children.read().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(child), signal.SIGKILL)
            ended, status = os.waitpid(-1, 0)
            if ended == program:
                found = os.waitstatus_to_exitcode(status)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])

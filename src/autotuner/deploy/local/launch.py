"""Turns itself into the server: run as a file, it prepares its own process and executes the command in its place.

Usage: launch.py PARENT_PID CORES COMMAND…, where CORES is a comma-separated list or ``-``. The kernel kills the process
when the parent's thread that started it ends, so that a killed tuner leaves no server. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127
MARK = "autotuner: cannot start"
INHERITED = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
)
"""Ignored by Python, or by the tuner or the shell that put it into the background; a server must not inherit that."""


def main() -> int:
    """Never returns when the command could be executed."""
    parent, cores, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return _fail(command[0], os.strerror(ctypes.get_errno()))
    if os.getppid() != parent:
        return _fail(command[0], "its owner is gone")
    try:
        if cores != "-":
            os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    except OSError as error:
        return _fail(command[0], f"cores {cores}: {error.strerror}")
    for inherited in INHERITED:
        signal.signal(inherited, signal.SIG_DFL)
    words = [os.fsencode(word) for word in command]
    system.execvp(words[0], (ctypes.c_char_p * (len(words) + 1))(*words, None))
    return _fail(command[0], os.strerror(ctypes.get_errno()))


def _fail(program: str, why: str) -> int:
    sys.stderr.write(f"{MARK} {program}: {why}\n")
    return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main())

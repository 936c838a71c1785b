"""Starts and collects a child process. Each call takes a few milliseconds, in the calling thread on purpose.

The kernel ties a child to the thread that started it (see ``launch.py``), so this can't be handed to a pool.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autotuner.deploy.local import processes
from autotuner.deploy.local.processes import Process

LAUNCH = str(Path(__file__).with_name("launch.py"))


@dataclass(frozen=True)
class Child:
    """A child and the descriptor (pidfd) that becomes readable when it ends."""

    process: Process
    descriptor: int


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Path, cores: Sequence[int] | None) -> Child:
    """Start the command in a session of its own, its output in ``log``, on ``cores``. OSError if the host can't."""
    log.parent.mkdir(parents=True, exist_ok=True)
    pid = os.posix_spawn(
        sys.executable,
        [
            *(sys.executable, "-I", "-S", LAUNCH, str(os.getpid())),
            ",".join(str(core) for core in cores) if cores else "-",
            *command,
        ],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
    )
    # Nobody has collected the child yet, so both calls find it, dead or alive.
    process = processes.find(pid)
    if process is None:
        raise OSError(f"/proc does not show process {pid}")
    return Child(process, os.pidfd_open(pid))


def exit_status(process: Process) -> tuple[int | None, int | None] | None:
    """Exit code, or signal, of a child that has ended; None while it runs.

    The child stays a zombie, so that its pid is not given away before the end of everything that it started.
    """
    try:
        result = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None, None
    if result is None:
        return None
    return (result.si_status, None) if result.si_code == os.CLD_EXITED else (None, result.si_status)


def collect(child: Child) -> None:
    """Take the ended child's zombie away and close its descriptor."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child.process.pid, 0)
    os.close(child.descriptor)

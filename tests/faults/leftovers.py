"""Processes that work for one test: those that name its folder on their command line."""

from __future__ import annotations

import os
import select
from pathlib import Path

from autotuner.deploy.local import processes

LIMIT_S = 60.0


def working_with(folder: Path) -> dict[int, str]:
    """Pid and command line of the processes that name the folder, but for this one."""
    found = {}
    for pid in processes.pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if pid != os.getpid() and any(str(folder) in word for word in words):
            found[pid] = " ".join(words)
    return found


def wait_for_ends(pids: list[int]) -> None:
    """Wait until these processes have ended; AssertionError for one that goes on."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([descriptor], [], [], LIMIT_S)
        os.close(descriptor)
        assert ended, f"process {pid} still runs"

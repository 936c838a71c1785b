"""Blocks of loopback ports for servers: outside the kernel's ephemeral range, each held by a host-wide lock.

An engine takes ports of its own beside the one that it is told (for its workers), so a server gets a whole block. The
lock's descriptor is handed on to supervisor and server: the block is free when all of them are dead, not before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

LOWEST, HIGHEST = 20000, 32000
BLOCK = 16
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOCKS = Path("/run/lock")


@dataclass
class PortBlock:
    """``BLOCK`` ports from ``first`` on that nobody else of ours takes. ``descriptor``: the lock, to be inherited."""

    first: int
    descriptor: int

    def release(self) -> None:
        """Let go of it here; a second call does nothing. It stays taken while a server of it lives."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def lease(host: str, folder: Path | None = None) -> PortBlock:
    """A block of free ports of that address. OSError if there is none. ``folder`` holds the locks."""
    folder = folder or _folder()
    first, last = _range()
    starts = range(first, last - BLOCK + 1, BLOCK)
    for start in random.sample(starts, len(starts)):
        descriptor = _open(folder / f"ports-{start}.lock")
        try:
            # The lock belongs to the open file, so it keeps out this process as well as others.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for number in range(start, start + BLOCK):
                bind(host, number)
        except OSError:
            os.close(descriptor)
            continue
        return PortBlock(start, descriptor)
    raise OSError(f"no {BLOCK} ports of {host} between {first} and {last} are free")


def bind(host: str, number: int) -> None:
    """Take a port for an instant. OSError when something listens there; connections that just ended do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((host, number))
        trial.listen(1)


def _range() -> tuple[int, int]:
    with contextlib.suppress(OSError, ValueError):
        low, high = (int(word) for word in EPHEMERAL_RANGE.read_text().split())
        if low <= LOWEST:
            return (high + 1, 65536) if high + 1000 < 65536 else (max(1024, low - 1000), max(2024, low))
        return LOWEST, min(HIGHEST, low)
    return LOWEST, HIGHEST


def _folder() -> Path:
    """One for all users and databases of the host."""
    above = LOCKS if os.access(LOCKS, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    folder = above / "inference-autotuner"
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)
    return folder


def _open(path: Path) -> int:
    """A lock file that every user may lock. With O_CREAT the kernel refuses another user's in a shared folder."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            os.fchmod(descriptor, 0o644)  # whatever the umask
            return descriptor

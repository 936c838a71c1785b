"""Loopback ports for servers: below the kernel's ephemeral range, each held by a lock file while it is in use."""

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
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass
class Port:
    """A port that nobody else of ours takes until it is released."""

    number: int
    _descriptor: int

    def release(self) -> None:
        """Give it back; a second call does nothing. The kernel does it when the process dies."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def reserve(host: str) -> Port:
    """A free port of that address. OSError if there is none."""
    folder = _folder()
    first, last = _range()
    for number in random.sample(range(first, last), last - first):
        descriptor = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The lock belongs to the open file, so it keeps out this process as well as others.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _bind(host, number)
        except OSError:
            os.close(descriptor)
            continue
        return Port(number, descriptor)
    raise OSError(f"no port of {host} between {first} and {last} is free")


def _bind(host: str, number: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # Connections of a server that has just ended do not count; one that listens does.
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
    folder = Path(tempfile.gettempdir()) / f"autotuner-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder

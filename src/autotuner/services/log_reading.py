"""Server logs read in portions by offset, also while they grow and when their middle is left out. All of it blocks for
a moment: a portion is small.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autotuner.contracts.event_log import AttemptFolder
from autotuner.deploy.local.server_log import end_of_cut

LOG_NAME = "server.log"


@dataclass(frozen=True)
class LogStream:
    """The log of one server start. ``name``: such as experiment-0003/attempt-01."""

    name: str
    title: str
    path: Path


@dataclass(frozen=True)
class LogText:
    """A part of a log. ``next_offset``: where the next part begins; ``size``: of the whole now, bytes."""

    data: bytes
    next_offset: int
    size: int


def log_streams(folders: Sequence[AttemptFolder]) -> list[LogStream]:
    """The logs of server starts, in their order; starts that have no folder yet are left out."""
    return [
        LogStream(
            f"experiment-{one.experiment:04d}/attempt-{one.attempt:02d}",
            f"experiment {one.experiment}, start {one.attempt} ({one.reason})",
            Path(one.folder) / LOG_NAME,
        )
        for one in folders
        if one.folder is not None
    ]


def read_stream(stream: LogStream, offset: int, limit: int) -> LogText:
    """At most ``limit`` bytes of one log from ``offset`` on; nothing of a log that is not there."""
    try:
        with stream.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = os.pread(file.fileno(), limit, offset)
    except OSError:
        return LogText(b"", offset, 0)
    return LogText(data, offset + len(data), size)


def read_all(streams: Sequence[LogStream], offset: int, limit: int) -> LogText:
    """At most ``limit`` bytes of the text of all logs, one after the other, each below a line that names it."""
    made, begin = bytearray(), 0
    for stream in streams:
        head = f"{'' if begin == 0 else chr(10)}== {stream.title}: {stream.name} ==\n".encode()
        left = limit - len(made)
        made += head[max(0, offset - begin) :][:left] if offset < begin + len(head) else b""
        begin += len(head)
        part = read_stream(stream, max(0, offset - begin), max(0, limit - len(made)))
        made += part.data
        begin += part.size
    return LogText(bytes(made), offset + len(made), begin)


class LogTail:
    """Reads one log as it grows. ``offset``: where the next portion begins, in the file as it is now."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._file: int | None = None
        self.offset = offset

    def read(self, limit: int) -> bytes:
        """What is new, at most ``limit`` bytes. Nothing while the file is not there."""
        with suppress(OSError):
            if self._file is None:
                self._open(first=True)
            data = self._new(limit)
            if not data and self._replaced():
                self.close()
                self._open(first=False)
                data = self._new(limit)
            return data
        return b""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, *, first: bool) -> None:
        self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        if not first or self.offset > os.fstat(self._file).st_size:
            self.offset = end_of_cut(self._file)

    def _new(self, limit: int) -> bytes:
        if self._file is None:
            return b""
        if os.fstat(self._file).st_size < self.offset:
            self.offset = 0  # it was begun again in its place
        data = os.pread(self._file, limit, self.offset)
        self.offset += len(data)
        return data

    def _replaced(self) -> bool:
        if self._file is None:
            return False
        own, there = os.fstat(self._file), self._path.stat()
        return (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino)

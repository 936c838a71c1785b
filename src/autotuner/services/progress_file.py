"""Progress as a file: what an observer of a run is told, a JSON object per line, for whoever looks from elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Observer, Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.services.report.json_export import finite

NAME = "progress.jsonl"
SNAPSHOT_S = 1.0
"""No more than one snapshot in so many seconds."""
MOST_BYTES = 2 * 2**20
"""A larger file is begun anew."""


def snapshot_line(snapshot: Snapshot) -> str:
    """``{"type": "snapshot", "snapshot": {…}}``."""
    return _line("snapshot", snapshot=snapshot.model_dump(mode="json"))


def start_finished_line(summary: ExperimentSummary, reason: AttemptReason) -> str:
    """``{"type": "start_finished", "reason": …, "experiment": {…}}``."""
    return _line("start_finished", reason=reason.value, experiment=summary.model_dump(mode="json"))


def message_line(message: str) -> str:
    """``{"type": "message", "message": …}``."""
    return _line("message", message=message)


def is_snapshot(line: str) -> bool:
    """Whether a line is a snapshot's."""
    return line.startswith('{"type": "snapshot"')


def replay(line: str, observer: Observer) -> None:
    """Tell an observer what a line says; nothing for a line of another version that cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        said = json.loads(line)
        match said["type"]:
            case "snapshot":
                observer.on_snapshot(Snapshot.model_validate(said["snapshot"]))
            case "start_finished":
                summary = ExperimentSummary.model_validate(said["experiment"])
                observer.on_start_finished(summary, AttemptReason(said["reason"]))
            case "message":
                observer.on_message(said["message"])


class Tee:
    """Tells several observers."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.on_snapshot(snapshot)

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.on_start_finished(summary, reason)

    def on_message(self, message: str) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.on_message(message)


class ProgressFile:
    """An observer that writes to ``progress.jsonl`` of a task's folder, anew for each run. A context manager.

    Used within an event loop, which writes the last of several snapshots when its time has come. What cannot be written
    (a full disk) is left out: nobody's measurement hangs on it.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / NAME
        self._clock = clock
        self._file: BinaryIO | None = None
        self._size = 0
        self._last: Snapshot | None = None
        self._paused = False
        self._written_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Write it now, or keep it until its time has come."""
        self._last = snapshot
        wait_s = self._written_at + SNAPSHOT_S - self._clock()
        if wait_s <= 0 or snapshot.paused != self._paused:
            self._flush(always=True)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._flush)

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Write it."""
        self._write(start_finished_line(summary, reason))

    def on_message(self, message: str) -> None:
        """Write it."""
        self._write(message_line(message))

    def _flush(self, *, always: bool = False) -> None:
        """Write the last snapshot if it waits to be written."""
        waits = self._timer is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._last is not None and (waits or always):
            self._written_at, self._paused = self._clock(), self._last.paused
            self._write(snapshot_line(self._last))

    def _begin(self) -> None:
        """Begin a new file in place of the old one, which its readers keep until they look again."""
        temporary = self._path.with_name(f".{NAME}")
        try:
            if self._file is not None:
                self._file.close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = temporary.open("wb", buffering=0)
            self._size = 0
            temporary.replace(self._path)
        except OSError:
            self._file = None

    def _write(self, line: str) -> None:
        if self._size > MOST_BYTES:
            self._begin()
            if self._last is not None:
                self._append(snapshot_line(self._last))
        self._append(line)

    def _append(self, line: str) -> None:
        if self._file is None:
            return
        with suppress(OSError):
            self._size += self._file.write(line.encode() + b"\n")


class ProgressReader:
    """Reads the lines of a progress file as they come, also when it is begun anew or is not there yet."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: BinaryIO | None = None
        self._rest = b""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self) -> Iterator[str]:
        """The whole lines that came since the last call."""
        with suppress(OSError):
            yield from self._new()
            if self._replaced():
                yield from self._new()  # what was written to the old one after the look before
                self.close()
                self._file, self._rest = self._path.open("rb"), b""
                yield from self._new()

    def _replaced(self) -> bool:
        there = self._path.stat()
        if self._file is None:
            return True
        own = os.fstat(self._file.fileno())
        return (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino) or there.st_size < self._file.tell()

    def _new(self) -> Iterator[str]:
        if self._file is None:
            return
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")


def _line(kind: str, **fields: object) -> str:
    return json.dumps(finite({"type": kind, **fields}), allow_nan=False)

"""The files that the starts of an experiment have left: listed, and opened without following any link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import Field

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import AttemptRow
from autotuner.contracts.values import Frozen

MAX_LISTED = 10_000
"""Files of an experiment that are listed."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Artefact(Frozen):
    """One file that a server start has left."""

    path: str = Field(description="by which it is downloaded, such as attempt-01/server.log")
    attempt: int = Field(description="number of the start within the experiment")
    size: int = Field(description="bytes")
    modified_at: datetime = Field(description="when it was last written to, UTC")


@dataclass(frozen=True)
class OpenFile:
    """An open file and its size when it was opened; whoever has it closes ``file``."""

    file: IO[bytes]
    size: int
    name: str


def list_artefacts(attempts: Sequence[AttemptRow]) -> list[Artefact]:
    """The regular files of the starts, by start and name; at most MAX_LISTED. Blocks."""
    found: list[Artefact] = []
    for attempt in attempts:
        folder = _folder(attempt)
        if folder is None:
            continue
        for path in _files(folder):
            try:
                facts = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode):
                place = f"attempt-{attempt.number:02d}/{path.relative_to(folder).as_posix()}"
                if place.isprintable():
                    at = datetime.fromtimestamp(facts.st_mtime, UTC)
                    found.append(Artefact(path=place, attempt=attempt.number, size=facts.st_size, modified_at=at))
            if len(found) == MAX_LISTED:
                return found
    return found


def open_artefact(attempts: Sequence[AttemptRow], path: str) -> OpenFile:
    """Open a file by the path that the list gives it. AutotunerError(NOT_FOUND) for any other path. Blocks."""
    first, *rest = path.split("/")
    folders = {f"attempt-{attempt.number:02d}": _folder(attempt) for attempt in attempts}
    folder = folders.get(first)
    if folder is None or not rest or any(part in {"", ".", ".."} or "\0" in part for part in rest):
        raise _missing(path)
    try:
        return _opened(folder, rest)
    except (OSError, ValueError) as error:
        raise _missing(path) from error


def _opened(folder: Path, parts: Sequence[str]) -> OpenFile:
    """Go down part by part from an open folder: nothing that is put in the way meanwhile leads elsewhere."""
    here = os.open(folder, _FOLDER)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        file = os.fdopen(os.open(parts[-1], _FILE, dir_fd=here), "rb")
    finally:
        os.close(here)
    facts = os.fstat(file.fileno())
    if not stat.S_ISREG(facts.st_mode):
        file.close()
        raise ValueError("no regular file")
    return OpenFile(file, facts.st_size, parts[-1])


def _folder(attempt: AttemptRow) -> Path | None:
    return None if attempt.job is None else Path(attempt.job.artefact_dir)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent) / file for file in sorted(files))


def _missing(path: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.NOT_FOUND,
        "There is no such artefact",
        why="the starts of this experiment have left no file of that name, or it is gone",
        remedy="List the artefacts that there are",
        place=path[:200],
    )

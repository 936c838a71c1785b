"""What an archive of a task is: a ZIP file, its members, its bounds.

``manifest.json`` says what the archive is and lists every other member with its size and SHA-256. ``task.json`` is the
task, ``experiments.jsonl``, ``attempts.jsonl``, ``measurements.jsonl`` and ``events.jsonl`` are its rows, one per line,
with the numbers that they had. ``artefacts/experiment-0001/attempt-01/…`` are the files of an attempt. Floats that JSON
lacks are written as in the database, as ``{"$float": "inf"}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.store.task_rows import Part

MEDIA_TYPE = "application/zip"
FORMAT: Literal["inference-autotuner task"] = "inference-autotuner task"
VERSION = 1

MANIFEST = "manifest.json"
TASK = "task.json"
LINES: Mapping[Part, str] = {
    "experiments": "experiments.jsonl",
    "attempts": "attempts.jsonl",
    "measurements": "measurements.jsonl",
    "events": "events.jsonl",
}
ARTEFACTS = "artefacts"

MAX_ARCHIVE = 2 * 1024**3
"""Bytes of an archive."""
MAX_UNPACKED = 8 * 1024**3
"""Bytes of all its members together."""
MAX_RATIO, FREE_OF_RATIO = 200, 256 * 1024**2
"""What lies beyond so many bytes may be no more than so many times the archive."""
MAX_ENTRIES = 60_000
"""Members. A ZIP file counts to 65535 without its extension for large ones, which no archive has."""
MAX_FILE = 1024**3
"""Bytes of one artefact."""
MAX_MANIFEST = 64 * 1024**2
"""Bytes of the manifest."""
MAX_LINE = 32 * 1024**2
"""Bytes of one row."""
MAX_DEPTH = 64
"""How deeply the values of a row may be nested."""
MAX_FOLDERS, MAX_PATH = 16, 1024
"""Parts of a member's name, and its bytes."""

_ATTEMPT = re.compile(r"artefacts/(experiment-\d{4,10}/attempt-\d{2,10})/(.+)")


class Member(Frozen):
    """One file of the archive."""

    path: str = Field(max_length=MAX_PATH)
    size: int = Field(ge=0, description="bytes, unpacked")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the unpacked bytes, hexadecimal")


class LeftOut(Frozen):
    """An artefact that is not in the archive."""

    path: str = Field(description="relative to the attempt's folder")
    why: str = Field(description="the reason")


class Manifest(Frozen):
    """What an archive is and holds."""

    format: Literal["inference-autotuner task"] = FORMAT
    version: int = Field(VERSION, ge=1, description="of the format")
    program: str = Field(max_length=100, description="version of the program that wrote it")
    schema_revision: str = Field(pattern=r"^\d{4}$", description="of the store that the task was in")
    exported_at: AwareDatetime
    task_id: int = Field(description="the task's number in that store")
    task_name: str
    members: tuple[Member, ...] = Field(description="all other files of the archive")
    left_out: tuple[LeftOut, ...] = Field((), description="files of the task that are not in it")


def attempt_folder(experiment: int, attempt: int) -> str:
    """Where an attempt's files lie, below the artefacts of its task."""
    return f"experiment-{experiment:04d}/attempt-{attempt:02d}"


def attempt_of(path: str) -> str | None:
    """The attempt's folder of an artefact's member name; None if it is no such name."""
    found = _ATTEMPT.fullmatch(path)
    return found[1] if found is not None and is_plain(path) else None


def is_plain(path: str) -> bool:
    """Whether a name can be a file below a folder on every system: relative, no ``..``, printable, not too long."""
    parts = path.split("/")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return False
    return (
        len(parts) <= MAX_FOLDERS
        and sum(sizes) + len(sizes) <= MAX_PATH
        and all(0 < size <= 255 for size in sizes)
        and not any(part in {".", ".."} for part in parts)
        and path.isprintable()
        and not any(character in path for character in '\\:*?"<>|')
    )


def check_bounds(archive: int, unpacked: int, entries: int, *, name: str) -> None:
    """AutotunerError(INVALID_VALUE) for sizes (bytes) and a number of members that no archive may have."""
    if archive > MAX_ARCHIVE:
        raise bad_archive(name, f"it is larger than {_mib(MAX_ARCHIVE)} MiB")
    if entries > MAX_ENTRIES:
        raise bad_archive(name, f"it has more than {MAX_ENTRIES} members")
    if unpacked > MAX_UNPACKED:
        raise bad_archive(name, f"it would unpack to more than {_mib(MAX_UNPACKED)} MiB")
    if unpacked > FREE_OF_RATIO and unpacked > archive * MAX_RATIO:
        raise bad_archive(name, f"it would unpack to more than {MAX_RATIO} times its size")


def bad_archive(name: str, why: str) -> AutotunerError:
    """The error for a file that is no sound archive of a task; nothing was changed."""
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        "this is no archive of a task that can be imported",
        why=why,
        remedy="Export the task again with `autotuner export TASK --format archive`",
        place=name,
    )


def archive_name(task_name: str, exported: datetime | None = None) -> str:
    """A file name for the archive of a task."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", task_name).strip("-.")[:100] or "task"
    return f"{plain}.zip" if exported is None else f"{plain}-{exported:%Y%m%d}.zip"


def is_archive(path: Path) -> bool:
    """Whether a file begins as a ZIP file does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def parents(paths: Iterable[str]) -> set[str]:
    """All folders that the files lie in."""
    return {path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)}


def _mib(size: int) -> int:
    return size // 1024**2

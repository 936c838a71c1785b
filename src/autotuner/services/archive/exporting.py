"""Writing the archive of a task."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import TaskRecord
from autotuner.services.archive.layout import (
    ARTEFACTS,
    LINES,
    MANIFEST,
    MAX_FILE,
    TASK,
    LeftOut,
    Manifest,
    Member,
    attempt_folder,
    check_bounds,
    is_plain,
)
from autotuner.services.archive.rows import KINDS, ArchivedTask, columns
from autotuner.services.settings import Settings
from autotuner.services.task_lock import is_taken
from autotuner.store.columns import encode_json
from autotuner.store.migrations import HEAD
from autotuner.store.task_rows import PARTS, Part, StoredRows, reading

CHUNK = 1024 * 1024


async def export_archive(settings: Settings, task: TaskRecord, file: IO[bytes]) -> Manifest:
    """Write the archive of a task into an open file that can be sought in; what it holds.

    AutotunerError: TASK_BUSY while a process runs the task, NOT_FOUND, STORE_UNAVAILABLE, UNSUPPORTED for a task that
    is too large. OSError from the file.
    """
    if await is_taken(settings, task.id):
        raise AutotunerError(
            ErrorCode.TASK_BUSY,
            f"the task {task.name!r} cannot be exported now",
            why="a process runs it, and its files are being written",
            remedy=f"Wait for its end, or `autotuner task cancel {task.name}`; it can go on after the import",
            place=task.name,
        )
    return await asyncio.to_thread(partial(write_archive, settings, task.id, file))


def write_archive(settings: Settings, task_id: int, file: IO[bytes]) -> Manifest:
    """The same without asking whether the task is being run; blocks."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        writer = _Writer(archive)
        numbers: dict[int, int] = {}
        folders: dict[str, Path] = {}
        with reading(settings.database, task_id, busy_timeout_s=settings.database_timeout_s) as stored:
            task = stored.task()
            writer.write(TASK, [encode_json(columns(ArchivedTask, task)).encode()])
            for part in PARTS:
                writer.write(LINES[part], _lines(stored, part, lambda row: _note(row, numbers, folders)))
        left_out = [one for name, folder in folders.items() for one in _artefacts(writer, name, folder)]
        manifest = Manifest(
            program=version("inference-autotuner"),
            schema_revision=HEAD,
            exported_at=datetime.now(UTC),
            task_id=task_id,
            task_name=task["name"],
            members=tuple(writer.members),
            left_out=tuple(left_out),
        )
        archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
    _check_importable(file, manifest)
    return manifest


class _Writer:
    """Writes members and remembers them."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.members: list[Member] = []

    def write(self, path: str, chunks: Iterator[bytes] | list[bytes]) -> None:
        """Write one member."""
        info = zipfile.ZipInfo(path)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        size, sha256 = 0, hashlib.sha256()
        with self._archive.open(info, "w", force_zip64=True) as entry:
            for chunk in chunks:
                entry.write(chunk)
                sha256.update(chunk)
                size += len(chunk)
        self.members.append(Member(path=path, size=size, sha256=sha256.hexdigest()))


def _lines(stored: StoredRows, part: Part, note: Callable[[dict[str, Any]], None]) -> Iterator[bytes]:
    for row in stored.rows(part):
        note(row)
        yield encode_json(columns(KINDS[part], row)).encode() + b"\n"


def _note(row: dict[str, Any], numbers: dict[int, int], folders: dict[str, Path]) -> None:
    """Remember the numbers of experiments, and where attempts have their files."""
    if "identity" in row:
        numbers[row["id"]] = row["number"]
    elif "job" in row and row["job"] is not None:
        name = attempt_folder(numbers[row["experiment_id"]], row["number"])
        folders[name] = Path(row["job"]["artefact_dir"])


def _artefacts(writer: _Writer, name: str, folder: Path) -> Iterator[LeftOut]:
    """Write the files of an attempt; those that are left out. No link is followed."""
    for path in _files(folder):
        place = path.relative_to(folder).as_posix()
        why = _write_file(writer, f"{ARTEFACTS}/{name}/{place}", path)
        if why is not None:
            yield LeftOut(path=f"{name}/{place.encode(errors='replace').decode()}", why=why)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent) / file for file in sorted(files))


def _write_file(writer: _Writer, name: str, path: Path) -> str | None:
    """Write a file; None, or why it is left out."""
    if not is_plain(name):
        return "its name cannot be used everywhere"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            return "it is no regular file"
        if found.st_size > MAX_FILE:
            return f"it is larger than {MAX_FILE // 1024**2} MiB"
        writer.write(name, iter(lambda: file.read(CHUNK), b""))
    return None


def _check_importable(file: IO[bytes], manifest: Manifest) -> None:
    """AutotunerError(UNSUPPORTED) for an archive that no import would take."""
    file.flush()
    try:
        check_bounds(
            file.seek(0, os.SEEK_END),
            sum(member.size for member in manifest.members),
            len(manifest.members) + 1,
            name=manifest.task_name,
        )
    except AutotunerError as error:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"the task {manifest.task_name!r} does not fit into an archive",
            why=error.why,
            remedy="Copy the whole database instead, or remove large files from the task's folder",
            place=manifest.task_name,
        ) from error

"""Reading an archive that anybody may have made: nothing of it is believed before it was checked."""

from __future__ import annotations

import hashlib
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from pydantic import ValidationError

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.services.archive.layout import (
    LINES,
    MANIFEST,
    MAX_DEPTH,
    MAX_LINE,
    MAX_MANIFEST,
    TASK,
    VERSION,
    Manifest,
    Member,
    attempt_of,
    bad_archive,
    check_bounds,
    parents,
)
from autotuner.store.columns import decode_json
from autotuner.store.migrations import REVISIONS

R = TypeVar("R", bound=Frozen)

CHUNK = 1024 * 1024
_END, _END_SIZE = b"PK\x05\x06", 22
_FILE_TYPE, _REGULAR = 0o170000, 0o100000
_ENCRYPTED = 0x1
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    ValueError,
    OSError,
)
"""What ``zipfile`` raises for files that are not what they say."""


class Archive:
    """The members of an archive whose outside is sound; their content is checked while it is read."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest, name: str) -> None:
        self._archive = archive
        self._name = name
        self.manifest = manifest
        self._members = {member.path: member for member in manifest.members}

    @property
    def artefacts(self) -> list[Member]:
        """The files of attempts."""
        return [member for member in self.manifest.members if attempt_of(member.path) is not None]

    def chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a member; at their end AutotunerError(INVALID_VALUE) if they are not those of the manifest."""
        member = self._members[path]
        size, sha256 = 0, hashlib.sha256()
        for chunk in _read(self._archive, path, self._name):
            size += len(chunk)
            if size > member.size:
                break
            sha256.update(chunk)
            yield chunk
        if size != member.size or sha256.hexdigest() != member.sha256:
            raise self.bad(f"{path} was changed or damaged: it is not what the manifest says")

    def lines(self, path: str, kind: type[R]) -> Iterator[R]:
        """The rows of a member, each checked for itself."""
        rest = b""
        number = 0
        for chunk in self.chunks(path):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                raise self.bad(f"a line of {path} is too long")
            for line in whole:
                number += 1
                yield self._row(line, kind, f"{path}, line {number}")
        if rest:
            yield self._row(rest, kind, f"{path}, line {number + 1}")

    def only(self, path: str, kind: type[R]) -> R:
        """The row of a member that is one."""
        if self._members[path].size > MAX_LINE:
            raise self.bad(f"{path} is too long")
        return self._row(b"".join(self.chunks(path)), kind, path)

    def _row(self, text: bytes, kind: type[R], place: str) -> R:
        """One row. AutotunerError(INVALID_VALUE) if it is none of that kind."""
        try:
            value = decode_json(text)
            _check_depth(value)
            return kind.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"])
            raise self.bad(f"{place}: {at}: {first['msg']}"[:300]) from error
        except (ValueError, RecursionError) as error:
            raise self.bad(f"{place} is not readable"[:300]) from error

    def bad(self, why: str) -> AutotunerError:
        """The error for this archive."""
        return bad_archive(self._name, why)


@contextmanager
def opened(file: IO[bytes], name: str) -> Iterator[Archive]:
    """The archive in a file that can be sought in; ``name`` stands for it in errors.

    AutotunerError: INVALID_VALUE for none, or one beyond the bounds; UNSUPPORTED for one of a later release.
    """
    size = _check_end(file, name)
    with _broken_is_bad(name):
        archive = zipfile.ZipFile(file)
    with archive:
        _check_entries(archive, size, name)
        manifest = _manifest(archive, name)
        _check_members(archive, manifest, name)
        yield Archive(archive, manifest, name)


def _check_end(file: IO[bytes], name: str) -> int:
    """Look at the end of the file before ``zipfile`` reads the whole list of members that it announces; its size."""
    with _broken_is_bad(name):
        size = file.seek(0, os.SEEK_END)
        check_bounds(size, 0, 0, name=name)
        if size < _END_SIZE:
            raise bad_archive(name, "it is not a ZIP file")
        file.seek(size - _END_SIZE)
        end = file.read(_END_SIZE)
    signature, _, _, _, entries, list_size, _, comment = struct.unpack("<4s4H2LH", end)
    if signature != _END or comment != 0:
        raise bad_archive(name, "it is not a ZIP file, or was cut off")
    check_bounds(size, 0, entries, name=name)
    if list_size > size or list_size > entries * 4096:
        raise bad_archive(name, "the list of its members is larger than they can have")
    if size >= _END_SIZE + 20:
        file.seek(size - _END_SIZE - 20)
        if file.read(4) == b"PK\x06\x07":
            raise bad_archive(name, "it is of a kind of ZIP file that no export writes")
    file.seek(0)
    return size


def _check_entries(archive: zipfile.ZipFile, size: int, name: str) -> None:
    """The members are regular, plain, told apart by their names, and not too large together."""
    entries = archive.infolist()
    check_bounds(size, sum(entry.file_size for entry in entries), len(entries), name=name)
    seen: set[str] = set()
    for entry in entries:
        kind = (entry.external_attr >> 16) & _FILE_TYPE
        if entry.is_dir() or kind not in {0, _REGULAR}:
            raise bad_archive(name, f"{_shown(entry.filename)} is no regular file")
        if entry.flag_bits & _ENCRYPTED:
            raise bad_archive(name, f"{_shown(entry.filename)} is encrypted")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise bad_archive(name, f"{_shown(entry.filename)} is packed in a way that no export uses")
        if entry.filename != entry.orig_filename or not _is_known(entry.filename):
            raise bad_archive(name, f"{_shown(entry.filename)} is no name of a member")
        if entry.filename.casefold() in seen:
            raise bad_archive(name, f"{_shown(entry.filename)} is there twice")
        seen.add(entry.filename.casefold())
    files_and_folders = seen & parents(seen)
    if files_and_folders:
        raise bad_archive(name, f"{_shown(min(files_and_folders))} is a file and a folder")


def _manifest(archive: zipfile.ZipFile, name: str) -> Manifest:
    parts, size = [], 0
    try:
        for chunk in _read(archive, MANIFEST, name):
            size += len(chunk)
            if size > MAX_MANIFEST:
                raise bad_archive(name, f"{MANIFEST} is too long")
            parts.append(chunk)
    except KeyError as error:
        raise bad_archive(name, f"it has no {MANIFEST}") from error
    try:
        manifest = Manifest.model_validate_json(b"".join(parts))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise bad_archive(name, f"{MANIFEST}: {at}: {first['msg']}"[:300]) from error
    if manifest.version > VERSION or manifest.schema_revision > REVISIONS[-1]:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "the archive was written by a later release",
            why=f"it has version {manifest.version} and schema {manifest.schema_revision}; this release knows up to "
            f"version {VERSION} and schema {REVISIONS[-1]}",
            remedy=f"Install inference-autotuner {manifest.program[:40]} or newer here",
            place=name,
        )
    return manifest


def _check_members(archive: zipfile.ZipFile, manifest: Manifest, name: str) -> None:
    """The manifest lists exactly what is there."""
    sizes = {entry.filename: entry.file_size for entry in archive.infolist() if entry.filename != MANIFEST}
    listed = {member.path: member.size for member in manifest.members}
    if len(listed) != len(manifest.members) or sizes != listed:
        raise bad_archive(name, f"its members are not those that {MANIFEST} lists")
    missing = [path for path in (TASK, *LINES.values()) if path not in listed]
    if missing:
        raise bad_archive(name, f"it has no {missing[0]}")


def _is_known(path: str) -> bool:
    return path in {MANIFEST, TASK, *LINES.values()} or attempt_of(path) is not None


def _read(archive: zipfile.ZipFile, path: str, name: str) -> Iterator[bytes]:
    """The unpacked bytes. KeyError for no such member."""
    info = archive.getinfo(path)
    with _broken_is_bad(name):
        entry = archive.open(info)
    with entry:
        while True:
            with _broken_is_bad(name):
                chunk = entry.read(CHUNK)
            if not chunk:
                return
            yield chunk


@contextmanager
def _broken_is_bad(name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise bad_archive(name, f"it cannot be unpacked ({_shown(str(error)) or type(error).__name__})") from error


def _check_depth(value: object) -> None:
    """ValueError for values that are nested too deeply to be handled further."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


def _shown(text: str) -> str:
    """A piece of the archive in an error."""
    return "".join(c if c.isprintable() else "?" for c in text.encode(errors="replace").decode())[:100]

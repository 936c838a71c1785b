"""Where a store lives: a SQLite file or a PostgreSQL database, read from a URL or a path."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from autotuner.contracts.errors import AutotunerError, ErrorCode, StoreUnavailableError

MOUNTS = Path("/proc/self/mounts")
# fmt: off
NETWORK_FILE_SYSTEMS = frozenset({
    "9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncp",
    "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf",
    "wekafs", "fuse.ceph", "fuse.ceph-fuse", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs",
    "fuse.mfs", "fuse.mount-s3", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "fuse.vmhgfs-fuse",
})
# fmt: on
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Location:
    """A store's address. ``path``: the SQLite file, None for PostgreSQL; ``shown``: the address without secrets."""

    url: URL
    path: Path | None
    shown: str

    @property
    def async_url(self) -> URL:
        """The address with the driver for asyncio."""
        return self.url if self.path is None else self.url.set(drivername="sqlite+aiosqlite")

    @property
    def name(self) -> str:
        """A SQLite file's name for ``sqlite3.connect(…, uri=True)``."""
        options = {key: text for key, text in self.url.query.items() if key != "uri"}
        return f"{self.path.as_uri()}?{urlencode(options, doseq=True)}" if self.path is not None else ""


def parse_location(url_or_path: str) -> Location:
    """Read a path, ``sqlite:///path`` or ``postgresql://user@host/database``.

    Raises AutotunerError(INVALID_VALUE) for anything else, a database in memory included (it has no second reader).
    """
    if "://" not in url_or_path:
        return _sqlite(url_or_path, url_or_path)
    try:
        url = make_url(url_or_path)
    except ArgumentError:
        raise _not_an_address("the store's address", "it is not a URL") from None
    backend = url.drivername.split("+")[0]
    if backend == "sqlite":
        return _sqlite(url.database or "", url_or_path)
    if backend not in {"postgresql", "postgres"}:
        raise _not_an_address(f"{backend}://…", f"there is no store on {backend}")
    # The query may hold a password too, so none of it is shown.
    shown = url.set(query={}).render_as_string(hide_password=True)
    return Location(url.set(drivername="postgresql+psycopg"), None, shown)


def prepare_file(location: Location, *, create: bool, mounts: Path | None = None) -> None:
    """Look at a SQLite file before it is opened; with ``create`` make it and its folder. Nothing to do for PostgreSQL.

    Raises AutotunerError(STORE_UNAVAILABLE) when the file can't be used, or lies on a network file system, where
    SQLite's locks and shared memory don't work between hosts. May block: it reads ``mounts``, by default ``MOUNTS``.
    """
    path = location.path
    if path is None:
        return
    if not create and not path.exists():
        raise unavailable(
            location, "there is no such file", "Check the path, or run a task to create the store", code_word="find"
        )
    try:
        table = (mounts or MOUNTS).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        table = ""  # not Linux: nothing to ask
    network = network_file_system(path.resolve(), table)
    if network is not None:
        raise unavailable(
            location,
            f"it lies on a network file system ({network}), where SQLite's locks do not keep writers apart",
            "Put the file on a local disk, or use a PostgreSQL URL",
        )
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unavailable(
            location,
            f"its folder {path.parent} cannot be made ({error.strerror})",
            "Choose a folder that you may write to",
        ) from error
    if path.is_dir():
        raise unavailable(location, "it is a folder", "Give the path of a file")
    if create and not path.exists():
        try:
            path.touch(mode=0o600)  # documents may hold what other users of the host must not read
        except OSError as error:
            raise unavailable(
                location,
                f"the file cannot be opened for writing ({error.strerror})",
                "Choose a folder that you may write to",
            ) from error


def network_file_system(path: Path, mounts: str) -> str | None:
    """Type of the network file system that holds ``path`` (absolute) by /proc/mounts' text; None: a local one."""
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[1]))
        # A later line with the same mount point lies on top of an earlier one.
        if path.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = (len(point.parts), fields[2])
    return found[1] if found is not None and found[1] in NETWORK_FILE_SYSTEMS else None


def file_is_sqlite(path: Path) -> bool:
    """Whether the file is missing, empty, or a SQLite database. May block.

    Asked through SQLite, never by opening the file: closing a file drops all locks of the process on it (POSIX), also
    those of stores that are open, and another process that ends would then take their log away.
    """
    try:
        if path.stat().st_size == 0:
            return True
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as asked:
            asked.execute("PRAGMA schema_version")
    except OSError:
        return True  # SQLite's own error says more
    except sqlite3.Error as error:
        return error.sqlite_errorcode != sqlite3.SQLITE_NOTADB
    return True


def unavailable(location: Location, why: str, remedy: str, *, code_word: str = "use") -> StoreUnavailableError:
    """The error for a store that can't be read or written, and where trying again would not help or not be safe."""
    return StoreUnavailableError(f"Cannot {code_word} the store", why=why, remedy=remedy, place=location.shown)


def unavailable_for_now(location: Location, why: str, mend: str) -> StoreUnavailableError:
    """The error for a store that can't be read or written at this moment; nothing was changed. ``mend``: what to do."""
    return StoreUnavailableError(
        "Cannot use the store", why=why, remedy=f"{mend} and try again", place=location.shown, mend=mend
    )


def _sqlite(name: str, given: str) -> Location:
    if name in {"", ":memory:"} or name.startswith("file:"):
        raise _not_an_address(given or "''", "it names no file")
    path = Path(name).expanduser().absolute()
    return Location(URL.create("sqlite+pysqlite", database=str(path)), path, str(path))


def _not_an_address(place: str, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        "Cannot tell where the store is",
        why=why,
        remedy="Give the path of a file, sqlite:///path or postgresql://user@host/database",
        place=place,
    )


def sqlite_error(location: Location, error: sqlite3.Error, busy_timeout_s: float) -> StoreUnavailableError:
    """What a failure of SQLite means, by its error code.

    A unit that fails has changed nothing, whatever it failed at, its commit included. The exception is a failed sync:
    what the disk holds after it is not known, so it is not tried again.
    """
    extended = getattr(error, "sqlite_errorcode", None)
    match None if extended is None else extended & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return unavailable_for_now(
                location,
                f"another program has held its write lock for longer than {busy_timeout_s:g} s",
                "End the other program (such as a backup tool or an open database browser)",
            )
        case sqlite3.SQLITE_NOTADB:
            return unavailable(location, "the file is not a SQLite database", "Give the path of another file")
        case sqlite3.SQLITE_CORRUPT:
            return unavailable(
                location,
                f"the file is damaged ({error})",
                "Restore a backup: `autotuner db backup` and upgrades leave one beside the file",
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return unavailable_for_now(
                location,
                f"the file or its folder cannot be opened for writing ({error})",
                "Make the file and its folder writable",
            )
        case sqlite3.SQLITE_FULL:
            return unavailable_for_now(location, "the disk is full", "Free some space")
        case sqlite3.SQLITE_IOERR if extended in _FULL_DISKS:
            return unavailable_for_now(location, f"the disk may be full ({error})", "Free some space")
        case sqlite3.SQLITE_IOERR if extended not in _FAILED_SYNCS:
            return unavailable_for_now(location, f"SQLite reports: {error}", "Check the disk and the file")
        case _:
            return unavailable(location, f"SQLite reports: {error}", "Check the disk and the file, then try again")


_FULL_DISKS = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP})
"""The memory that all who use a file share is a file beside it: it can't be made or grow."""

_FAILED_SYNCS = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})

"""Moving a whole store: into another database, and back from a backup. Blocking functions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.settings import Settings
from autotuner.services.task_lock import held_tasks
from autotuner.store.backups import backup_name, copy_to_file, newest_copy
from autotuner.store.database import translated
from autotuner.store.location import Location, parse_location, prepare_file
from autotuner.store.replacing import replace_file
from autotuner.store.schema import require_head, require_no_foreign_tables, state_of, upgrade_schema
from autotuner.store.transfer import (
    TableCopy,
    Tell,
    copy_rows,
    empty,
    forget_holds,
    holdings,
    live_workers,
    quiet,
    reading,
    same_database,
    task_numbers,
    writing,
)


@dataclass(frozen=True)
class Copied:
    """What a copy came to."""

    tables: Sequence[TableCopy]
    running: Sequence[int]
    """Tasks that a process held meanwhile; in the copy nobody runs them."""
    folders: int
    """Tasks whose reports and progress were copied into the folders of the new database."""
    unwritten: AutotunerError | None
    """Why some of those were not; the rows are all there."""


@dataclass(frozen=True)
class Restored:
    """What a restore came to."""

    tasks: int
    kept: Path | None
    """Backup of what was there; None: nothing was."""


def copy_store(settings: Settings, target: str, *, while_running: bool, tell: Tell = quiet) -> Copied:
    """Copy the settings' store, which may be in use, into an empty one: everything, or nothing.

    ``while_running``: also while tasks of it run. AutotunerError: INVALID_VALUE for the same database, CONFLICT for a
    target that is not empty or is in use, TASK_BUSY, STORE_SCHEMA, STORE_UNAVAILABLE, STORAGE, MISSING_EXTRA.
    """
    old, new = parse_location(settings.database), parse_location(target)
    _require_two_files(old, new)
    there = replace(settings, database=target)
    with reading(old, busy_timeout_s=settings.database_timeout_s) as source:
        # After the snapshot: of a task that is taken later the copy shows no run.
        running = held_tasks(settings)
        if running and not while_running:
            raise _busy(
                running, old, "Wait for its end, stop it, or give --while-running: in the copy it will look left behind"
            )
        with _empty_store(there, source) as into:
            tables = copy_rows(source, old, into, tell)
            _require_unused(into, there)
    folders, unwritten = _copy_files(settings, there)
    return Copied(tables, running, folders, unwritten)


def restore_store(settings: Settings, file: Path, *, replace_it: bool, tell: Tell = quiet) -> Restored:
    """Make the settings' store what a backup holds: all of it, or nothing is changed.

    ``replace_it``: also when there is something, which is backed up first. AutotunerError: MISSING_FILE, CONFLICT for
    a store that is not empty or is in use, TASK_BUSY, STORE_SCHEMA, STORE_UNAVAILABLE, STORAGE, MISSING_EXTRA.
    """
    location = parse_location(settings.database)
    if location.path is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as folder:
            newest = Path(folder) / "store.db"
            newest_copy(file, newest, busy_timeout_s=settings.database_timeout_s)
            return _restore_rows(settings, location, newest, replace_it=replace_it, tell=tell)
    return _restore_file(settings, location, location.path.resolve(), file, replace_it=replace_it)


def _restore_rows(settings: Settings, location: Location, newest: Path, *, replace_it: bool, tell: Tell) -> Restored:
    _make_tables(location, settings)
    kept: Path | None = None
    backup = parse_location(str(newest))
    with (
        reading(backup) as source,
        writing(location, busy_timeout_s=settings.database_timeout_s) as into,
    ):
        _require_unused(into, settings)
        if present := holdings(into):
            if not replace_it:
                raise _not_empty(location, present)
            kept = backup_name(location, settings.data_dir / "backups", _now())
            copy_to_file(into, location, kept, quiet)
        empty(into)
        copied = copy_rows(source, backup, into, tell)
        forget_holds(into)
        _require_unused(into, settings)
    return Restored(next(table.rows for table in copied if table.table == "tasks"), kept)


def _restore_file(settings: Settings, location: Location, path: Path, file: Path, *, replace_it: bool) -> Restored:
    timeout_s = settings.database_timeout_s

    def refuse() -> None:
        if running := held_tasks(settings):
            raise _busy(running, location, "Stop it first")

    refuse()
    with translated(location, timeout_s):
        prepare_file(location, create=False) if path.exists() else path.parent.mkdir(parents=True, exist_ok=True)
        present = _present(location, settings)
        if present and not replace_it:
            raise _not_empty(location, present)
        # In the same folder, so that it can take the other one's place.
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.restore-", dir=path.parent) as folder:
            newest = Path(folder) / path.name
            newest_copy(file, newest, busy_timeout_s=timeout_s)
            tasks = len(task_numbers(parse_location(str(newest))))
            kept = backup_name(location, path.parent, _now()) if present else None
            replace_file(path, newest, kept=kept, refuse=refuse, busy_timeout_s=timeout_s)
    return Restored(tasks, kept)


def _present(location: Location, settings: Settings) -> list[str]:
    """What a SQLite file holds, which need not be sound; empty when it is missing or holds nothing of anybody."""
    path = location.path
    if path is None or not path.exists() or path.stat().st_size == 0:
        return []
    timeout_s = settings.database_timeout_s
    try:
        has_tables = state_of(location, busy_timeout_s=timeout_s).current is not None
    except AutotunerError as error:
        if error.code is not ErrorCode.STORE_UNAVAILABLE:
            raise
        return [f"something that cannot be read ({error.why})"]
    if not has_tables:
        require_no_foreign_tables(location, busy_timeout_s=timeout_s)
        return []
    try:
        with reading(location, busy_timeout_s=timeout_s) as connection:
            _require_no_worker(connection, location)
            return holdings(connection)
    except AutotunerError as error:
        if error.code not in (ErrorCode.STORE_SCHEMA, ErrorCode.STORE_UNAVAILABLE):
            raise
        return [f"a store that cannot be read ({error.why})"]


@contextmanager
def _empty_store(settings: Settings, other: Connection) -> Iterator[Connection]:
    """A transaction on a store without anything, which is made if need be, and is not that of ``other``."""
    location = parse_location(settings.database)
    _make_tables(location, settings)
    with writing(location, busy_timeout_s=settings.database_timeout_s) as connection:
        if same_database(other, connection):
            raise _same(location)
        if present := holdings(connection):
            raise AutotunerError(
                ErrorCode.CONFLICT,
                "Nothing was copied",
                why=f"the other store is not empty: it holds {' and '.join(present)}",
                remedy="Give a new file, or make a new database",
                place=location.shown,
            )
        _require_unused(connection, settings)
        empty(connection)  # presets that come with the program
        yield connection


def _make_tables(location: Location, settings: Settings) -> None:
    """Make the tables of a store that has none. AutotunerError(STORE_SCHEMA) for another schema."""
    timeout_s = settings.database_timeout_s
    with translated(location, timeout_s):
        prepare_file(location, create=True)
    state = state_of(location, busy_timeout_s=timeout_s)
    if state.current is None:
        upgrade_schema(location, busy_timeout_s=timeout_s)
    else:
        require_head(location, state)


def _require_unused(connection: Connection, settings: Settings) -> None:
    location = parse_location(settings.database)
    if running := held_tasks(settings):
        raise _busy(running, location, "Stop it first")
    _require_no_worker(connection, location)


def _require_no_worker(connection: Connection, location: Location) -> None:
    if workers := live_workers(connection):
        raise AutotunerError(
            ErrorCode.CONFLICT,
            "The store is in use",
            why=f"the worker {workers[0]} serves it",
            remedy="Stop `autotuner serve` and its workers; one that was killed counts as gone after 20 seconds",
            place=location.shown,
        )


def _require_two_files(old: Location, new: Location) -> None:
    if old.path is not None and new.path is not None:
        same = old.path.resolve() == new.path.resolve()
        if same or (old.path.exists() and new.path.exists() and old.path.samefile(new.path)):
            raise _same(new)


def _copy_files(old: Settings, new: Settings) -> tuple[int, AutotunerError | None]:
    """Copy what lies in the folders of the tasks themselves: reports, progress; logs of servers stay where they are."""
    count, failed = 0, None
    for number in task_numbers(parse_location(new.database)):
        source, target = old.task_dir(number), new.task_dir(number)
        if source == target or not source.is_dir():
            continue
        try:
            target.mkdir(parents=True, exist_ok=True)
            for file in source.iterdir():
                if file.is_file():  # another of that name is of a database that is no more
                    shutil.copy2(file, target / file.name)
        except OSError as error:
            failed = failed or AutotunerError(
                ErrorCode.STORAGE,
                "Reports and progress of some tasks were not copied",
                why=(error.strerror or str(error)).lower(),
                remedy="All rows were copied: make room, then `autotuner report` writes reports anew",
                place=str(target),
            )
        else:
            count += 1
    return count, failed


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _busy(running: Sequence[int], location: Location, remedy: str) -> AutotunerError:
    one = len(running) == 1
    named = ", ".join(map(str, running[:5])) + (" …" if len(running) > 5 else "")
    return AutotunerError(
        ErrorCode.TASK_BUSY,
        "The store is in use",
        why=f"task {named} is being run" if one else f"tasks {named} are being run",
        remedy=remedy,
        place=location.shown,
    )


def _same(location: Location) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        "Nothing was copied",
        why="source and target are the same database",
        remedy="Give another file or database with --to",
        place=location.shown,
    )


def _not_empty(location: Location, present: Sequence[str]) -> AutotunerError:
    return AutotunerError(
        ErrorCode.CONFLICT,
        "Nothing was restored",
        why=f"there is a store already: it holds {' and '.join(present)}",
        remedy="Give --replace to put the backup in its place; what is there is backed up first",
        place=location.shown,
    )

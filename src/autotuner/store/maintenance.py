"""What `autotuner db` does: upgrade, the schema's state, backup, check."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, inspect

from autotuner.store.backups import back_up, backup_name, copy_to_file, damage
from autotuner.store.database import BUSY_TIMEOUT_S, sync_engine, translated
from autotuner.store.location import Location, parse_location
from autotuner.store.models import Base
from autotuner.store.schema import SchemaState, require_head, state_of, upgrade_schema
from autotuner.store.transfer import Tell, quiet


async def upgrade(
    url_or_path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S, backups: Path | None = None
) -> Path | None:
    """Bring a store to the newest schema, or make its tables.

    What is there is backed up first: a SQLite file to ``<file>.backup-<revision>``, PostgreSQL to a SQLite file in the
    folder ``backups`` (None: not at all). Returns that path, None if there was nothing to back up.
    Raises AutotunerError: STORE_SCHEMA for a newer store or another program's database, STORE_UNAVAILABLE,
    MISSING_EXTRA.
    """
    location = parse_location(url_or_path)

    def keep(connection: Connection, revision: str) -> Path:
        target = backup_name(location, backups or Path(), revision)
        copy_to_file(connection, location, target, quiet)
        return target

    chosen = None if location.path is not None or backups is None else keep
    return await asyncio.to_thread(partial(upgrade_schema, location, busy_timeout_s=busy_timeout_s, keep=chosen))


async def schema_state(url_or_path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> SchemaState:
    """The revision of a store and the newest one. Raises AutotunerError: STORE_UNAVAILABLE, MISSING_EXTRA."""
    location = parse_location(url_or_path)
    return await asyncio.to_thread(partial(state_of, location, busy_timeout_s=busy_timeout_s))


async def backup(url_or_path: str, target: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, tell: Tell = quiet) -> None:
    """Copy a store to the SQLite file ``target`` while it is in use; the copy holds one state of it.

    Raises AutotunerError: CONFLICT when ``target`` exists, STORAGE when its folder doesn't, STORE_SCHEMA,
    STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    location = parse_location(url_or_path)
    await asyncio.to_thread(partial(back_up, location, target, tell, busy_timeout_s=busy_timeout_s))


async def check(url_or_path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> list[str]:
    """What is wrong with a store, one line each; empty when it is sound.

    SQLite: its own integrity check and dangling references. PostgreSQL (which keeps both itself): missing tables.
    Raises AutotunerError: STORE_SCHEMA, STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    location = parse_location(url_or_path)
    return await asyncio.to_thread(_check, location, busy_timeout_s)


def _check(location: Location, busy_timeout_s: float) -> list[str]:
    require_head(location, state_of(location, busy_timeout_s=busy_timeout_s))
    with translated(location, busy_timeout_s):
        if location.path is not None:
            return damage(location.path, busy_timeout_s)
        engine = sync_engine(location, busy_timeout_s=busy_timeout_s)
        try:
            present = set(inspect(engine).get_table_names())
        finally:
            engine.dispose()
        return [f"table {name} is missing" for name in sorted(set(Base.metadata.tables) - present)]

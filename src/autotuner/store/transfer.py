"""The rows of one store into another, on whichever databases: all or none, and compared. Blocking functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from secrets import randbits

from pydantic import Field
from sqlalchemy import Connection, MetaData, Table, delete, func, inspect, select, text, update
from sqlalchemy.exc import DataError, IntegrityError

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.store.database import BUSY_TIMEOUT_S, sync_engine, translated
from autotuner.store.location import Location, file_is_sqlite, prepare_file, unavailable
from autotuner.store.models import Base, ParameterPreset, Task, Worker
from autotuner.store.raw_rows import Row, Tally, as_sqlite_keeps, raw_tables, read_rows, write_rows
from autotuner.store.schema import read_state, require_head
from autotuner.store.sealed import file_state, require_unchanged, sealed

Tell = Callable[[str, int, int], None]
"""Is told table, rows done, rows in all."""


def quiet(table: str, done: int, total: int) -> None:
    """Tells nobody."""


LIVE_S = 20.0
"""A worker whose last heartbeat is younger is at work."""


class TableCopy(Frozen):
    """What was copied of a table; it was read back from the copy, and is the same there."""

    table: str
    rows: int
    checksum: str = Field(description="sum of the rows' BLAKE2 hashes, 128 bits in hexadecimal")


@contextmanager
def reading(
    location: Location, *, busy_timeout_s: float = BUSY_TIMEOUT_S, any_schema: bool = False
) -> Iterator[Connection]:
    """One snapshot of a store, which others go on writing to.

    ``any_schema``: also an older one. AutotunerError: STORE_SCHEMA, STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    with translated(location, busy_timeout_s):
        prepare_file(location, create=False)
        if location.path is not None and not file_is_sqlite(location.path):
            raise unavailable(location, "the file is not a SQLite database", "Give the path of another file")
        read_only, before = sealed(location), file_state(location)
        engine = sync_engine(read_only or location, busy_timeout_s=busy_timeout_s, read_only=True)
        try:
            with engine.connect() as connection:
                state = read_state(connection)
                if not (any_schema and state.current is not None):
                    require_head(location, state)
                yield connection
        finally:
            engine.dispose()
        if read_only is not None:
            require_unchanged(location, before)


@contextmanager
def writing(location: Location, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[Connection]:
    """One transaction on a store of the newest schema, beside which nobody writes; committed at the end, or undone.

    AutotunerError: STORE_SCHEMA, STORE_UNAVAILABLE, MISSING_EXTRA.
    """
    with translated(location, busy_timeout_s):
        engine = sync_engine(location, busy_timeout_s=busy_timeout_s)
        try:
            with engine.begin() as connection:
                require_head(location, read_state(connection))
                if location.path is None:
                    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
                    connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
                yield connection
        finally:
            engine.dispose()


def same_database(one: Connection, other: Connection) -> bool:
    """Whether two connections to PostgreSQL are to one database: one of them sees the other's lock."""
    if one.dialect.name != "postgresql" or other.dialect.name != "postgresql":
        return False
    high, low = randbits(31), randbits(31)
    one.execute(text("SELECT pg_advisory_xact_lock(:high, :low)"), {"high": high, "low": low})
    held = text(
        "SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
        "WHERE datname = current_database() AND locktype = 'advisory' AND objsubid = 2 "
        "AND classid::bigint = :high AND objid::bigint = :low)"
    )
    return bool(other.execute(held, {"high": high, "low": low}).scalar_one())


def holdings(connection: Connection) -> list[str]:
    """What a store holds that is somebody's, such as "3 tasks"; not the presets that come with the program."""
    own = ParameterPreset.is_system.is_(False)
    queries = {
        ("task", "tasks"): select(func.count()).select_from(Task),
        ("preset of its own", "presets of its own"): select(func.count()).select_from(ParameterPreset).where(own),
    }
    found = {nouns: connection.execute(query).scalar_one() for nouns, query in queries.items()}
    return [f"{count} {one if count == 1 else many}" for (one, many), count in found.items() if count]


def task_numbers(location: Location) -> list[int]:
    """Numbers of all tasks of a store, deleted ones too. AutotunerError as ``reading``."""
    with reading(location) as connection:
        return list(connection.execute(select(Task.id).order_by(Task.id)).scalars())


def live_workers(connection: Connection, *, within_s: float = LIVE_S) -> list[str]:
    """Names of the workers that are at work, by the database's clock."""
    if connection.dialect.name == "sqlite":
        age = "(julianday('now') - julianday(heartbeat_at)) * 86400"
    else:
        age = "extract(epoch FROM clock_timestamp() - heartbeat_at)"
    query = select(Worker.name).where(text(f"{age} < :within")).order_by(Worker.id)
    return list(connection.execute(query, {"within": within_s}).scalars())


def forget_holds(connection: Connection) -> None:
    """Nobody who held a task before can take it up again as if nothing had happened."""
    connection.execute(update(Task).values(held_by=None))


def empty(connection: Connection) -> None:
    """Delete all rows."""
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(delete(table))


def copy_rows(
    source: Connection, place: Location, target: Connection, tell: Tell, *, metadata: MetaData = Base.metadata
) -> list[TableCopy]:
    """Add all rows of ``source``, the store at ``place``, to the empty tables of ``target``; read all of it back.

    ``metadata``: the tables, which both have. The counters of numbers are carried over, too. AutotunerError: CONFLICT
    for a row that the target refuses, STORAGE when what it holds differs from what was read, STORE_UNAVAILABLE for
    the source. Then the caller's transaction has to be undone.
    """
    before, after = raw_tables(metadata, source), raw_tables(metadata, target)
    with translated(place):
        counts = {table.name: _count(source, table) for table in before}
        given = {table.name: _counter(source, table) for table in before if _is_numbered(table)}
    into_sqlite = target.dialect.name == "sqlite"
    copies = []
    for old, new in zip(before, after, strict=True):
        kept = as_sqlite_keeps(old) if into_sqlite else None
        read = Tally()
        tell(old.name, 0, counts[old.name])
        for portion in _read(source, old, place):
            rows = portion if kept is None else list(map(kept, portion))
            _write(target, new, rows)
            read.add(rows)
            tell(old.name, read.rows, counts[old.name])
        copies.append(TableCopy(table=old.name, rows=read.rows, checksum=read.checksum))
    for new, copy in zip(after, copies, strict=True):
        _compare(target, new, copy)
    for name, number in given.items():
        _carry_counter(target, name, number)
    return copies


def _read(source: Connection, table: Table, place: Location) -> Iterator[list[Row]]:
    with translated(place):
        yield from read_rows(source, table)


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _write(target: Connection, table: Table, rows: Sequence[Row]) -> None:
    try:
        write_rows(target, table, rows)
    except (DataError, IntegrityError) as error:
        first = str(error.orig).strip().partition("\n")[0]
        raise AutotunerError(
            ErrorCode.CONFLICT,
            "The copy was undone",
            why=f"the other database refuses a row of {table.name} ({first})",
            remedy="Run `autotuner db check` on the source",
        ) from error


def _compare(target: Connection, table: Table, copy: TableCopy) -> None:
    found = Tally()
    for portion in read_rows(target, table):
        found.add(portion)
    if (found.rows, found.checksum) != (copy.rows, copy.checksum):
        raise AutotunerError(
            ErrorCode.STORAGE,
            "The copy was undone",
            why=f"the rows of {table.name}, read back from it, are not those of the source "
            f"({found.rows} and {copy.rows} rows)",
            remedy="Check the disk of the copy and run `autotuner db check` on the source",
        )


def _is_numbered(table: Table) -> bool:
    """Whether the database gives its rows their numbers."""
    return list(table.primary_key.columns.keys()) == ["id"]


def _carry_counter(target: Connection, table: str, given: int) -> None:
    """A number that was given once is never given again, also if its row was deleted; 0: none was."""
    if not given:
        return
    if target.dialect.name == "sqlite":
        target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table})
        target.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :given)"), {"name": table, "given": given}
        )
    else:
        values = {"name": _sequence(target, table), "given": given}
        target.execute(text("SELECT setval(CAST(:name AS regclass), :given)"), values)


def _counter(source: Connection, table: Table) -> int:
    """The greatest number that was ever given, or is there."""
    largest = source.execute(select(func.max(table.c.id))).scalar() or 0
    if source.dialect.name == "sqlite":
        query, name = text("SELECT max(seq) FROM sqlite_sequence WHERE name = :name"), table.name
    else:
        query, name = text("SELECT pg_sequence_last_value(CAST(:name AS regclass))"), _sequence(source, table.name)
    return max(int(source.execute(query, {"name": name}).scalar() or 0), int(largest))


def _sequence(connection: Connection, table: str) -> str:
    """The sequence of a table's numbers, quoted where that is needed."""
    return str(connection.execute(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table}).scalar_one())


def reflected(connection: Connection) -> MetaData:
    """The tables that a database made by revisions has, whatever the models say."""
    metadata = MetaData()
    ours = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    metadata.reflect(connection, only=ours)
    return metadata

"""Copies between SQLite and PostgreSQL, in every direction: values, numbers, refusals, death in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect as sqlite_connect
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert
from two_stores import contents, execute, fill, next_number

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.store import backup, check, migrations, open_store, schema, schema_state, transfer, upgrade
from autotuner.store.backups import newest_copy
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
from autotuner.store.models import Base, EventEntry, Task
from autotuner.store.raw_rows import as_sqlite_keeps, raw_tables, write_rows
from autotuner.store.transfer import (
    copy_rows,
    empty,
    holdings,
    live_workers,
    quiet,
    reading,
    same_database,
    writing,
)
from conformance.store_suite import new_task

COPIER = Path(__file__).with_name("crashing_copier.py")
KINDS = ("sqlite", "postgres")
Place = Callable[[str], str]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Makes the address of an empty store of a kind, which has its tables."""
    made = 0

    def make(kind: str) -> str:
        nonlocal made
        made += 1
        if kind == "sqlite":
            url = str(tmp_path / f"{made}.db")
        else:
            url = request.getfixturevalue("postgres_server").new_database()
        asyncio.run(upgrade(url))
        return url

    return make


def copy(source: str, target: str, tell: transfer.Tell = quiet) -> list[transfer.TableCopy]:
    old, new = parse_location(source), parse_location(target)
    with reading(old) as before, writing(new) as after:
        return copy_rows(before, old, after, tell)


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_a_copy_holds_the_same_and_goes_on_with_other_numbers(place: Place, source_kind: str, target_kind: str) -> None:
    source, target = place(source_kind), place(target_kind)
    asyncio.run(fill(source))
    before = contents(source)
    told: list[tuple[str, int, int]] = []
    copies = {one.table: one for one in copy(source, target, lambda *what: told.append(what))}
    assert contents(target) == before == contents(source)
    assert copies["events"].rows == execute(source, "SELECT count(*) FROM events")[0][0]
    assert [name for name, done, total in told if done == total != 0] == [
        table.name for table in Base.metadata.sorted_tables if copies[table.name].rows
    ]
    assert asyncio.run(check(target)) == []
    # Preset 2 and the largest numbers of all tables were given once.
    numbered = [table.name for table in Base.metadata.sorted_tables if "id" in table.primary_key.columns]
    after = {table: next_number(target, table) for table in numbered}
    assert after["parameter_presets"] == 3
    assert after == {table: next_number(source, table) for table in numbered}


def test_every_column_can_be_carried(place: Place) -> None:
    with reading(parse_location(place("sqlite"))) as connection:
        assert [t.name for t in raw_tables(Base.metadata, connection)] == [t.name for t in Base.metadata.sorted_tables]


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ANY_TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST_S = int((datetime(9999, 12, 30, tzinfo=UTC) - FIRST).total_seconds())
TIMES = st.builds(
    lambda seconds, microseconds: FIRST + timedelta(seconds=seconds, microseconds=microseconds),
    st.integers(0, LAST_S),
    st.integers(0, 999_999),
)
ROWS = st.fixed_dictionaries(
    {
        "document": st.dictionaries(ANY_TEXT, JSON, max_size=4),
        "result": st.none() | st.dictionaries(ANY_TEXT, JSON, max_size=4),
        "created_at": TIMES,
        "finished_at": st.none() | TIMES,
        "elapsed_s": st.floats(allow_nan=False).map(lambda value: value + 0.0),  # SQLite has no -0.0
        "stop_reason": st.none() | ANY_TEXT,
        "fingerprint": TEXT,
        "next_seq": st.integers(-(2**63), 2**63 - 1),
    }
)


@pytest.mark.parametrize(("source_kind", "target_kind"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_any_value_is_copied_as_it_is(place: Place, source_kind: str, target_kind: str) -> None:
    source, target = place(source_kind), place(target_kind)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(ROWS, min_size=1, max_size=4))
    def check_values(rows: list[dict[str, Any]]) -> None:
        usual = {"status": "pending", "parameters": {}, "identity": {}, "priority": 0, "run": 1}
        for url in (source, target):
            with writing(parse_location(url)) as connection:
                empty(connection)
                if url == source:
                    for number, row in enumerate(rows):
                        named = {"name": f"task {number}", "name_folded": "", "updated_at": row["created_at"]}
                        connection.execute(insert(Task), [usual | named | row])
        copy(source, target)
        assert contents(target) == contents(source)

    check_values()


def test_sqlite_has_no_nan_and_no_signed_zero(place: Place) -> None:
    with closing(sqlite_connect(":memory:")) as connection:
        connection.execute("CREATE TABLE x (a DOUBLE)")
        connection.executemany("INSERT INTO x VALUES (?)", [(float("nan"),), (-0.0,), (float("inf"),), (0.1,)])
        stored = [row[0] for row in connection.execute("SELECT a FROM x")]
    with reading(parse_location(place("sqlite"))) as reader:
        (table,) = [t for t in raw_tables(Base.metadata, reader) if t.name == "experiments"]
    keep = as_sqlite_keeps(table)
    number = list(table.columns.keys()).index("objective_score")
    blank: tuple[Any, ...] = (None,) * len(table.columns)
    for value, found in zip((float("nan"), -0.0, float("inf"), 0.1), stored, strict=True):
        kept = keep((*blank[:number], value, *blank[number + 1 :]))[number]
        assert repr(kept) == repr(found)


def test_a_copy_holds_one_state_of_a_source_that_is_written_to(place: Place) -> None:
    for kind in KINDS:
        source, target = place(kind), place("sqlite")
        asyncio.run(fill(source))
        before = contents(source)

        def write(table: str, done: int, _total: int, source: str = source) -> None:
            if (table, done) == ("tasks", 0):
                execute(source, "UPDATE tasks SET name = 'another'", "DELETE FROM measurements")

        copy(source, target, write)
        assert contents(target) == before != contents(source)


def test_what_differs_or_is_refused_undoes_the_copy(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        source, target = place("sqlite"), place(kind)
        asyncio.run(fill(source))
        with monkeypatch.context() as patched:

            def lossy(connection: Connection, table: Any, rows: Any) -> None:
                write_rows(connection, table, rows)
                if table.name == "events":
                    connection.execute(EventEntry.__table__.update().values(message="other"))  # type: ignore[attr-defined]

            patched.setattr(transfer, "write_rows", lossy)
            with pytest.raises(AutotunerError, match="rows of events, read back from it, are not those") as caught:
                copy(source, target)
            assert caught.value.code is ErrorCode.STORAGE
        execute(source, "UPDATE tasks SET fingerprint = printf('%200s', 'f')")  # SQLite takes it
        if kind == "postgres":
            with pytest.raises(AutotunerError, match="refuses a row of tasks") as caught:
                copy(source, target)
            assert caught.value.code is ErrorCode.CONFLICT
        with reading(parse_location(target)) as connection:
            assert holdings(connection) == []


@pytest.mark.parametrize("instant", ["events", "after_commit"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_is_killed_leaves_nothing_or_all(place: Place, kind: str, instant: str) -> None:
    source, target = place("sqlite"), place(kind)
    asyncio.run(fill(source))
    ended = subprocess.run(
        [sys.executable, COPIER, source, target, instant], check=False, env=dict(os.environ), timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    assert asyncio.run(check(target)) == []
    with reading(parse_location(target)) as connection:
        assert holdings(connection) == (["2 tasks", "1 preset of its own"] if instant == "after_commit" else [])
    if instant != "after_commit":
        copy(source, target)
    assert contents(target).keys() == contents(source).keys()
    assert execute(target, "SELECT count(*) FROM events") == execute(source, "SELECT count(*) FROM events")


def test_two_names_of_one_database_are_told(postgres_server: Any, tmp_path: Path) -> None:
    one, other = postgres_server.new_database(), postgres_server.new_database()
    for url in (one, other):
        asyncio.run(upgrade(url))
    with reading(parse_location(one)) as a, writing(parse_location(f"{one}&application_name=x")) as b:
        assert same_database(a, b)
    with reading(parse_location(one)) as a, writing(parse_location(other)) as b:
        assert not same_database(a, b)


def test_nobody_else_writes_while_a_store_is_filled(place: Place) -> None:
    for kind in KINDS:
        url = place(kind)

        async def write(url: str = url) -> None:
            async with open_store(url, busy_timeout_s=0.05) as store:
                await store.create_task(new_task())

        with writing(parse_location(url)):
            with pytest.raises(AutotunerError, match="for longer than") as caught:
                asyncio.run(write())
            assert caught.value.code is ErrorCode.STORE_UNAVAILABLE


def test_workers_at_work_are_told_from_those_that_are_silent(place: Place) -> None:
    for kind in KINDS:
        url = place(kind)
        now = datetime.now(UTC)
        with writing(parse_location(url)) as connection:
            for name, ago in (("alive", 5), ("silent", 300)):
                beat = now - timedelta(seconds=ago)
                row = {"name": name, "host": "h", "pid": 1, "version": "1", "state": "idle"}
                connection.execute(
                    insert(Base.metadata.tables["workers"]), [row | {"started_at": now, "heartbeat_at": beat}]
                )
            assert live_workers(connection) == ["alive"]


# ---- backups


def test_a_backup_of_either_kind_is_a_file_that_can_be_used(place: Place, tmp_path: Path) -> None:
    for kind in KINDS:
        source, target = place(kind), tmp_path / f"{kind}.backup"
        asyncio.run(fill(source))
        asyncio.run(backup(source, target))
        assert contents(str(target))["events"] == contents(source)["events"]
        assert target.stat().st_mode & 0o777 == 0o600
        with pytest.raises(AutotunerError, match="exists already") as caught:
            asyncio.run(backup(source, target))
        assert caught.value.code is ErrorCode.CONFLICT
        with pytest.raises(AutotunerError, match="no folder"):
            asyncio.run(backup(source, tmp_path / "none" / "x"))
    assert {path.name for path in tmp_path.iterdir()} >= {"sqlite.backup", "postgres.backup"}
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


@pytest.fixture
def older(place: Place) -> Callable[[str, str], str]:
    """Makes a store of an older revision, with a task in it."""

    def make(kind: str, revision: str) -> str:
        url = place(kind)
        engine = sync_engine(parse_location(url), enforce_references=False)
        with engine.begin() as connection:
            for table in [*reversed(Base.metadata.sorted_tables), Base.metadata.tables["tasks"]]:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")
            connection.exec_driver_sql("DELETE FROM alembic_version")
            schema.run_revisions(connection, revision)
        engine.dispose()
        execute(
            url,
            "INSERT INTO tasks (name, name_folded, status, document, parameters, fingerprint, identity, next_seq, "
            "created_at, updated_at, elapsed_s) VALUES ('old', 'old', 'pending', '{\"x\": {\"$float\": \"nan\"}}', "
            "'{}', 'f', '{}', 1, '2026-01-01 00:00:00.000001', '2026-01-01 00:00:00', 0.1)",
        )
        return url

    return make


@pytest.mark.parametrize("revision", migrations.REVISIONS[:-1])
def test_postgres_is_backed_up_before_an_upgrade(
    older: Callable[[str, str], str], tmp_path: Path, revision: str
) -> None:
    url = older("postgres", revision)
    # Whatever the backup is taken for, it has the old schema, made by the revisions.
    asyncio.run(backup(url, tmp_path / "before.db"))
    assert asyncio.run(schema_state(str(tmp_path / "before.db"))).current == revision
    kept = asyncio.run(upgrade(url, backups=tmp_path / "backups"))
    assert kept is not None
    assert kept.parent == tmp_path / "backups"
    assert kept.name.endswith(f".backup-{revision}")
    assert asyncio.run(schema_state(str(kept))).current == revision
    assert asyncio.run(schema_state(url)).current == migrations.HEAD
    assert asyncio.run(upgrade(url, backups=tmp_path / "backups")) is None
    newest_copy(kept, tmp_path / "newest.db")
    assert contents(str(tmp_path / "newest.db")) == contents(url)
    assert asyncio.run(schema_state(str(kept))).current == revision  # it was not changed


def test_a_copy_from_another_schema_is_refused(older: Callable[[str, str], str], place: Place) -> None:
    for kind in KINDS:
        with pytest.raises(AutotunerError, match="autotuner db upgrade") as caught:
            copy(older(kind, "0002"), place("sqlite"))
        assert caught.value.code is ErrorCode.STORE_SCHEMA


def test_what_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("to do: buy milk, call the plumber")
    blank = tmp_path / "blank.db"
    with closing(sqlite_connect(blank)) as connection:
        connection.execute("CREATE TABLE bookmarks (id INTEGER)")
    newer = place("sqlite")
    execute(newer, "UPDATE alembic_version SET version_num = '9999'")
    damaged = place("sqlite")
    asyncio.run(fill(damaged))
    with closing(sqlite_connect(damaged)) as connection:
        connection.execute("DELETE FROM experiments")  # foreign keys are off unless asked for
        connection.commit()
    for file, words in (
        (tmp_path / "none.db", "There is no such backup"),
        (tmp_path, "There is no such backup"),
        (notes, "not a SQLite database"),
        (blank, "has no tables yet"),
        (Path(newer), "made by a newer version"),
        (Path(damaged), "The backup is damaged"),
    ):
        with pytest.raises(AutotunerError, match=words):
            newest_copy(file, tmp_path / "target.db")
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("target.db.")]
        (tmp_path / "target.db").unlink(missing_ok=True)

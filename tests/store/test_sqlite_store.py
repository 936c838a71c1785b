"""The store on SQLite."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import TaskQuery
from autotuner.contracts.store import Store
from autotuner.store import SqlStore, check, open_store
from autotuner.store.location import file_is_sqlite, parse_location, sqlite_error
from autotuner.store.models import Task
from autotuner.store.sealed import file_state, require_unchanged
from conformance.store_suite import StoreSuite, new_task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "störe 1.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(str(path)) as opened:
        yield opened


@pytest.fixture
async def other_store(store: Store, path: Path) -> AsyncIterator[Store]:
    async with open_store(str(path)) as opened:
        yield opened


class TestSqliteStore(StoreSuite):
    """All of the suite."""


async def test_the_file_is_kept_as_promised(path: Path, store: SqlStore) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    # The writer waits in steps, so that waiting can be broken off.
    async with store._database._writer.connect() as opened:
        written = await opened.run_sync(pragmas)
    read = await store._database.read(lambda session: pragmas(session.connection()))
    assert written == {"synchronous": 2, "foreign_keys": 1, "busy_timeout": 100}
    assert read == written | {"busy_timeout": 30_000}


def pragmas(connection: Connection) -> dict[str, Any]:
    return {
        name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("synchronous", "foreign_keys", "busy_timeout")
    }


async def test_a_new_file_is_for_its_owner_alone(path: Path, store: Store) -> None:
    modes = {
        file.name: file.stat().st_mode & 0o777 for file in await asyncio.to_thread(lambda: [*path.parent.iterdir()])
    }
    assert modes[path.name] == 0o600
    assert set(modes.values()) == {0o600}  # the log beside it holds the same data


async def test_a_reader_cannot_write(store: SqlStore) -> None:
    with pytest.raises(AutotunerError, match="cannot be opened for writing"):
        await store._database.read(lambda session: session.execute(delete(Task)))


async def test_reading_and_opening_do_not_wait_for_a_writer(path: Path, store: Store) -> None:
    task = await store.create_task(new_task())
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE tasks SET name = 'uncommitted'")
        assert await store.get_task(task.id) == task
        # In another process too; a timeout of 0 makes any wait an error.
        script = (
            "import asyncio, sys\n"
            "from autotuner.store import open_store\n"
            "async def main():\n"
            "    async with open_store(sys.argv[1], busy_timeout_s=0.0) as store:\n"
            "        print((await store.get_task(int(sys.argv[2]))).name)\n"
            "asyncio.run(main())\n"
        )
        reader = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", script, str(path), str(task.id)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (reader.stdout, reader.stderr) == ("job\n", "")
        writer.execute("ROLLBACK")


async def test_a_locked_database_is_said_to_be_locked(path: Path, store: Store) -> None:
    async with open_store(str(path), busy_timeout_s=0.05) as hasty:
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            with pytest.raises(AutotunerError) as caught:
                await hasty.create_task(new_task())
        assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
        assert str(caught.value) == (
            f"Cannot use the store (at {path}): another program has held its write lock for longer than 0.05 s. "
            "End the other program (such as a backup tool or an open database browser) and try again."
        )
        assert (await hasty.create_task(new_task())).id == 1  # usable once the lock is gone, nothing stored before


async def test_a_writer_that_waits_gets_its_turn(path: Path, store: Store) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.create_task(new_task()))
        behind = asyncio.create_task(store.create_task(new_task("behind")))
        assert await store.find_task("job") is None  # the loop goes on meanwhile
        behind.cancel()  # waits for the other writer of this store: gives up at once
        with pytest.raises(asyncio.CancelledError):
            await behind
        assert not waiting.done()
        writer.execute("ROLLBACK")
        assert (await waiting).name == "job"
    assert await store.find_task("behind") is None


async def test_waiting_for_another_program_can_be_broken_off(path: Path, store: SqlStore) -> None:
    tries = asyncio.Event()
    event.listen(store._database._writer.sync_engine, "handle_error", lambda _context: tries.set())
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.create_task(new_task()))
        await tries.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting  # for 30 s, if the wait were SQLite's; then it would fail with another error
        writer.execute("ROLLBACK")
    assert (await store.create_task(new_task("usable afterwards"))).id == 1


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("SQLITE_BUSY_SNAPSHOT", True),
        ("SQLITE_FULL", True),
        ("SQLITE_IOERR_WRITE", True),
        ("SQLITE_IOERR_SHMSIZE", True),
        ("SQLITE_READONLY_DBMOVED", True),
        ("SQLITE_IOERR_FSYNC", False),  # what the disk holds after it is not known
        ("SQLITE_CORRUPT", False),
        ("SQLITE_NOTADB", False),
    ],
)
def test_what_may_be_tried_again_is_what_has_changed_nothing(tmp_path: Path, name: str, again: bool) -> None:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = getattr(sqlite3, name)
    assert (sqlite_error(parse_location(str(tmp_path / "x.db")), error, 1.0).mend is not None) == again


async def test_a_file_that_changed_while_it_was_read_without_its_log_is_refused(path: Path, store: Store) -> None:
    location = parse_location(str(path))
    before = file_state(location)
    require_unchanged(location, before)
    await store.create_task(new_task())
    with pytest.raises(AutotunerError, match="it was written to while it was read"):
        require_unchanged(location, before)


async def refusal(url: str, *, create: bool = True) -> AutotunerError:
    """The error of opening a store."""
    with pytest.raises(AutotunerError) as caught:
        async with open_store(url, create=create):
            pass
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    return caught.value


async def test_what_is_not_a_database_is_refused(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("to do: buy milk, call the plumber")
    assert "not a SQLite database" in (await refusal(str(notes))).why
    assert notes.read_text() == "to do: buy milk, call the plumber"
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert "not a SQLite database" in (await refusal(str(damaged))).why
    assert "is a folder" in (await refusal(str(tmp_path))).why
    assert "no such file" in (await refusal(str(tmp_path / "none.db"), create=False)).why
    assert not (tmp_path / "none.db").exists()
    assert "cannot be made" in (await refusal(str(notes / "x.db"))).why


WITHOUT_PERMISSION = """
import asyncio, os, sys
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.store import NewTask
from autotuner.store import open_store

async def use(path):
    async with open_store(path) as store:
        await store.create_task(NewTask(name="x", document={}, fingerprint="f"))

asyncio.run(use(sys.argv[1]))  # loads what is loaded late
if os.geteuid() == 0:
    os.setuid(65534)  # permissions don't bind root
try:
    asyncio.run(use(sys.argv[2]))
except AutotunerError as error:
    print(error.code.value, error.why)
"""


@pytest.mark.parametrize("kept", ["folder", "file"])
def test_a_place_without_permission_is_refused(kept: str) -> None:
    folder = Path(tempfile.mkdtemp())  # not tmp_path, which is closed to other users altogether
    file = folder / "x.db"
    try:
        if kept == "file":
            asyncio.run(open_and_close(file))
            file.chmod(0o400)
        (folder / "warm").mkdir()
        folder.chmod(0o555)
        ran = subprocess.run(
            [sys.executable, "-c", WITHOUT_PERMISSION, folder / "warm/x.db", file],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ran.stdout[:17], ran.stderr) == ("store_unavailable", "")
        assert "cannot be opened" in ran.stdout
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


async def open_and_close(path: Path) -> None:
    """Make a store."""
    async with open_store(str(path)):
        pass


async def test_ten_thousand_experiments_are_read_with_one_query(path: Path, store: SqlStore) -> None:
    task = await store.create_task(new_task())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 9999) "
            "INSERT INTO experiments (task_id, number, origin, status, parameters, identity, created_at) "
            """SELECT ?, n, 'search', 'pending', '{"x": ' || n || '}', 'i' || n, '2026-01-01 00:00:00.000000' FROM n""",
            (task.id,),
        )
        connection.commit()
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    reader = store._database._readers.engine
    event.listen(reader, "before_cursor_execute", note)
    listed = await store.list_experiments(task.id)
    assert [experiment.parameters["x"] for experiment in listed] == list(range(10_000))
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1


async def test_lists_are_read_by_index(path: Path, store: Store) -> None:
    queries = [
        "SELECT * FROM tasks WHERE name = 'a' AND deleted_at IS NULL",
        "SELECT * FROM tasks WHERE status = 'running' ORDER BY id DESC",
        "SELECT * FROM experiments WHERE task_id = 1 ORDER BY number",
        "SELECT * FROM attempts WHERE task_id = 1 ORDER BY id",
        "SELECT * FROM attempts WHERE experiment_id = 1",
        "SELECT status, count(*) FROM experiments WHERE task_id = 1 GROUP BY status",
        "SELECT * FROM measurements WHERE task_id = 1 ORDER BY id",
        "SELECT * FROM measurements WHERE experiment_id = 1 ORDER BY id",
        "SELECT * FROM events WHERE task_id = 1 AND seq > 5 ORDER BY seq",
    ]
    with closing(sqlite3.connect(path)) as connection:
        for query in queries:
            plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert "SEARCH" in plan
            assert "INDEX" in plan
            assert "TEMP B-TREE" not in plan


async def test_failures_and_openings_are_found_by_their_own_indexes(path: Path, store: SqlStore) -> None:
    task = await store.create_task(new_task())
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        seen.append((statement, parameters))

    event.listen(store._database._readers.engine, "before_cursor_execute", note)
    await store.list_openings(task.id)
    await store.list_attempts(task.id, bulk=False, failed=True)
    await store.list_experiments(task.id, bulk=False, failed=True)
    with closing(sqlite3.connect(path)) as connection:
        plans = [
            " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in seen
            if "failed" in str(parameters) or "experiment_retried" in statement
        ]
    assert len(plans) == 3
    assert "ix_events_retried" in plans[0]
    assert all("ix_attempts_failed" in plan for plan in plans[1:])
    assert not [
        plan for plan in plans if "SCAN events" in plan or "SCAN attempts" in plan or "SCAN experiments" in plan
    ]


async def test_looking_at_the_file_leaves_its_log_to_those_who_have_it_open(path: Path, store: Store) -> None:
    """A process that opens and closes the file itself gives up the locks of its stores (POSIX)."""
    await store.create_task(new_task("before"))
    for _ in range(2):
        assert file_is_sqlite(path)
        await check(str(path))
    other = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('PRAGMA schema_version'); c.close()"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", other], check=True, timeout=60)
    assert path.with_name(f"{path.name}-wal").exists()
    await store.create_task(new_task("after"))
    async with open_store(str(path)) as again:
        assert [task.name for task in (await again.query_tasks(TaskQuery())).items] == ["after", "before"]

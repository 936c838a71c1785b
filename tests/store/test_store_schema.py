"""Revisions: what is created, refused, upgraded and backed up, on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import EventType, ExperimentStatus, NewEvent, NewTask, TaskStatus
from autotuner.store import backup, check, migrations, open_store, schema, schema_state, upgrade
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
from autotuner.store.models import Base
from conformance.store_suite import MEASUREMENT, add_experiment, new_task

LATER_REVISION = '''"""Adds a column, as a later version may."""

import sqlalchemy as sa
from alembic import op

revision = "{later}"
down_revision = "{head}"


def upgrade() -> None:
    # SQLite: the whole table is rebuilt, which must not take along the rows that refer to it.
    rebuild = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("tasks", recreate=rebuild) as tasks:
        tasks.add_column(sa.Column("colour", sa.Text(), nullable=False, server_default="red"))
'''


LATER = "9999"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a store, on each database."""
    if request.param == "sqlite":
        return str(tmp_path / "x.db")
    postgres: str = request.getfixturevalue("postgres_url")
    return postgres


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement, past the store."""
    engine = sync_engine(parse_location(url))
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


async def fill(url: str) -> None:
    """Put one of everything into a store."""
    async with open_store(url) as store:
        task = await store.create_task(new_task("日本"))
        experiment = await add_experiment(store, task)
        attempt = await store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
        await store.add_measurement(attempt.id, MEASUREMENT)
        await store.finish_attempt(attempt.id, status=AttemptStatus.SUCCESS)


@pytest.fixture
def later_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version of the package, with one more revision."""
    package = tmp_path / "later"
    source = Path(migrations.__file__).parent
    (package / "migrations" / "versions").mkdir(parents=True)
    for file in [source / "env.py", *(source / "versions").glob("*.py")]:
        (package / "migrations" / file.relative_to(source)).write_bytes(file.read_bytes())
    (package / "migrations/versions/later.py").write_text(LATER_REVISION.format(head=migrations.HEAD, later=LATER))
    monkeypatch.setattr(schema, "__file__", str(package / "schema.py"))
    monkeypatch.setattr(schema, "HEAD", LATER)
    monkeypatch.setattr(schema, "REVISIONS", (*migrations.REVISIONS, LATER))


def test_the_list_of_revisions_is_what_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    script = ScriptDirectory.from_config(config)
    assert tuple(revision.revision for revision in reversed(list(script.walk_revisions()))) == migrations.REVISIONS
    assert script.get_heads() == [migrations.HEAD]


async def test_models_and_migrations_agree(url: str) -> None:
    await upgrade(url)
    engine = sync_engine(parse_location(url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
    finally:
        engine.dispose()


async def test_the_unique_keys_are_in_the_database(url: str) -> None:
    await upgrade(url)
    await fill(url)
    columns = "task_id, number, origin, status, parameters, identity, created_at"
    for altered in (columns.replace("identity", "'other'"), columns.replace("number", "number + 1")):
        with pytest.raises(Exception, match=r"(?i)unique"):
            execute(url, " ".join(["INSERT INTO experiments (", columns, ") SELECT", altered, "FROM experiments"]))


async def test_an_empty_database_has_no_schema_until_it_is_upgraded(url: str) -> None:
    if "://" not in url:
        execute(url, "SELECT 1")
    assert (await schema_state(url)).current is None
    with pytest.raises(AutotunerError, match="autotuner db upgrade") as caught:
        async with open_store(url, create=False):
            pass
    assert caught.value.code is ErrorCode.STORE_SCHEMA
    assert await upgrade(url) is None
    assert (await schema_state(url)).current == migrations.HEAD
    assert await upgrade(url) is None  # nothing left to do, and no backup
    assert await check(url) == []


async def test_many_who_open_a_fresh_file_at_once_find_one_schema(tmp_path: Path) -> None:
    async def use(number: int) -> None:
        async with open_store(str(tmp_path / "x.db")) as store:
            await store.create_task(new_task(f"task {number}"))

    await asyncio.gather(*(use(number) for number in range(6)))
    assert await check(str(tmp_path / "x.db")) == []
    assert execute(str(tmp_path / "x.db"), "SELECT count(*) FROM tasks") == [(6,)]


@pytest.mark.usefixtures("later_version")
async def test_an_older_store_is_refused_and_upgraded_with_its_data(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as now:
        now.setattr(schema, "__file__", str(Path(migrations.__file__).parent.parent / "schema.py"))
        now.setattr(schema, "HEAD", migrations.HEAD)
        await upgrade(url)
        await fill(url)
    with pytest.raises(
        AutotunerError, match=f"has revision {migrations.HEAD}.*needs {LATER}.*autotuner db upgrade"
    ) as caught:
        async with open_store(url):
            pass
    assert caught.value.code is ErrorCode.STORE_SCHEMA
    saved = await upgrade(url)
    assert execute(url, "SELECT name, colour FROM tasks") == [("日本", "red")]
    assert execute(url, "SELECT count(*) FROM events") == [(2,)]
    assert execute(url, "SELECT count(*) FROM measurements") == [(1,)]
    assert (await schema_state(url)).current == LATER
    if "://" in url:
        assert saved is None
        return
    assert saved == Path(f"{url}.backup-{migrations.HEAD}")
    assert (await schema_state(str(saved))).current == migrations.HEAD
    assert execute(str(saved), "SELECT name FROM tasks") == [("日本",)]
    assert await check(url) == []


@pytest.mark.usefixtures("later_version")
async def test_a_failed_upgrade_leaves_the_store_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as now:
        now.setattr(schema, "__file__", str(Path(migrations.__file__).parent.parent / "schema.py"))
        now.setattr(schema, "HEAD", migrations.HEAD)
        await upgrade(url)
        await fill(url)
    later = Path(schema.__file__).parent / "migrations/versions/later.py"
    later.write_text(later.read_text() + '    raise RuntimeError("power cut")\n')
    with pytest.raises(RuntimeError, match="power cut"):
        await upgrade(url)
    assert (await schema_state(url)).current == migrations.HEAD
    with pytest.raises(Exception, match=r"(?i)colour"):
        execute(url, "SELECT colour FROM tasks")


async def test_a_newer_store_is_refused(url: str) -> None:
    await upgrade(url)
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    for use in (open_store(url), open_store(url, create=False)):
        with pytest.raises(AutotunerError, match=r"revision 9999, made by a newer.*autotuner db upgrade") as caught:
            await use.__aenter__()
        assert caught.value.code is ErrorCode.STORE_SCHEMA
    with pytest.raises(AutotunerError) as caught:
        await upgrade(url)
    assert caught.value.code is ErrorCode.STORE_SCHEMA


async def test_somebody_elses_database_is_left_alone(url: str) -> None:
    execute(url, "CREATE TABLE bookmarks (id INTEGER)")
    with pytest.raises(AutotunerError, match="bookmarks") as caught:
        await upgrade(url)
    assert caught.value.code is ErrorCode.STORE_SCHEMA
    assert (await schema_state(url)).current is None


async def test_a_backup_is_taken_while_the_store_is_in_use(tmp_path: Path) -> None:
    url, target = str(tmp_path / "x.db"), tmp_path / "copy.db"
    async with open_store(url) as store:
        task = await store.create_task(NewTask(name="a", document={}, fingerprint="f"))
        with closing(sqlite3.connect(url, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE tasks SET name = 'uncommitted'")
            await backup(url, target)
            writer.execute("ROLLBACK")
        await store.create_task(NewTask(name="later", document={}, fingerprint="f"))
    async with open_store(str(target), create=False) as copy:
        assert await copy.list_tasks() == ([task], 1)
    with pytest.raises(AutotunerError, match="no folder") as caught:
        await backup(url, tmp_path / "none" / "copy.db")
    assert caught.value.code is ErrorCode.STORAGE
    with pytest.raises(AutotunerError, match="exists already") as caught:
        await backup(url, target)
    assert caught.value.code is ErrorCode.CONFLICT
    left = {file.name for file in await asyncio.to_thread(lambda: list(tmp_path.iterdir()))}
    assert left <= {"x.db", "x.db-wal", "x.db-shm", "copy.db"}  # nothing half-written


async def test_check_finds_dangling_references(tmp_path: Path) -> None:
    url = str(tmp_path / "x.db")
    await fill(url)
    assert await check(url) == []
    with closing(sqlite3.connect(url)) as connection:
        connection.execute("DELETE FROM experiments")  # foreign keys are off unless asked for
        connection.commit()
    problems = await check(url)
    assert any("attempts row" in problem and "experiments" in problem for problem in problems)


async def test_check_finds_damage(tmp_path: Path) -> None:
    url = str(tmp_path / "x.db")
    await fill(url)
    with closing(sqlite3.connect(url)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_events_experiment_id_seq'"
        [page] = connection.execute(query).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with (tmp_path / "x.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert await check(url) != []


async def test_what_lists_show_of_older_tasks_is_filled_in(url: str) -> None:
    await upgrade(url)
    async with open_store(url) as store:
        document = {"model": {"id_or_path": ["a", "b"]}, "optimization": {"objective": "minimize_ttft"}}
        task = await store.create_task(new_task(document=document, identity={"engine": "e"}))
        done = NewEvent(type=EventType.EXPERIMENT_COMPLETED)
        for number, violated in enumerate((True, False, None)):
            experiment = await add_experiment(store, task, f"i{number}")
            slo = None if violated is None else {"slo_violation": violated}
            await store.finish_experiment(experiment.id, done, status=ExperimentStatus.SUCCESS, slo=slo)
        await store.change_task(
            task.id,
            NewEvent(type=EventType.TASK_COMPLETED),
            expected=[TaskStatus.PENDING],
            status=TaskStatus.COMPLETED,
            fields={
                "result": {
                    "winner": {"score": 2.5},
                    "verdict": "gain",
                    "unit": "s",
                    "direction": "minimize",
                    "gain": {"gain": 0.25, "low": 0.1, "high": 0.4, "significant": True},
                }
            },
        )
        other = await store.create_task(new_task("of another version"))
        await store.change_task(
            other.id,
            NewEvent(type=EventType.TASK_COMPLETED),
            expected=[TaskStatus.PENDING],
            status=TaskStatus.COMPLETED,
            fields={"result": {"unit": 3}},
        )
    columns = "SELECT engine, model, objective, best_score, CAST(outcome AS TEXT) FROM tasks ORDER BY id"
    violations = "SELECT slo_violation FROM experiments ORDER BY id"
    written = execute(url, columns), execute(url, violations)
    _migrate(url, "downgrade", "0003")
    _migrate(url, "upgrade", "head")
    assert (execute(url, columns), execute(url, violations)) == written
    assert written[0][0][:4] == ("e", "a, b", "minimize_ttft", 2.5)
    assert '"gain_low": 0.1' in str(written[0][0][4])
    assert written[0][1][3:] == (None, None)


def _migrate(url: str, direction: str, revision: str) -> None:
    engine = sync_engine(parse_location(url), enforce_references=False)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            getattr(command, direction)(config, revision)
    finally:
        engine.dispose()

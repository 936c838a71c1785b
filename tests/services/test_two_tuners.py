"""Two tuners at once: on one database and on two of one host, on one task and on different ones. Real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_task import assert_whole, running, stored

from autotuner.config.load import to_data
from autotuner.contracts.store import TaskRecord
from autotuner.services.documents import demo_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.task_lock import abandoned, is_taken, taken
from autotuner.store import open_store, upgrade
from postgres_server import PostgresServer, absence, find_binaries

REAL = {
    "model": {"id_or_path": "tiny"},
    "parameters": {"n_batch": [256, 512], "n_parallel": [1, 2]},
    "optimization": {
        "objective": "maximize_throughput",
        "strategy": "grid",
        "max_iterations": 2,
        "confirm": {"starts": 0},
    },
    "benchmark": {
        "traffic_scenarios": ["D(16,8)"],
        "num_concurrency": [2],
        "max_time_per_iteration": 0.5,
        "warmup_requests": 2,
    },
}


def task_file(folder: Path, name: str, *sets: str, iterations: int = 8) -> Path:
    """A document of predictions, under that name."""
    wanted = [f"optimization.max_iterations={iterations}", "optimization.confirm.starts=2", f"task_name={name}", *sets]
    path = folder / f"{name}.json"
    path.write_text(json.dumps(to_data(demo_document(sets=wanted))))
    return path


def settings_for(data_dir: Path, env: Mapping[str, str] | None = None) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(data_dir), **(env or {})})


async def task_of(settings: Settings) -> TaskRecord:
    async with open_store(settings.database) as store:
        return await store.get_task(1)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_one_task_has_one_tuner(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> None:
    """The data folders differ, as on two hosts; what they share is the database."""
    if database == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
        asyncio.run(upgrade(url))
    else:
        url = str(tmp_path / "shared" / "tasks.db")
    env = {"AUTOTUNER_DATABASE_URL": url}
    document = task_file(tmp_path, "shared-task")
    settings = settings_for(tmp_path / "one", env)
    with running(document, tmp_path / "one", env=env) as first:
        first.wait_for("finished 1")
        with first.held_still():
            task = asyncio.run(task_of(settings))
            assert asyncio.run(is_taken(settings, task.id))
            with running(document, tmp_path / "two", env=env) as second:
                said = second.wait_for("error")
                assert second.ended() == 2
            assert "task_busy the task 'shared-task' is being run by another process" in said
        assert first.wait_for("result") == "result completed True\n"
        assert first.ended() == 0
    asyncio.run(assert_whole(settings))
    assert not asyncio.run(is_taken(settings, task.id))

    # A killed tuner's hold ends with it, and another one goes on.
    document = task_file(tmp_path, "shared-task", iterations=12)
    with running(document, tmp_path / "one", env=env) as first:
        first.wait_for("finished 9")
        first.process.kill()
        first.process.wait()
    with running(document, tmp_path / "two", env=env) as second:
        assert second.wait_for("result") == "result completed True\n"
    asyncio.run(assert_whole(settings))


def end_lock(postgres_url: str) -> None:
    """End the connection that holds the only lock of the database."""
    import psycopg

    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
        "WHERE datname = current_database() AND locktype = 'advisory'"
    )
    with psycopg.connect(postgres_url, autocommit=True) as other:
        assert other.execute(query).fetchall() == [(True,)]


def test_a_run_takes_a_lost_hold_again_if_nobody_had_it_meanwhile(postgres_url: str, tmp_path: Path) -> None:
    asyncio.run(upgrade(postgres_url))
    env = {"AUTOTUNER_DATABASE_URL": postgres_url}
    settings = settings_for(tmp_path, env)
    with running(task_file(tmp_path, "lost"), tmp_path, env=env) as run:
        for number in (1, 4):
            run.wait_for(f"finished {number}")
            with run.held_still():
                end_lock(postgres_url)
                assert not asyncio.run(is_taken(settings, 1))
        assert run.wait_for("result") == "result completed True\n"
    asyncio.run(assert_whole(settings))
    assert all(a[-1].value == "success" for a in asyncio.run(stored(settings)).attempts)


@pytest.mark.parametrize("other", ["takes it", "ends what it has left"])
def test_a_run_writes_nothing_more_once_another_had_its_task(postgres_url: str, tmp_path: Path, other: str) -> None:
    asyncio.run(upgrade(postgres_url))
    env = {"AUTOTUNER_DATABASE_URL": postgres_url}
    settings = settings_for(tmp_path, env)
    document = task_file(tmp_path, "lost")

    async def have_it() -> None:
        if other == "takes it":
            async with taken(settings, await task_of(settings)):
                pass
        else:
            assert await abandoned(settings, 1)

    with running(document, tmp_path, env=env) as run:
        run.wait_for("finished 1")
        with run.held_still():
            end_lock(postgres_url)
            asyncio.run(have_it())  # and gives it back
            before = asyncio.run(stored(settings))
        error = run.wait_for("error store_unavailable")
        assert run.ended() == 2
    assert "another process has taken the task since" in error
    assert "Run the task again: it goes on from what is stored." in error
    assert asyncio.run(stored(settings)) == before
    with running(document, tmp_path, env=env) as run:
        assert run.wait_for("result") == "result completed True\n"
    asyncio.run(assert_whole(settings))


def test_a_run_goes_on_when_postgres_was_killed_and_is_back(tmp_path: Path) -> None:
    """A commit that was under way ends the run, because what became of it is not known; the next run reads it."""
    binaries = find_binaries()
    if binaries is None:
        absence()
    with PostgresServer.running(binaries) as server:
        url = server.new_database()
        asyncio.run(upgrade(url))
        env = {"AUTOTUNER_DATABASE_URL": url}
        document = task_file(tmp_path, "restarted")
        with running(document, tmp_path, env=env) as run:
            run.wait_for("finished 1")
            with run.held_still():
                server.kill()
            server.start()
            said = run.wait_for("")
            while not said.startswith(("result", "error")):
                said = run.wait_for("")
        if said.startswith("error"):  # killed in a commit
            assert "whether the last change was stored is not known" in said
            with running(document, tmp_path, env=env) as run:
                said = run.wait_for("result")
        assert said == "result completed True\n"
        asyncio.run(assert_whole(settings_for(tmp_path, env)))


@pytest.mark.parametrize("database", ["one", "two in one folder", "postgres"])
def test_two_tasks_at_once_end_as_they_would_alone(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    """On one database they are tasks 1 and 2; on two databases of one data folder both are task 1 of the same name."""
    data = tmp_path / "data"
    url = ""
    if database == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
        asyncio.run(upgrade(url))
    shared = database != "two in one folder"
    names = ("left", "right") if shared else ("same", "same")
    envs: list[dict[str, str]] = [{"AUTOTUNER_DATABASE_URL": url} if url else {}] * 2
    if not shared:
        envs = [{"AUTOTUNER_DATABASE_URL": str(data / f"{side}.db")} for side in ("left", "right")]
    elif not url:
        asyncio.run(upgrade(str(data / "autotuner.db")))
    with ExitStack() as stack:
        runs = [
            stack.enter_context(running(task_file(tmp_path, name), data, env=env))
            for name, env in zip(names, envs, strict=True)
        ]
        for run in runs:
            run.wait_for("finished 1")  # both are under way: the other's output waits in its pipe
        for run in runs:
            assert run.wait_for("result") == "result completed True\n"
            assert run.ended() == 0
    settings = [settings_for(data, env) for env in envs]
    ids = [1, 2] if shared else [1, 1]
    for one, task_id in zip(settings, ids, strict=True):
        asyncio.run(assert_whole(one, task_id))
    folders = {one.task_dir(task_id) for one, task_id in zip(settings, ids, strict=True)}
    assert len(folders) == 2


@pytest.mark.engine
def test_two_tuners_of_real_servers_do_not_harm_each_other(tmp_path: Path) -> None:
    """The same task in two databases of one data folder: the same name and number, each with servers of its own."""
    document = tmp_path / "real.json"
    document.write_text(json.dumps({"task_name": "real", **REAL}))
    data = tmp_path / "data"
    envs = [{"AUTOTUNER_DATABASE_URL": str(data / f"{side}.db")} for side in ("left", "right")]
    with ExitStack() as stack:
        runs = [stack.enter_context(running(document, data, env=env)) for env in envs]
        for run in runs:
            run.wait_for("phase measure 0")
        for run in runs:
            assert run.wait_for("result") == "result completed True\n"
            assert run.ended() == 0
    settings = [settings_for(data, env) for env in envs]
    handles = []
    for one in settings:
        asyncio.run(assert_whole(one))
        handles += asyncio.run(_handles(one))
    assert len(handles) == 6
    logs = {str(handle["log_path"]) for handle in handles}
    assert len(logs) == 6
    assert all(Path(log).is_file() for log in logs)
    assert not [handle for handle in handles if Path(f"/proc/{handle['pid']}").exists()]


async def _handles(settings: Settings) -> list[dict[str, object]]:
    async with open_store(settings.database) as store:
        return [dict(a.handle.fields) for a in await store.list_attempts(1) if a.handle is not None]

"""A task that moves to another store: everything is there, under other numbers, and says the same."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from archived import Silent, Source, exported, members, settings_at, without_numbers
from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, NewEvent, TaskStatus
from autotuner.services.archive import export_archive, import_archive
from autotuner.services.documents import demo_document
from autotuner.services.queries import server_logs, task_result, winning_job
from autotuner.services.report import render_csv
from autotuner.services.settings import Settings
from autotuner.services.task_lock import taken
from autotuner.services.tasks import run_task
from autotuner.store import check, open_store
from autotuner.store.maintenance import upgrade
from autotuner.store.sql_store import SqlStore


@pytest.fixture(params=["sqlite", "postgres"])
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty store of either kind with a data folder of its own."""
    database = None
    if request.param == "postgres":
        database = str(request.getfixturevalue("postgres_url"))
        await upgrade(database)
    return settings_at(tmp_path / "elsewhere", database)


async def test_a_task_says_the_same_elsewhere(source: Source, elsewhere: Settings) -> None:
    # Another task first: no number is what it was.
    await run_task(demo_document(sets=["optimization.max_iterations=1", "task_name=other"]), elsewhere, Silent())
    moved = import_archive(io.BytesIO(source.archive), elsewhere)
    assert moved.task_id == 2
    assert (moved.name, moved.renamed_from, moved.status) == ("demo", None, "completed")
    assert await check(elsewhere.database) == []
    async with open_store(source.settings.database) as old, open_store(elsewhere.database) as new:
        task = await new.get_task(2)
        result = await task_result(new, task, elsewhere)
        assert without_numbers(result) == without_numbers(source.result)
        assert result.task_id == 2
        assert render_csv(result) == render_csv(source.result)
        assert {e.id for e in await new.list_experiments(2)} == {s.id for s in result.experiments}
        assert result.winner is not None
        job = await winning_job(new, task, result, experiment=None)
        assert job.experiment_id == result.winner.id
        assert [m.measurement for m in await new.list_measurements(2)] == [
            m.measurement for m in await old.list_measurements(1)
        ]
        await same_log(old, new)
        logs = await server_logs(new, task)
        attempts = await old.list_attempts(1)
        assert [log.path.read_text().split("\n")[0] for log in logs] == [f"start {a.id}" for a in attempts]
        assert all(log.path.is_relative_to(elsewhere.task_dir(2)) for log in logs)
        assert [a.job and a.job.attempt_id for a in await new.list_attempts(2)] == [
            a.id for a in await new.list_attempts(2)
        ]
    assert moved.files == 2 * len(attempts)


async def same_log(old: SqlStore, new: SqlStore) -> None:
    """The log is the old one, its references rewritten, and one event more."""
    before, after = await old.events(1), await new.events(2)
    numbers = (
        {e.id: e.number for e in await old.list_experiments(1)},
        {e.id: e.number for e in await new.list_experiments(2)},
    )
    told = [
        [
            (e.seq, e.type, e.timestamp, e.message, e.data, None if e.experiment_id is None else known[e.experiment_id])
            for e in log
        ]
        for log, known in ((before, numbers[0]), (after[:-1], numbers[1]))
    ]
    assert told[0] == told[1]
    assert after[-1].seq == len(after)
    assert after[-1].data["imported"]["task_id"] == 1
    assert (await new.get_task(2)).next_seq == len(after) + 1


async def test_an_imported_task_goes_on_with_a_larger_budget(source: Source, elsewhere: Settings) -> None:
    import_archive(io.BytesIO(source.archive), elsewhere)
    more = demo_document(sets=["optimization.max_iterations=6", "optimization.confirm.starts=2"])
    outcome = await run_task(more, elsewhere, Silent())
    assert outcome.fresh
    assert outcome.task.id == 1
    assert len(outcome.result.experiments) == 7


async def test_the_same_name_is_given_a_number_or_refused(source: Source, tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    import_archive(io.BytesIO(source.archive), settings)
    second = import_archive(io.BytesIO(source.archive), settings)
    assert (second.name, second.renamed_from) == ("demo-2", "demo")
    async with open_store(settings.database) as store:
        task = await store.get_task(2)
        assert task.document["task_name"] == "demo-2"
        assert (await task_result(store, task, settings)).task_name == "demo-2"
        assert {a.job and a.job.task_name for a in await store.list_attempts(2)} == {"demo-2"}
    with pytest.raises(AutotunerError) as caught:
        import_archive(io.BytesIO(source.archive), settings, on_conflict="refuse")
    assert caught.value.code is ErrorCode.CONFLICT
    async with open_store(settings.database) as store:
        assert (await store.list_tasks())[1] == 2
    assert sorted(path.name for path in settings.artefacts_dir.iterdir() if path.is_dir()) == ["task-1", "task-2"]


async def test_a_task_that_comes_back_is_the_same_archive_again(source: Source, tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    import_archive(io.BytesIO(source.archive), settings)
    first, again = members(source.archive), members(exported(settings, 1))
    assert first.keys() == again.keys()
    same = {name for name in first if name.startswith("artefacts/") or name == "measurements.jsonl"}
    assert {name for name in same if first[name] != again[name]} == set()


async def test_what_was_under_way_is_to_be_begun_again(source: Source, tmp_path: Path) -> None:
    begun, settings = settings_at(tmp_path / "begun"), settings_at(tmp_path / "elsewhere")
    import_archive(io.BytesIO(source.archive), begun)
    async with open_store(begun.database) as store:
        await store.change_task(
            1,
            NewEvent(type=EventType.TASK_STARTED),
            expected=(TaskStatus.COMPLETED,),
            status=TaskStatus.RUNNING,
            fields={"result": None},
        )
        new = await store.add_experiment(1, origin=ExperimentOrigin.SEARCH, parameters={}, identity="another")
        await store.start_attempt(new.id, reason=AttemptReason.FIRST, host={})
        task = await store.get_task(1)
    async with taken(begun, task):
        with pytest.raises(AutotunerError) as caught:
            await export_archive(begun, task, io.BytesIO())
        assert caught.value.code is ErrorCode.TASK_BUSY
    moved = import_archive(io.BytesIO(exported(begun, 1)), settings)
    assert moved.status == "cancelled"
    async with open_store(settings.database) as store:
        assert (await store.get_task(1)).status is TaskStatus.CANCELLED
        assert (await store.list_attempts(1))[-1].status is AttemptStatus.INTERRUPTED
        assert (await store.list_experiments(1))[-1].status is ExperimentStatus.PENDING
        assert (await store.events(1))[-1].type is EventType.TASK_CANCELLED


def test_links_and_odd_names_are_left_out_and_named(source: Source, tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    import_archive(io.BytesIO(source.archive), settings)
    place = next(settings.task_dir(1).glob("imported-*/experiment-0000/attempt-01"))
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (place / "link").symlink_to(secret)
    (place / "a\nb").write_text("odd")
    content = members(exported(settings, 1))
    left_out = {one["path"].rsplit("/", 1)[1]: one["why"] for one in json.loads(content["manifest.json"])["left_out"]}
    assert left_out.keys() == {"link", "a\nb"}
    assert not any(b"secret" in data for data in content.values())

"""A task that is begun anew measures again, and keeps the files and the result of what it had done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import TaskStatus
from autotuner.services.documents import demo_document
from autotuner.services.planning import plan_document
from autotuner.services.queries import task_result
from autotuner.services.settings import Settings
from autotuner.services.task_editing import create_task, duplicate
from autotuner.services.task_runs import begin_anew, purge_deleted
from autotuner.services.tasks import run_task
from autotuner.store import SqlStore, open_store

SMALL = [
    "parameters={tp: [1, 2], max_num_seqs: [8, 16]}",
    "optimization.max_iterations=3",
    "optimization.confirm.top_k=0",
]


class Quiet:
    """Sees nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, database=str(tmp_path / "autotuner.db"))


async def run(settings: Settings, *more: str) -> Any:
    return await run_task(demo_document(sets=[*SMALL, *more], settings=settings), settings, Quiet())


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def test_each_run_has_its_own_files_and_result(settings: Settings) -> None:
    first = await run(settings)
    before = {path: path.read_bytes() for path in files(first.folder)}
    async with open_store(settings.database) as store:
        begun = await begin_anew(store, settings, first.task.id)
        assert begun.task.started_at is None
        assert "engine_version" not in begun.task.identity
        second = await run(settings)
        assert (second.task.id, second.task.run, second.fresh) == (first.task.id, 2, True)
        assert second.task.identity == first.task.identity
        assert second.folder == settings.task_dir(first.task.id) / "run-2"
        assert {path: path.read_bytes() for path in before} == before
        archived = await task_result(store, begun.run, settings)
        assert archived.task_id == begun.run.id
        assert [one.model_copy(update={"id": 0}) for one in archived.experiments] == [
            one.model_copy(update={"id": 0}) for one in first.result.experiments
        ]
        assert settings.folder_of(begun.run) == first.folder


async def test_an_archived_run_is_not_run_again(settings: Settings) -> None:
    first = await run(settings)
    async with open_store(settings.database) as store:
        begun = await begin_anew(store, settings, first.task.id)
    with pytest.raises(AutotunerError) as caught:
        await run(settings, f"task_name={begun.run.name}")
    assert caught.value.code is ErrorCode.CONFLICT


async def test_a_task_that_was_made_elsewhere_is_settled_by_its_first_start(settings: Settings) -> None:
    document = demo_document(sets=SMALL, settings=settings)
    async with open_store(settings.database) as store:
        made = await create_task(store, plan_document(document, settings))
        assert "engine_version" not in made.identity
        outcome = await run(settings)
        assert outcome.task.id == made.id
        assert "engine_version" in outcome.task.identity
        with pytest.raises(AutotunerError) as caught:
            await run(settings, "optimization.seed=5")
        assert caught.value.code is ErrorCode.TASK_CHANGED
        copied = await duplicate(store, outcome.task)
        assert copied.status is TaskStatus.PENDING
        assert "engine_version" not in copied.identity


async def purged(store: SqlStore, settings: Settings) -> list[int]:
    return [task.id for task in await purge_deleted(store, settings, older_than=timedelta(0))]


async def test_files_go_with_what_is_removed_for_ever(settings: Settings) -> None:
    first = await run(settings)
    async with open_store(settings.database) as store:
        cleared = await begin_anew(store, settings, first.task.id, drop=True)
        second = await run(settings)
        whole = settings.task_dir(first.task.id)
        kept = files(second.folder)
        assert kept
        assert kept < files(whole)
        assert await purge_deleted(store, settings) == ()
        assert await purged(store, settings) == [cleared.run.id]
        assert files(whole) == kept
        await store.delete_task(first.task.id)
        assert await purged(store, settings) == [first.task.id]
        assert not whole.exists()

"""Notices of a run that somebody follows, made of its files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from live_clients import Said, following, said, said_until
from live_service import Service

from autotuner.contracts.attempt import AttemptReason, Phase
from autotuner.contracts.measurement import LiveFigures
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, NewEvent, TaskStatus
from autotuner.server.live import notices
from autotuner.services.progress_file import NAME, ProgressFile, message_line, snapshot_line
from autotuner.services.task_runs import begin_anew
from conformance.store_suite import add_experiment, job_of, new_task, run_task

KINDS = ("task_progress", "experiment_progress", "benchmark_progress", "log_message")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "LOOK_S", 0.02)


def snapshot(done: int) -> Snapshot:
    return Snapshot(
        task_id=1,
        task_name="t",
        stage="search",
        starts_done=done,
        starts_total=8,
        elapsed_s=1.0,
        eta_s=30.0,
        experiment=0,
        reason=AttemptReason.FIRST,
        phase=Phase.MEASURE,
        live=LiveFigures(
            load_point="D(100,100)@4", repeat=0, elapsed_s=1.0, window_s=2.0, phase="measure", completed=3, errors=0
        ),
        baseline_score=2.0,
        objective_label="latency",
        unit="s",
        direction="minimize",
    )


def test_progress_tells_how_much_better_the_best_is() -> None:
    best = ExperimentSummary(
        id=2, number=1, origin=ExperimentOrigin.SEARCH, status=ExperimentStatus.SUCCESS, parameters={}, score=1.5
    )
    data = notices.progress_data(snapshot(2).model_copy(update={"best": best}), successful=1)
    assert data["best_score"] == 1.5
    assert data["gain"] == 0.25
    assert data["unit"] == "s"


async def test_progress_and_a_growing_log_are_told_with_the_last_seq(on_sqlite: Service) -> None:
    service = on_sqlite
    task = await run_task(service.store, await service.store.create_task(new_task()))
    experiment = await add_experiment(service.store, task)
    attempt = await service.store.start_attempt(experiment.id, reason=AttemptReason.FIRST, host={})
    folder = service.settings.task_dir(task.id)
    job = job_of(experiment, attempt.id).model_copy(update={"artefact_dir": str(folder / "e")})
    await service.store.set_attempt_job(attempt.id, job)
    log = folder / "e" / "server.log"
    log.parent.mkdir(parents=True)

    def enough(frames: list[Said]) -> bool:
        return {frame["type"] for frame in frames} >= set(KINDS)

    with ProgressFile(folder) as file:
        async with (
            following(service.address, f"/api/ws/tasks/{task.id}") as one,
            following(service.address, f"/api/ws/experiments/{experiment.id}") as own,
            following(service.address, "/api/ws") as everything,
        ):
            file.on_snapshot(snapshot(2))
            log.write_bytes(b"hello\n")
            by_kind = {frame["type"]: frame for frame in await said_until(one, enough)}
            assert {frame["seq"] for frame in by_kind.values()} == {3}
            assert by_kind["task_progress"]["data"] == {
                "current_experiment": 0,
                "total_experiments": 8,
                "successful_experiments": 0,
                "progress_percent": 25.0,
                "best_score": None,
                "baseline_score": 2.0,
                "gain": None,
                "unit": "s",
                "stage": "search",
                "predicted": False,
                "eta_s": 30.0,
            }
            assert by_kind["experiment_progress"]["experiment_id"] == experiment.id
            assert by_kind["benchmark_progress"]["data"]["completed"] == 3
            assert by_kind["log_message"]["data"] == {"stream": "experiment-0000/attempt-01", "offset": 6}
            told = await said_until(everything, enough)
            assert all(frame["cursor"] for frame in told)
            assert {(await said(own))["type"] for _ in range(2)} == {"experiment_progress", "benchmark_progress"}
            with log.open("ab") as more:
                more.write(b"world\n")
            grown = await said_until(one, lambda frames: any(frame["type"] == "log_message" for frame in frames))
            assert grown[-1]["data"]["offset"] == 12


async def test_a_task_that_was_begun_anew_tells_of_its_present_run(on_sqlite: Service) -> None:
    service = on_sqlite
    task = await run_task(service.store, await service.store.create_task(new_task()))
    first = service.settings.folder_of(task)
    await asyncio.to_thread(first.mkdir, parents=True)
    await asyncio.to_thread((first / NAME).write_text, snapshot_line(snapshot(8)) + "\n")
    ended = NewEvent(type=EventType.TASK_COMPLETED)
    async with following(service.address, f"/api/ws/tasks/{task.id}") as one:
        await said_until(one, lambda frames: any(frame["type"] == "task_progress" for frame in frames))
        await service.store.change_task(task.id, ended, expected=(TaskStatus.RUNNING,), status=TaskStatus.COMPLETED)
        task = (await begin_anew(service.store, service.settings, task.id)).task
        with ProgressFile(service.settings.folder_of(task)) as file:
            task = await run_task(service.store, task)
            file.on_snapshot(snapshot(1))
            await said_until(one, lambda frames: any(frame["type"] == "task_started" for frame in frames))
            after = await said_until(one, lambda frames: any(frame["type"] == "task_progress" for frame in frames))
            assert [f["data"]["progress_percent"] for f in after if f["type"] == "task_progress"] == [12.5]


async def test_what_an_ended_run_left_is_no_news(on_sqlite: Service) -> None:
    service = on_sqlite
    task = await service.store.create_task(new_task())
    folder = service.settings.task_dir(task.id)
    await asyncio.to_thread(folder.mkdir, parents=True)
    left = folder / NAME
    await asyncio.to_thread(left.write_text, snapshot_line(snapshot(8)) + "\n")
    async with following(service.address, f"/api/ws/tasks/{task.id}") as one:
        for _ in range(3):
            await service.feed.looked()
        await asyncio.to_thread(append, left, message_line("begins") + "\nno JSON\n")
        await run_task(service.store, task)
        assert (await said(one))["type"] == "task_started"
        await asyncio.to_thread(append, left, snapshot_line(snapshot(1)) + "\n")
        assert (await said(one))["data"]["progress_percent"] == 12.5


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)

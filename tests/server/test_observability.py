"""Health, figures and the dashboard tell what is stored; requests are logged with what they are about."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from served import TOKEN, client, serving, settings_in

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, FailureClass, Phase
from autotuner.contracts.queue import NewWorker, WorkerState
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, NewEvent, NewTask, TaskStatus
from autotuner.server.app import create_app
from autotuner.services.logs import logging_to
from autotuner.store.sql_store import SqlStore

WORKER = NewWorker(name="here-1", host="here", pid=1, version="0")


def store_of(app: FastAPI) -> SqlStore:
    store: SqlStore = app.state.context.store
    return store


def figures(page: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values) → value."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def queue(store: SqlStore, task_id: int) -> None:
    await store.enqueue_task(task_id, expected=[TaskStatus.PENDING], status=TaskStatus.PENDING)


async def fill(store: SqlStore) -> None:
    """A task with a good and a failed experiment, in the queue beside another one, and two workers."""
    for name in ("one", "two"):
        task = await store.create_task(NewTask(name=name, document={}, fingerprint=name))
        await queue(store, task.id)
    for number, status in enumerate((ExperimentStatus.SUCCESS, ExperimentStatus.FAILED)):
        found = await store.add_experiment(1, origin=ExperimentOrigin.SEARCH, parameters={}, identity=str(number))
        attempt = await store.start_attempt(found.id, reason=AttemptReason.FIRST, host={})
        failure = Failure(kind=FailureClass.OOM, diagnosis="no memory", hint="less") if number else None
        await store.finish_attempt(
            attempt.id,
            status=AttemptStatus(status.value),
            failure=failure,
            phase_seconds={Phase.LOAD: 20.0, Phase.MEASURE: 0.3},
        )
        kind = EventType.EXPERIMENT_FAILED if number else EventType.EXPERIMENT_COMPLETED
        await store.finish_experiment(found.id, NewEvent(type=kind), status=status, failure=failure)
    worker = await store.register_worker(WORKER)
    await store.beat(worker.id, WorkerState.BUSY)
    assert (await store.claim_task(worker.id, silent_s=20)) is not None


async def test_figures_and_dashboard_count_what_is_stored(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path))
    async with serving(app) as address, client(address) as http:
        assert (await http.get("/metrics")).status_code == 200
        await fill(store_of(app))
        page = await http.get("/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        found = figures(page.text)
        assert found[("autotuner_tasks", ("pending",))] == 2
        assert found[("autotuner_experiments", ("success",))] == 1
        assert found[("autotuner_experiments_failed", ("oom",))] == 1
        assert found[("autotuner_queue_tasks", ("waiting",))] == 1
        assert found[("autotuner_queue_tasks", ("claimed",))] == 1
        assert found[("autotuner_queue_wait_seconds", ())] >= 0
        assert found[("autotuner_workers", ("busy",))] == 1
        # created and queued twice; started and ended twice
        assert found[("autotuner_events_total", ())] == 8
        assert found[("autotuner_start_phase_seconds_count", ("load",))] == 2
        assert found[("autotuner_start_phase_seconds_bucket", ("15.0", "load"))] == 0
        assert found[("autotuner_start_phase_seconds_bucket", ("30.0", "load"))] == 2
        assert found[("autotuner_start_phase_seconds_sum", ("measure",))] == pytest.approx(0.6)
        again = figures((await http.get("/api/system/metrics")).text)
        assert again[("autotuner_start_phase_seconds_count", ("load",))] == 2
        assert again[("autotuner_http_request_duration_seconds_count", ("GET", "/metrics", "200"))] == 2

        board = (await http.get("/api/dashboard")).json()
        assert board["counts"]["waiting"] == 1
        assert [worker["name"] for worker in board["workers"] if worker["live"]] == ["here-1"]
        assert len(board["timeline"]) == 25
        assert board["timeline"][-1]["experiments"] == {"success": 1, "failed": 1}


async def test_health_says_what_is_wrong(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path, database_timeout_s=0.1))
    async with serving(app) as address, client(address) as http:
        found = (await http.get("/api/system/health")).json()
        assert found["checks"]["database"]["status"] == "ok"
        assert found["checks"]["queue"]["status"] == "ok"
        assert set(found["checks"]) == {"database", "queue", "disk", "devices"}
        store = store_of(app)
        await queue(store, (await store.create_task(NewTask(name="a", document={}, fingerprint="a"))).id)
        found = (await http.get("/api/system/health")).json()
        assert found["checks"]["queue"]["status"] == "degraded"
        assert await store.list_workers() == []
        with closing(sqlite3.connect(tmp_path / "autotuner.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = await http.get("/api/system/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        assert "write lock" in answer.json()["checks"]["database"]["reason"]
        assert (await http.get("/api/system/health")).status_code == 200


async def test_requests_are_logged_with_their_ids_and_without_secrets(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path))

    @app.get("/api/tasks/{task_id}/broken")
    async def broken(task_id: int) -> None:
        structlog.get_logger("mine").info("at work", about=f"task {task_id}")
        logging.getLogger("theirs").warning("the key is %s", TOKEN)
        raise RuntimeError(f"it holds {TOKEN}")

    with logging_to(settings_in(tmp_path), "server", secrets=lambda: frozenset({TOKEN}), console=False) as path:
        async with serving(app) as address, client(address) as http:
            answer = await http.get("/api/tasks/7/broken", params={"token": TOKEN})
            assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
            assert answer.headers["x-content-type-options"] == "nosniff"
            await http.get("/api/system/live")
    written = path.read_text()
    assert TOKEN not in written
    lines = [json.loads(line) for line in written.splitlines()]
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["status"], request["task"], request["path"]) == (500, "7", "/api/tasks/7/broken")
    assert request["request"] == answer.headers["x-request-id"]
    assert {line["request"] for line in lines if line["logger"] in {"mine", "theirs"}} == {request["request"]}
    assert any("RuntimeError" in line.get("exception", "") for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600

"""Tasks by HTTP: each call done well, given something wrong, and refused because of the state."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from served import Service

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.queue import NewWorker, WorkerState
from autotuner.contracts.store import EventType, ExperimentStatus, NewEvent, TaskStatus
from autotuner.engines.registry import demonstration
from autotuner.services.task_lock import taken
from conformance.store_suite import add_experiment


def document(name: str | None = "first", **changes: Any) -> dict[str, Any]:
    """A document that can be planned anywhere."""
    few = {"tp": [1, 2], "max_num_seqs": [8, 16]}
    whole = {**demonstration(), "parameters": few, **changes}
    whole.pop("task_name", None)
    return whole if name is None else {**whole, "task_name": name}


async def create(service: Service, name: str = "first", **changes: Any) -> dict[str, Any]:
    """A task that was made by a call."""
    answer = await service.http.post("/api/tasks", json=document(name, **changes))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def end(service: Service, task: dict[str, Any], status: TaskStatus = TaskStatus.COMPLETED) -> None:
    """Let a task end with one experiment, which has failed where the task has."""
    record = await service.store.get_task(task["id"])
    experiment = await add_experiment(service.store, record)
    failed = status is TaskStatus.FAILED
    await service.store.finish_experiment(
        experiment.id,
        NewEvent(type=EventType.EXPERIMENT_FAILED if failed else EventType.EXPERIMENT_COMPLETED),
        status=ExperimentStatus.FAILED if failed else ExperimentStatus.SUCCESS,
        failure=Failure(kind=FailureClass.CRASH, diagnosis="it died", hint="try again") if failed else None,
        objective_score=None if failed else 1.0,
    )
    await service.store.change_task(
        record.id,
        NewEvent(type=EventType.TASK_UPDATED),
        expected=(TaskStatus.PENDING,),
        status=status,
        fields={"identity": {**record.identity, "engine_version": "1"}, "started_at": record.created_at},
    )


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    return body


class TestCreate:
    """POST /api/tasks"""

    async def test_a_document_becomes_a_pending_task(self, service: Service) -> None:
        answer = await service.http.post("/api/tasks", json=document())
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/api/tasks/{made['id']}"
        assert answer.headers["etag"] == '"2"'
        assert (made["name"], made["status"], made["queued_at"], made["waiting"]) == ("first", "pending", None, None)
        assert made["system_config"] == {"gpu_type": "h200_sxm", "total_gpus": 8}
        assert made["quant_config"] is None
        assert (made["model"], made["objective"]) == ("Qwen/Qwen3-32B", "maximize_throughput")
        assert made["direction"] in {"minimize", "maximize"}
        assert (made["held"], made["experiments"], made["result"]) == (False, {}, None)
        stored = await service.store.get_task(made["id"])
        assert "engine_version" not in stored.identity
        assert stored.document == made["document"]

    async def test_it_shows_where_its_values_come_from(self, service: Service) -> None:
        made = await create(service, optimization={"max_iterations": 7})
        shown = (await service.http.get(f"/api/tasks/{made['id']}/configuration")).json()
        values = {value["place"]: value for section in shown["sections"] for value in section["values"]}
        assert values["optimization.max_iterations"]["layer"] == "document"
        assert values["optimization.seed"]["layer"] == "default"
        problem(await service.http.get("/api/tasks/99/configuration"), 404, "not_found")

    async def test_one_without_a_name_is_named_after_its_model(self, service: Service) -> None:
        names = [(await service.http.post("/api/tasks", json=document(None))).json()["name"] for _ in range(2)]
        assert names[1] == f"{names[0]}-2"

    async def test_everything_that_is_wrong_is_told_and_nothing_is_stored(self, service: Service) -> None:
        wrong = document(nonsense=1, optimization={"max_iterations": -1, "objective": "fun"})
        body = problem(await service.http.post("/api/tasks", json=wrong), 422, "invalid_document")
        assert {one["place"] for one in body["errors"]} == {
            "nonsense",
            "optimization.max_iterations",
            "optimization.objective",
        }
        unknown = document(parameters={"no_such_parameter": [1]})
        assert (await service.http.post("/api/tasks", json=unknown)).status_code == 422
        assert (await service.http.post("/api/tasks", json=[1])).status_code == 422
        problem(await service.http.post("/api/tasks", json=document(presets=["nobody"])), 404, "not_found")
        assert (await service.store.list_tasks())[1] == 0

    async def test_a_name_that_is_taken(self, service: Service) -> None:
        await create(service)
        problem(await service.http.post("/api/tasks", json=document()), 409, "conflict")

    async def test_a_repeated_request_makes_one_task(self, service: Service) -> None:
        keyed = {"Idempotency-Key": "abc"}
        posts = [service.http.post("/api/tasks", json=document(), headers=keyed) for _ in range(6)]
        answers = await asyncio.gather(*posts)
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert {answer.headers.get("idempotent-replay") for answer in answers} == {None, "true"}
        problem(await service.http.post("/api/tasks", json=document("other"), headers=keyed), 409, "conflict")
        long = {"Idempotency-Key": "x" * 300}
        assert (await service.http.post("/api/tasks", json=document("y"), headers=long)).status_code == 422


class TestRead:
    """GET /api/tasks, GET /api/tasks/{id}"""

    async def test_lists_are_filtered_and_paged(self, service: Service) -> None:
        made = [await create(service, name) for name in ("alpha", "beta", "gamma")]
        await end(service, made[1])
        get = service.http.get
        listed = (await get("/api/tasks", params={"size": 2})).json()
        assert ([one["name"] for one in listed["items"]], listed["total"]) == (["gamma", "beta"], 3)
        assert listed["items"][1]["experiments"] == {"success": 1}
        assert "document" not in listed["items"][0]
        both = (await get("/api/tasks?status=completed&status=failed")).json()
        assert [one["name"] for one in both["items"]] == ["beta"]
        found = (await get("/api/tasks?search=ALP&sort=name&descending=false")).json()
        assert [one["name"] for one in found["items"]] == ["alpha"]

    @pytest.mark.parametrize("query", ["page=0", "size=1000", "status=happy", "sort=colour", "unknown=1", "page=9999"])
    async def test_wrong_questions(self, service: Service, query: str) -> None:
        assert (await service.http.get(f"/api/tasks?{query}")).status_code == 422

    async def test_a_task_that_is_not_there(self, service: Service) -> None:
        problem(await service.http.get("/api/tasks/9"), 404, "not_found")
        assert (await service.http.get("/api/tasks/nine")).status_code == 422


class TestChange:
    """PUT and PATCH /api/tasks/{id}"""

    async def test_a_whole_document(self, service: Service) -> None:
        task = await create(service)
        answer = await service.http.put(f"/api/tasks/{task['id']}", json=document(None, description="new"))
        assert answer.status_code == 200
        assert (answer.json()["name"], answer.json()["document"]["description"]) == ("first", "new")
        renamed = await service.http.put(f"/api/tasks/{task['id']}", json=document("other"))
        assert renamed.json()["name"] == "other"

    async def test_a_patch(self, service: Service) -> None:
        task = await create(service)
        patch = {"name": "new", "labels": ["gpu"], "priority": 4, "document": {"optimization": {"max_iterations": 3}}}
        changed = (await service.http.patch(f"/api/tasks/{task['id']}", json=patch)).json()
        assert (changed["name"], changed["priority"], changed["document"]["labels"]) == ("new", 4, ["gpu"])
        before = task["document"]["optimization"] | {"max_iterations": 3}
        assert changed["document"]["optimization"] == before
        notes = (await service.http.patch(f"/api/tasks/{task['id']}", json={"description": "why"})).json()
        assert notes["document"] == changed["document"] | {"description": "why"}
        assert (await service.http.patch(f"/api/tasks/{task['id']}", json={})).json()["next_seq"] == notes["next_seq"]

    async def test_what_is_wrong_changes_nothing(self, service: Service) -> None:
        task = await create(service)
        place = f"/api/tasks/{task['id']}"
        for patch in (
            {"document": {"nonsense": 1}},
            {"document": {"optimization": None, "parameters": {"no_such": [1]}}},
            {"document": {"presets": ["memory-efficient"]}},
            {"name": ""},
            {"status": "completed"},
        ):
            assert (await service.http.patch(place, json=patch)).status_code == 422, patch
        assert (await service.http.put(place, json={"model": 3})).status_code == 422
        problem(await service.http.patch("/api/tasks/99", json={}), 404, "not_found")
        assert (await service.http.get(place)).json() == task

    async def test_what_the_state_does_not_allow(self, service: Service) -> None:
        task, other = await create(service), await create(service, "other")
        place = f"/api/tasks/{task['id']}"
        problem(await service.http.patch(place, json={"name": "other"}), 409, "conflict")
        problem(await service.http.patch(place, json={"priority": 1}, headers={"If-Match": '"99"'}), 409, "conflict")
        await service.http.post(f"{place}/start")
        problem(await service.http.patch(place, json={"priority": 1}), 409, "conflict")
        async with taken(service.settings, await service.store.get_task(other["id"])):
            held = await service.http.put(f"/api/tasks/{other['id']}", json=document("other"))
            problem(held, 409, "task_busy")

    async def test_what_was_measured_goes_on_to_be_measured(self, service: Service) -> None:
        task = await create(service)
        place = f"/api/tasks/{task['id']}"
        await end(service, task)
        seed = task["document"]["optimization"].get("seed", 0) + 1
        problem(
            await service.http.patch(place, json={"document": {"optimization": {"seed": seed}}}), 409, "task_changed"
        )
        assert (await service.http.patch(place, json={"description": "x"})).json()["status"] == "completed"
        more = await service.http.patch(place, json={"document": {"optimization": {"max_iterations": 99}}})
        assert more.json()["status"] == "pending"
        assert (await service.store.get_task(task["id"])).identity["engine_version"] == "1"


class TestDelete:
    """DELETE, restore, purge"""

    async def test_deleted_restored_and_removed_for_ever(self, service: Service) -> None:
        task = await create(service)
        place = f"/api/tasks/{task['id']}"
        problem(await service.http.post(f"{place}/restore"), 409, "conflict")
        problem(await service.http.post(f"{place}/purge"), 409, "conflict")
        assert (await service.http.delete(place)).status_code == 204
        for gone in (service.http.get(place), service.http.delete(place), service.http.post(f"{place}/start")):
            problem(await gone, 404, "not_found")
        deleted = (await service.http.get("/api/tasks?deleted=true")).json()
        assert [one["id"] for one in deleted["items"]] == [task["id"]]
        await create(service)
        problem(await service.http.post(f"{place}/restore"), 409, "conflict")
        restored = await service.http.post(f"{place}/restore", json={"name": "again"})
        assert restored.json()["name"] == "again"
        folder = service.settings.task_dir(task["id"])
        folder.mkdir(parents=True)
        (folder / "server.log").write_text("x")
        await service.http.delete(place)
        assert (await service.http.post(f"{place}/purge")).json() == {"removed": [task["id"]]}
        assert not folder.exists()
        problem(await service.http.post(f"{place}/restore"), 404, "not_found")

    async def test_a_task_that_is_run_stays(self, service: Service) -> None:
        task = await create(service)
        async with taken(service.settings, await service.store.get_task(task["id"])):
            problem(await service.http.delete(f"/api/tasks/{task['id']}"), 409, "task_busy")
        assert (await service.http.get(f"/api/tasks/{task['id']}")).status_code == 200


class TestControl:
    """start, cancel, pause, resume, retry"""

    async def test_a_queued_task_says_why_it_waits(self, service: Service) -> None:
        first, second = await create(service), await create(service, "second")
        started = await service.http.post(f"/api/tasks/{first['id']}/start")
        assert started.status_code == 200
        assert started.json()["waiting"].startswith("no worker is alive")
        problem(await service.http.post(f"/api/tasks/{first['id']}/start"), 409, "conflict")
        worker = await service.store.register_worker(NewWorker(name="w", host="h", pid=1, version="1"))
        urgent = await service.http.post(f"/api/tasks/{second['id']}/start", json={"priority": 5})
        assert (urgent.json()["priority"], "a worker is free" in urgent.json()["waiting"]) == (5, True)
        claimed = await service.store.claim_task(worker.id, silent_s=60)
        assert claimed is not None
        shown = (await service.http.get(f"/api/tasks/{claimed.id}")).json()
        assert (shown["id"], shown["worker"]) == (second["id"], "w")
        assert shown["waiting"] == "worker w is about to run it"
        await service.store.beat(worker.id, WorkerState.BUSY)
        waiting = (await service.http.get(f"/api/tasks/{first['id']}")).json()["waiting"]
        assert waiting == "the worker is busy; 1 queued task comes before it"
        queued = (await service.http.get("/api/tasks?queued=true")).json()
        assert queued["total"] == 2

    async def test_cancelled_before_it_ran(self, service: Service) -> None:
        task = await create(service)
        place = f"/api/tasks/{task['id']}"
        await service.http.post(f"{place}/start")
        cancelled = (await service.http.post(f"{place}/cancel")).json()
        assert (cancelled["status"], cancelled["queued_at"]) == ("cancelled", None)
        problem(await service.http.post(f"{place}/cancel"), 409, "conflict")
        assert (await service.http.post(f"{place}/start")).json()["status"] == "pending"

    async def test_only_what_runs_is_paused_and_what_is_paused_waits_for_a_worker_again(self, service: Service) -> None:
        task = await create(service)
        for call in ("pause", "resume"):
            problem(await service.http.post(f"/api/tasks/{task['id']}/{call}"), 409, "conflict")
        running = NewEvent(type=EventType.TASK_STARTED)
        await service.store.change_task(task["id"], running, expected=(TaskStatus.PENDING,), status=TaskStatus.RUNNING)
        assert (await service.http.post(f"/api/tasks/{task['id']}/pause")).json()["status"] == "paused"
        resumed = (await service.http.post(f"/api/tasks/{task['id']}/resume")).json()
        assert (resumed["status"], resumed["queued_at"] is not None) == ("pending", True)

    async def test_failed_experiments_are_tried_again(self, service: Service) -> None:
        task = await create(service)
        place = f"/api/tasks/{task['id']}"
        problem(await service.http.post(f"{place}/retry"), 409, "conflict")
        await end(service, task, TaskStatus.FAILED)
        problem(await service.http.post(f"{place}/retry", json={"experiments": [7]}), 404, "not_found")
        retried = (await service.http.post(f"{place}/retry", json={"experiments": [0]})).json()
        assert (retried["status"], retried["experiments"]) == ("pending", {"pending": 1})
        assert retried["queued_at"] is not None

    @pytest.mark.parametrize("call", ["start", "cancel", "pause", "resume", "retry", "restart", "clear", "duplicate"])
    async def test_calls_on_a_task_that_is_not_there(self, service: Service, call: str) -> None:
        problem(await service.http.post(f"/api/tasks/9/{call}"), 404, "not_found")

    async def test_wrong_bodies(self, service: Service) -> None:
        task = await create(service)
        for call, body in (("start", {"priority": "high"}), ("retry", {"experiments": [-1]}), ("restart", {"x": 1})):
            assert (await service.http.post(f"/api/tasks/{task['id']}/{call}", json=body)).status_code == 422
        assert (await service.http.get(f"/api/tasks/{task['id']}")).json() == task


class TestRuns:
    """restart, clear, duplicate"""

    async def test_a_restarted_task_keeps_what_it_had_done_as_a_run(self, service: Service) -> None:
        task = await create(service)
        place = f"/api/tasks/{task['id']}"
        problem(await service.http.post(f"{place}/restart"), 409, "conflict")
        await end(service, task)
        begun = (await service.http.post(f"{place}/restart", json={"priority": 2})).json()
        assert (begun["task"]["id"], begun["task"]["run"], begun["task"]["experiments"]) == (task["id"], 2, {})
        assert (begun["task"]["status"], begun["task"]["priority"]) == ("pending", 2)
        assert begun["task"]["queued_at"] is not None
        assert "engine_version" not in begun["task"]["identity"]
        runs = (await service.http.get(f"/api/tasks?run_of={task['id']}")).json()
        assert [(one["id"], one["name"]) for one in runs["items"]] == [(begun["archived_run"], "first (run 1)")]
        archived = (await service.http.get(f"/api/tasks/{begun['archived_run']}")).json()
        assert (archived["status"], archived["experiments"]) == ("completed", {"success": 1})
        for call in ("start", "restart", "clear"):
            problem(await service.http.post(f"/api/tasks/{begun['archived_run']}/{call}"), 409, "conflict")

    async def test_cleared_experiments_can_be_restored(self, service: Service) -> None:
        task = await create(service)
        await end(service, task, TaskStatus.CANCELLED)
        cleared = (await service.http.post(f"/api/tasks/{task['id']}/clear")).json()
        assert (cleared["task"]["experiments"], cleared["task"]["queued_at"]) == ({}, None)
        run = f"/api/tasks/{cleared['archived_run']}"
        problem(await service.http.get(run), 404, "not_found")
        assert (await service.http.post(f"{run}/restore")).json()["experiments"] == {"success": 1}

    async def test_a_copy_is_a_new_task(self, service: Service) -> None:
        task = await create(service)
        await end(service, task)
        copies = [await service.http.post(f"/api/tasks/{task['id']}/duplicate") for _ in range(2)]
        assert [answer.status_code for answer in copies] == [201, 201]
        assert [answer.json()["name"] for answer in copies] == ["first copy", "first copy-2"]
        made = copies[0].json()
        assert made["document"] == task["document"] | {"task_name": "first copy"}
        assert (made["status"], made["experiments"], "engine_version" in made["identity"]) == ("pending", {}, False)
        named = await service.http.post(f"/api/tasks/{task['id']}/duplicate", json={"name": "first"})
        problem(named, 409, "conflict")


class TestPlanAndFiles:
    """plan, export, import"""

    async def test_a_plan_of_a_document_and_of_a_task(self, service: Service) -> None:
        asked = (await service.http.post("/api/tasks/plan?commands=2", json=document())).json()
        task = await create(service)
        stored = (await service.http.get(f"/api/tasks/{task['id']}/plan?commands=2")).json()
        assert stored == asked
        assert asked["task_name"] == "first"
        assert len(asked["commands"]) <= 2
        assert asked["counts"]["combinations"] > 0
        assert (await service.http.post("/api/tasks/plan", json={"model": 1})).status_code == 422
        assert (await service.http.post("/api/tasks/plan?commands=101", json=document())).status_code == 422
        assert (await service.store.list_tasks())[1] == 1

    @pytest.mark.parametrize("kind", ["yaml", "json"])
    async def test_an_exported_task_is_imported_again(self, service: Service, kind: str) -> None:
        task = await create(service, "Ünï / name")
        file = await service.http.get(f"/api/tasks/{task['id']}/export?format={kind}")
        assert file.headers["content-type"] == f"application/{kind}"
        assert file.headers["content-disposition"] == f'attachment; filename="n-name.{kind}"'
        by_form = {"files": {"file": ("x.yaml", file.content)}}
        problem(await service.http.post("/api/tasks/import", **by_form), 409, "conflict")
        again = await service.http.post("/api/tasks/import?on_conflict=rename", **by_form)
        assert again.status_code == 201
        assert again.json()["document"] == task["document"] | {"task_name": "Ünï / name-2"}
        as_json = {"json": {"content": file.text}}
        third = await service.http.post("/api/tasks/import?on_conflict=rename", **as_json)
        assert third.json()["name"] == "Ünï / name-3"

    async def test_files_that_are_none(self, service: Service) -> None:
        post = service.http.post
        assert (await post("/api/tasks/import", json={"content": "- 1"})).status_code == 422
        assert (await post("/api/tasks/import", json={"text": "a: 1"})).status_code == 422
        assert (await post("/api/tasks/import", files={"file": ("x", b"\xff")})).status_code == 422
        assert (
            await post("/api/tasks/import", content=b"a: 1", headers={"content-type": "text/plain"})
        ).status_code == 415
        task = await create(service)
        assert (await service.http.get(f"/api/tasks/{task['id']}/export?format=xml")).status_code == 422

"""Experiments over HTTP: lists, details, logs and files, on both databases."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from finished_task import Service

from archived import Source
from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.store import EventType, ExperimentOrigin, ExperimentStatus, NewEvent
from autotuner.store import open_store


async def test_lists_of_one_task_and_of_all(service: Service, source: Source) -> None:
    of_all = (await service.ask.get("/api/experiments")).json()
    of_one = (await service.ask.get("/api/experiments/task/1")).json()
    assert of_all["items"] == of_one["items"]
    assert of_one["total"] == len(source.result.experiments)
    baseline = of_one["items"][0]
    assert (baseline["experiment_id"], baseline["task_id"], baseline["origin"]) == (0, 1, "baseline")
    assert baseline["task_name"] == source.result.task_name
    assert {one["experiment_id"]: one["elapsed_s"] for one in of_one["items"]} == pytest.approx(
        {summary.number: summary.elapsed_s for summary in source.result.experiments}
    )
    assert (baseline["direction"], baseline["unit"]) == (source.result.direction, source.result.unit)
    assert {one["experiment_id"]: one["objective_score"] for one in of_one["items"]} == {
        summary.number: summary.score for summary in source.result.experiments
    }
    best = (
        await service.ask.get(
            "/api/experiments/task/1", params={"sort": "objective_score", "descending": True, "size": 2, "page": 1}
        )
    ).json()
    scores = sorted((s.score for s in source.result.experiments if s.score is not None), reverse=True)
    assert [one["objective_score"] for one in best["items"]] == scores[:2]
    asked = {"origin": "baseline", "status": ["success", "failed"]}
    assert (await service.ask.get("/api/experiments/task/1", params=asked)).json()["total"] == 1


WRONG = {
    "/api/experiments?sort=number": 422,
    "/api/experiments?colour=red": 422,
    "/api/experiments?status=done": 422,
    "/api/experiments/task/77": 404,
    "/api/experiments/0": 422,
    "/api/experiments/777": 404,
    "/api/experiments/777/attempts": 404,
    "/api/experiments/777/logs": 404,
    "/api/experiments/compare?ids=1,777": 404,
    "/api/experiments/compare?ids=a": 422,
    "/api/experiments/compare": 422,
}


async def test_wrong_questions(service: Service) -> None:
    for path, status in WRONG.items():
        answer = await service.ask.get(path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_one_in_full(service: Service, source: Source) -> None:
    assert source.result.winner is not None
    one = (await service.ask.get(f"/api/experiments/{source.result.winner.number + 1}")).json()
    assert one["experiment_id"] == source.result.winner.number
    assert one["objective_score"] == source.result.winner.score
    assert one["slo_violation"] is False
    assert one["gpu_info"] is None
    assert one["error"] is None
    assert one["phase_seconds"] == {p.value: s for p, s in source.result.winner.phase_seconds.items()}
    reasons = [attempt["reason"] for attempt in one["attempts"]]
    assert reasons[0] == "first"
    assert set(reasons[1:]) == {"confirm"}
    listed = (await service.ask.get(f"/api/experiments/{one['id']}/attempts", params={"size": 1, "page": 2})).json()
    assert listed["total"] == len(reasons)
    assert listed["items"] == [one["attempts"][1]]
    assert "raw_results" not in one["metrics"]


async def test_a_comparison_names_what_differs(service: Service) -> None:
    found = (await service.ask.get("/api/experiments/compare", params={"ids": "2,1,2"})).json()
    assert [one["id"] for one in found["experiments"]] == [2, 1]
    assert found["same_task"]
    two, one = found["experiments"]
    assert found["parameters"]
    for name, values in found["parameters"].items():
        assert values == [two["parameters"].get(name), one["parameters"].get(name)]
        assert values[0] != values[1]
    assert found["metrics"]["mean_ttft"] == [two["metrics"]["mean_ttft"], one["metrics"]["mean_ttft"]]


async def test_logs_are_read_in_parts(service: Service) -> None:
    whole = await service.ask.get("/api/experiments/1/logs", params={"attempt": 1})
    assert whole.headers["content-type"].startswith("text/plain")
    text = whole.content
    assert text.startswith(b"start ")
    size = int(whole.headers["x-log-size"])
    assert size == len(text)
    parts = b""
    asked = {"attempt": 1, "limit": 100}
    while len(parts) < size:
        part = await service.ask.get("/api/experiments/1/logs", params=asked | {"offset": len(parts)})
        assert int(part.headers["x-log-offset"]) == len(parts)
        parts += part.content
    assert parts == text
    last = await service.ask.get("/api/experiments/1/logs", params={"attempt": 1, "offset": -13})
    assert last.content == text[-13:]
    assert (await service.ask.get("/api/experiments/1/logs", params={"offset": 10**9})).content == b""
    assert (await service.ask.get("/api/experiments/1/logs", params={"attempt": 99})).status_code == 404


async def test_no_log_rules_a_terminal(service: Service) -> None:
    path = folder_of(service) / "server.log"
    path.write_bytes("\x1b[2Jrot\x07 \u009b31m grün\tok\n".encode())
    part = await service.ask.get("/api/experiments/1/logs", params={"attempt": 1})
    assert part.content.decode() == "?[2Jrot? ??31m grün\tok\n"
    assert int(part.headers["x-log-size"]) == len(part.content)


def folder_of(service: Service) -> Path:
    return next(service.settings.task_dir(1).glob("imported-*/experiment-0000/attempt-01"))


async def test_files_are_listed_and_downloaded(service: Service) -> None:
    folder = folder_of(service)
    (folder / "page.html").write_text("<script>alert(1)</script>")
    found = (await service.ask.get("/api/experiments/1/artefacts", params={"size": 200})).json()["items"]
    paths = {one["path"]: one["size"] for one in found}
    assert {"attempt-01/server.log", "attempt-01/raw/out.json", "attempt-01/page.html"} <= paths.keys()
    for path, size in paths.items():
        answer = await service.ask.get(f"/api/experiments/1/artefacts/{path}")
        assert answer.status_code == 200
        assert len(answer.content) == size
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "html" not in answer.headers["content-type"]
        assert "sandbox" in answer.headers["content-security-policy"]
    page = await service.ask.get("/api/experiments/1/artefacts/attempt-01/page.html")
    assert page.text == "<script>alert(1)</script>"
    shown = await service.ask.get("/api/experiments/1/artefacts/attempt-01/page.html", params={"show": True})
    assert shown.headers["content-type"].startswith("text/html")
    assert shown.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in shown.headers["content-security-policy"]
    log = await service.ask.get("/api/experiments/1/artefacts/attempt-01/server.log", params={"show": True})
    assert log.headers["content-disposition"].startswith("attachment")


async def test_no_path_leads_out_of_the_artefacts(service: Service, tmp_path: Path) -> None:
    folder = folder_of(service)
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    (folder / "link").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    found = (await service.ask.get("/api/experiments/1/artefacts", params={"size": 200})).json()["items"]
    assert not {"link", "secret", "pipe"} & {one["path"].rsplit("/", 1)[1] for one in found}
    for path in (
        "attempt-01/link",
        "attempt-01/folder/secret",
        "attempt-01/pipe",
        "attempt-01/raw",
        "attempt-01/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret",
        "attempt-01/..%2f..%2f..%2f..%2f..%2fsecret",
        "attempt-01/%2fetc/passwd",
        "%2fetc%2fpasswd",
        "attempt-01//etc/passwd",
        "attempt-01/x%00y",
        "attempt-77/server.log",
        "attempt-01",
    ):
        answer = await service.ask.get(f"/api/experiments/1/artefacts/{path}")
        assert answer.status_code == 404, path
        assert "hidden words" not in answer.text


async def test_a_failed_experiment_is_tried_again_once(service: Service) -> None:
    async with open_store(service.settings.database) as store:
        made = await store.add_experiment(1, origin=ExperimentOrigin.SEARCH, parameters={"tp": 8}, identity="failed")
        failure = Failure(kind=FailureClass.OOM, diagnosis="no memory", hint="lower it")
        await store.finish_experiment(
            made.id,
            NewEvent(type=EventType.EXPERIMENT_FAILED),
            status=ExperimentStatus.FAILED,
            failure=failure,
        )
    before = (await service.ask.get(f"/api/experiments/{made.id}")).json()
    assert before["error"]["kind"] == "oom"
    again = await service.ask.post(f"/api/experiments/{made.id}/retry")
    assert (again.status_code, again.json()["status"], again.json()["error"]) == (200, "pending", None)
    refused = await service.ask.post("/api/experiments/1/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    async with open_store(service.settings.database) as store:
        assert (await store.get_task(1)).queued_at is not None


async def test_a_reproduction_says_what_ran(service: Service) -> None:
    found = (await service.ask.post("/api/experiments/1/reproduce")).json()
    one = (await service.ask.get("/api/experiments/1")).json()
    assert found["command"] == one["attempts"][0]["command"]
    assert shlex.split(found["command_line"]) == found["command"]
    assert found["script"].startswith("#!/bin/sh")
    assert found["experiment_id"] == 0
    async with open_store(service.settings.database) as store:
        made = await store.add_experiment(1, origin=ExperimentOrigin.SEARCH, parameters={"tp": 8}, identity="new")
    assert (await service.ask.post(f"/api/experiments/{made.id}/reproduce")).status_code == 409

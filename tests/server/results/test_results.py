"""Results, reports, deploy files and archives over HTTP."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import httpx
from finished_task import Service
from served import client, serving, settings_in

from archived import Source, members, without_numbers
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import EventType, NewEvent, TaskStatus
from autotuner.server.app import create_app
from autotuner.services.report import render_csv
from autotuner.services.task_lock import taken
from autotuner.store import open_store


def result_of(answer: httpx.Response) -> TaskResult:
    data = answer.json()
    data.pop("so_far", None)
    data.pop("words", None)
    return TaskResult.model_validate(data)


async def test_the_result_of_a_finished_task(service: Service, source: Source) -> None:
    answer = await service.ask.get("/api/tasks/1/results")
    assert answer.json()["so_far"] is False
    assert without_numbers(result_of(answer)) == without_numbers(source.result)


async def test_a_result_comes_with_the_words_of_the_report(service: Service, source: Source) -> None:
    words = (await service.ask.get("/api/tasks/1/results")).json()["words"]
    report = (await service.ask.get("/api/tasks/1/report")).text
    assert words["chosen"] == "winner"
    assert words["gain"] in report
    assert words["noise"] in report
    assert words["certainty"].startswith("Of 100 tasks without a true gain at most 1 would claim one")
    result = source.result
    assert result.gain is not None and result.winner is not None
    assert words["experiments"]["0"]["title"] == "#0 baseline"
    assert words["experiments"]["0"]["gain"] is None
    assert words["experiments"][str(result.winner.number)]["gain"] > 0
    finalist = words["finalists"][str(result.gain.experiment)]
    assert len(finalist["pairs"]) == result.gain.pairs
    assert min(finalist["pairs"]) <= result.gain.gain <= max(finalist["pairs"])


async def test_the_names_of_metrics(service: Service, source: Source) -> None:
    names = (await service.ask.get("/api/experiments/metric-names")).json()
    assert [name for name in names if name["name"] == "mean_ttft"] == [
        {"name": "mean_ttft", "label": "TTFT, mean", "unit": "s", "of_server": False}
    ]
    assert source.result.baseline is not None
    assert {name["name"] for name in names} & set(source.result.baseline.metrics)


async def test_the_result_so_far(service: Service) -> None:
    async with open_store(service.settings.database) as store:
        await store.change_task(
            1,
            NewEvent(type=EventType.TASK_STARTED),
            expected=(TaskStatus.COMPLETED,),
            status=TaskStatus.RUNNING,
            fields={"result": None},
        )
    answer = await service.ask.get("/api/tasks/1/results")
    assert answer.json()["so_far"] is True
    assert answer.json()["words"]["chosen"] == "best so far"
    assert result_of(answer).experiments


async def test_reports(service: Service, source: Source) -> None:
    page = await service.ask.get("/api/tasks/1/report")
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert "content-disposition" not in page.headers
    assert "demo" in page.text
    saved = await service.ask.get("/api/tasks/1/report", params={"download": True})
    assert saved.headers["content-disposition"] == 'attachment; filename="demo-report.html"'
    table = await service.ask.get("/api/tasks/1/report", params={"format": "csv"})
    assert table.content.decode() == render_csv(source.result)
    assert len(list(csv.reader(io.StringIO(table.text)))) == len(source.result.experiments) + 1
    data = await service.ask.get("/api/tasks/1/report", params={"format": "json"})
    assert without_numbers(result_of(data)) == without_numbers(source.result)


async def test_deploy_files(service: Service) -> None:
    found = (await service.ask.get("/api/tasks/1/deploy", params={"port": 9000})).json()
    assert found["predicted"] is True
    files = {file["name"]: file["text"] for file in found["files"]}
    assert files["serve.sh"].startswith("#!/bin/sh")
    assert {one["kind"] for one in found["not_available"]} >= {"docker_compose", "kubernetes"}
    assert all(one["why"] for one in found["not_available"])
    one = await service.ask.get("/api/tasks/1/deploy", params={"port": 9000, "file": "serve.sh"})
    assert one.text == files["serve.sh"]
    assert one.headers["content-disposition"] == 'attachment; filename="serve.sh"'
    baseline = (await service.ask.get("/api/tasks/1/deploy", params={"experiment": 0})).json()
    assert baseline["experiment_id"] == 0


WRONG = {
    "/api/tasks/7/results": 404,
    "/api/tasks/7/report": 404,
    "/api/tasks/7/deploy": 404,
    "/api/tasks/7/archive": 404,
    "/api/tasks/1/report?format=pdf": 422,
    "/api/tasks/1/deploy?file=other": 404,
    "/api/tasks/1/deploy?experiment=99": 404,
    "/api/tasks/1/deploy?host=a%20b": 422,
    "/api/tasks/1/deploy?port=0": 422,
}


async def test_wrong_questions(service: Service) -> None:
    for path, status in WRONG.items():
        answer = await service.ask.get(path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"


def upload(archive: bytes) -> dict[str, tuple[str, bytes, str]]:
    return {"file": ("demo.zip", archive, "application/zip")}


async def test_an_archive_comes_and_goes(service: Service, source: Source) -> None:
    archive = await service.ask.get("/api/tasks/1/archive")
    assert archive.headers["content-type"] == "application/zip"
    assert archive.headers["content-disposition"] == 'attachment; filename="demo.zip"'
    assert len(archive.content) == int(archive.headers["content-length"])
    assert json.loads(members(archive.content)["manifest.json"])["task_name"] == "demo"
    made = await service.ask.post("/api/tasks/import-archive", files=upload(archive.content))
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["renamed_from"]) == ("demo-2", "demo")
    assert made.headers["location"] == "/api/tasks/2"
    again = result_of(await service.ask.get("/api/tasks/2/results"))
    assert without_numbers(again) == without_numbers(source.result)
    refused = await service.ask.post(
        "/api/tasks/import-archive", params={"on_conflict": "refuse"}, files=upload(archive.content)
    )
    assert refused.status_code == 409


async def test_bad_uploads_change_nothing(service: Service, source: Source) -> None:
    call = "/api/tasks/import-archive"
    assert (await service.ask.post(call, files=upload(source.archive[:-5]))).status_code == 422
    assert (await service.ask.post(call, files={"other": ("x", b"x", "text/plain")})).status_code == 422
    assert (await service.ask.post(call, data={"file": "text"})).status_code == 415
    assert (await service.ask.post(call, json={})).status_code == 415
    assert (await service.ask.post(call)).status_code == 415
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert (await service.ask.post(call, content=b"--y", headers=broken)).status_code in {400, 422}
    async with open_store(service.settings.database) as store:
        assert (await store.list_tasks())[1] == 1


async def test_an_archive_that_is_too_large_is_refused(source: Source, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, max_archive_bytes=2048)
    async with serving(create_app(settings)) as address, client(address) as ask:
        answer = await ask.post("/api/tasks/import-archive", files=upload(source.archive))
        assert answer.status_code == 413


async def test_a_task_that_is_run_is_not_exported(service: Service) -> None:
    async with open_store(service.settings.database) as store:
        task = await store.get_task(1)
    async with taken(service.settings, task):
        answer = await service.ask.get("/api/tasks/1/archive")
        assert (answer.status_code, answer.json()["code"]) == (409, "task_busy")

"""Presets over HTTP: every status and sentence that the interface promises."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import client, serving, settings_in

from autotuner.server.app import create_app

TEAM_A: dict[str, Any] = {
    "name": "Team A",
    "category": "performance",
    "parameters": {"tp-size": [4, 8], "mem-fraction-static": [0.85]},
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings_in(tmp_path))) as address, client(address) as opened:
        yield opened


def refused(answer: httpx.Response, status: int, detail: str) -> dict[str, Any]:
    """The problem, which has this status and sentence."""
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["detail"]) == (status, status, detail)
    return problem


async def test_system_presets_are_there_from_the_start(http: httpx.AsyncClient) -> None:
    found = (await http.get("/api/presets/")).json()
    assert [one["slug"] for one in found["items"]] == ["memory-efficient", "high-throughput", "low-latency", "balanced"]
    assert {"total": 4, "page": 1, "size": 50, "total_exact": True}.items() <= found.items()
    second = (await http.get("/api/presets", params={"page": 2, "size": 3, "sort": "name"})).json()
    assert [one["name"] for one in second["items"]] == ["Memory Efficient"]


async def test_filters_are_parts_of_the_address(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/presets/?category=&tag=&name=&runtime=")).json()["total"] == 4
    assert (await http.get("/api/presets/?category=memory")).json()["total"] == 1
    refused(await http.get("/api/presets/?colour=red"), 422, "The request is not valid")


async def test_a_preset_is_made_changed_and_removed(http: httpx.AsyncClient) -> None:
    made = await http.post("/api/presets/", json=TEAM_A)
    assert made.status_code == 201
    assert made.headers["location"] == "/api/presets/5"
    assert made.headers["etag"] == '"1"'
    refused(await http.post("/api/presets", json=TEAM_A), 409, "There is already a preset of that name")
    changed = await http.put("/api/presets/5/", json={**TEAM_A, "parameters": {"tp-size": [4]}, "revision": 1})
    assert (changed.json()["revision"], changed.headers["etag"]) == (2, '"2"')
    revisions = (await http.get("/api/presets/team-a/history")).json()["items"]
    assert [one["changes"][-1:] for one in revisions] == [
        [],
        [{"place": "parameters.mem-fraction-static", "was": [0.85], "now": None}],
    ]
    back = await http.post("/api/presets/team-a/rollback", json={"revision": 1})
    assert back.json()["parameters"] == TEAM_A["parameters"]
    assert (await http.delete("/api/presets/5")).status_code == 204
    refused(await http.get("/api/presets/5"), 404, "Preset not found")


@pytest.mark.parametrize("seen", [{"headers": {"If-Match": '"1"'}}, {"json": {"revision": 1}}])
async def test_a_change_of_what_was_not_seen_is_refused(http: httpx.AsyncClient, seen: dict[str, Any]) -> None:
    await http.post("/api/presets/", json=TEAM_A)
    other = {**TEAM_A, "parameters": {"tp-size": [2]}}
    assert (await http.put("/api/presets/5", json=other, headers={"If-Match": "*"})).status_code == 200
    asked: dict[str, Any] = {"json": {**TEAM_A, **seen.get("json", {})}, "headers": seen.get("headers", {})}
    refused(await http.put("/api/presets/5", **asked), 409, "the preset 'team-a' has changed meanwhile")
    assert (await http.get("/api/presets/5")).json()["parameters"] == {"tp-size": [2]}


async def test_system_presets_stay(http: httpx.AsyncClient) -> None:
    refused(await http.delete("/api/presets/1"), 403, "Cannot delete system preset")
    problem = refused(await http.put("/api/presets/1", json=TEAM_A), 403, "Cannot edit system preset")
    assert "Duplicate" in problem["remedy"]
    copied = await http.post("/api/presets/1/duplicate")
    assert (copied.status_code, copied.json()["name"]) == (201, "Memory Efficient (copy)")


async def test_presets_are_merged(http: httpx.AsyncClient) -> None:
    """The worked example of the configuration."""
    found = (await http.post("/api/presets/merge", json={"preset_ids": [2, 1], "merge_strategy": "union"})).json()
    assert found["parameters"] == {"tp-size": [1, 2, 4], "mem-fraction-static": [0.7, 0.75, 0.9]}
    assert found["applied_presets"] == ["high-throughput", "memory-efficient"]
    last = (await http.post("/api/presets/merge", json={"preset_ids": [2, 1], "merge_strategy": "last_wins"})).json()
    assert last["parameters"] == {"tp-size": [1], "mem-fraction-static": [0.7, 0.75]}
    none = (await http.post("/api/presets/merge", json={"preset_ids": [2, 1], "merge_strategy": "intersection"})).json()
    assert none["parameters"] == {}
    assert any("No common values in intersection" in warning for warning in none["warnings"])
    problem = refused(
        await http.post("/api/presets/merge", json={"preset_ids": [1], "merge_strategy": "longest"}),
        422,
        "Invalid merge strategy",
    )
    assert "union, intersection, last_wins, deep_merge" in problem["why"]
    refused(await http.post("/api/presets/merge", json={"preset_ids": [1, 99]}), 404, "Preset not found")


async def test_a_file_goes_out_and_comes_back(http: httpx.AsyncClient) -> None:
    await http.post("/api/presets/", json=TEAM_A)
    out = await http.get("/api/presets/team-a/export")
    assert out.headers["content-disposition"] == 'attachment; filename="preset-team-a.json"'
    form = {"file": ("preset-team-a.json", out.content, "application/json")}
    refused(await http.post("/api/presets/import", files=form), 409, "There is already a preset of that name")
    renamed = await http.post("/api/presets/import?on_conflict=rename", files=form)
    assert (renamed.status_code, renamed.json()["name"]) == (201, "Team A (2)")
    replaced = await http.post(
        "/api/presets/import?on_conflict=replace", content=out.content, headers={"Content-Type": "application/json"}
    )
    assert replaced.json()["id"] == 5


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ({"preset": {"name": "X"}}, "version"),
        ({"version": "2.0", "preset": {"name": "X"}}, "version"),
        ({"version": "1.0"}, "preset"),
        ({"version": "1.0", "preset": {"name": "X", "parameters": {"tp-size": 4}}}, "preset.parameters.tp-size"),
        ([], "file"),
        ("x" * (1 << 20), "file"),
    ],
)
@pytest.mark.parametrize("as_form", [True, False])
async def test_a_wrong_file_names_the_field(http: httpx.AsyncClient, file: object, place: str, as_form: bool) -> None:
    raw = json.dumps(file).encode()
    given: dict[str, Any] = (
        {"files": {"file": ("x.json", raw)}}
        if as_form
        else {"content": raw, "headers": {"Content-Type": "application/json"}}
    )
    problem = refused(await http.post("/api/presets/import", **given), 422, "Import validation failed")
    assert problem["place"] == place


async def test_an_upload_of_another_kind_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/presets/import", content=b"<x/>", headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415
    answer = await http.post("/api/presets/import", files={"other": ("x.json", b"{}")})
    assert answer.status_code == 422

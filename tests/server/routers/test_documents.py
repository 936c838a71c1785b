"""Task documents before they are tasks, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import client, serving, settings_in

from autotuner.engines.registry import demonstration
from autotuner.server.app import create_app
from autotuner.services.document_schema import document_schema

ON_GPUS = {
    "base_runtime": "vllm",
    "model": {"id_or_path": "Qwen/Qwen3-0.6B"},
    "parallel_config": {"tp": [1, 2, 4]},
    "system_config": {"gpu_type": "h200_sxm", "total_gpus": 4},
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings_in(tmp_path))) as address, client(address, timeout=120) as opened:
        yield opened


async def started(http: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await http.get(f"/api/documents/start{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_schema_is_the_one_of_the_command_line(http: httpx.AsyncClient) -> None:
    found = (await http.get("/api/documents/schema")).json()
    assert found == document_schema()
    assert "simulated" in str(found["properties"]["base_runtime"])


async def test_the_first_document_becomes_a_task_as_it_is(http: httpx.AsyncClient) -> None:
    first = (await started(http))["document"]
    plan = (await http.post("/api/tasks/plan", json=first)).json()
    assert not [warning for warning in plan["warnings"] if "cannot run here" in warning]
    assert (await http.post("/api/tasks", json=first)).status_code == 201
    second = (await started(http))["document"]
    assert second["task_name"] == f"{first['task_name']}-2"


async def test_the_demonstration_becomes_a_task_as_often_as_one_likes(http: httpx.AsyncClient) -> None:
    for name in ("demo", "demo-2"):
        document = (await http.get("/api/documents/demonstration")).json()
        assert (document["task_name"], document["base_runtime"]) == (name, demonstration()["base_runtime"])
        assert (await http.post("/api/tasks", json=document)).status_code == 201


async def test_a_profile_says_what_is_searched(http: httpx.AsyncClient) -> None:
    found = await started(http, "?model=tiny&profile=low-latency")
    assert found["document"]["profiles"] == ["low-latency"]
    assert "parameters" not in found["document"]
    assert "low-latency" in found["why"]
    plan = (await http.post("/api/tasks/plan", json=found["document"])).json()
    assert any(layer["name"].startswith("profile:low-latency") for layer in plan["layers"])


async def test_an_engine_of_which_nothing_is_here_begins_with_a_profile(http: httpx.AsyncClient) -> None:
    found = await started(http, "?engine=vllm&model=Qwen/Qwen3-0.6B")
    assert found["document"]["base_runtime"] == "vllm"
    assert found["document"]["profiles"] == ["balanced"]
    unknown = await http.get("/api/documents/start?engine=nothing")
    assert unknown.status_code == 422


async def test_predictions_are_called_predictions(http: httpx.AsyncClient) -> None:
    found = await started(http, "?engine=simulated")
    assert "predictions" in found["why"]
    assert (await http.post("/api/tasks/plan", json=found["document"])).json()["predicted"] is True


async def test_profiles_take_the_place_of_what_the_demonstration_searches(http: httpx.AsyncClient) -> None:
    found = await started(http, "?engine=simulated&profile=balanced&model=other")
    assert found["document"]["model"] == {"id_or_path": "Qwen/Qwen3-32B"}
    assert "parameters" not in found["document"]
    plan = (await http.post("/api/tasks/plan", json=found["document"])).json()
    assert plan["predicted"] is True
    assert plan["runs"]["searched"] > 0


async def test_forms_are_changed_both_ways(http: httpx.AsyncClient) -> None:
    flat = {"base_runtime": "vllm", "model": {"id_or_path": "m"}, "parameters": {"tensor_parallel_size": [1, 2]}}
    there = (await http.post("/api/documents/form", json={"document": flat, "form": "structured"})).json()
    assert there["document"]["parallel_config"] == {"tp": [1, 2]}
    back = (await http.post("/api/documents/form", json={"document": there["document"], "form": "flat"})).json()
    assert back["document"] == flat
    wrong = await http.post("/api/documents/form", json={"document": {"nope": 1}, "form": "flat"})
    assert (wrong.status_code, wrong.json()["errors"][0]["place"]) == (422, "nope")


async def test_an_engine_says_what_its_blocks_take(http: httpx.AsyncClient) -> None:
    found = (await http.get("/api/engines/vllm/blocks")).json()
    blocks = {block["place"]: block for block in found["blocks"]}
    presets = {preset["name"]: preset for preset in blocks["quant_config"]["presets"]}
    assert presets["default"]["default"] is True
    assert presets["kv-cache-fp8"]["fields"]["kvcache_dtype"] == "fp8_e5m2"
    sizes = next(field for field in blocks["parallel_config"]["fields"] if field["name"] == "pp")
    assert 3 not in sizes["choices"]
    assert (await http.get("/api/engines/nothing/blocks")).status_code == 404


async def test_a_plan_tells_gpus_and_price(http: httpx.AsyncClient) -> None:
    priced = {**ON_GPUS, "optimization": {"price_per_gpu_hour": 3.0}}
    plan = (await http.post("/api/tasks/plan", json=priced)).json()
    assert plan["gpus"] == [1, 4]
    assert plan["price"] == pytest.approx([plan["estimate_s"] / 1200, plan["most_s"] / 300])
    assert {command["gpus"] for command in plan["commands"]} == {1, 2, 4}
    assert (await http.post("/api/tasks/plan", json=ON_GPUS)).json()["price"] is None

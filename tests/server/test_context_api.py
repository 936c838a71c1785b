"""Profiles, tasks from context, engines and files of aiconfigurator over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from served import client, serving, settings_in

from autotuner.server.app import create_app
from autotuner.server.routers.aiconfigurator import EXAMPLE


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings_in(tmp_path))) as address, client(address) as opened:
        yield opened


async def test_profiles_are_a_bare_array(http: httpx.AsyncClient) -> None:
    found = (await http.get("/api/profiles/")).json()
    assert [one["name"] for one in found] == [
        "quick-test", "balanced", "low-latency", "high-throughput", "cost-optimization", "production"
    ]  # fmt: skip
    keys = {"name", "description", "use_case", "tags", "recommended_for", "layers_count"}
    assert all(set(one) == keys for one in found)
    assert (await http.get("/api/profiles/balanced")).json()["layer_names"] == ["balanced-params"]
    missing = await http.get("/api/profiles/fastest")
    assert (missing.status_code, missing.json()["detail"]) == (404, "Profile not found")


async def test_a_file_in_the_configuration_folder_is_a_profile(tmp_path: Path, http: httpx.AsyncClient) -> None:
    folder = tmp_path / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "ours.yaml").write_text("name: ours\ndata: {optimization: {max_iterations: 3}}\n")
    found = (await http.get("/api/profiles/ours")).json()
    assert found["layer_names"] == ["ours-params"]


async def test_a_task_is_made_of_a_few_facts(http: httpx.AsyncClient) -> None:
    asked = {"model_name": "tiny", "base_runtime": "llamacpp", "profiles": ["quick-test", "nonsense"]}
    made = await http.post("/api/tasks/from-context", json=asked)
    assert made.status_code == 201, made.text
    answer = made.json()
    assert (answer["task"]["name"], answer["task"]["status"]) == ("tiny-quick-test-nonsense-1", "pending")
    assert "profile:quick-test:quick-test-params" in answer["applied_layers"]
    assert answer["generated_config"]["optimization"]["max_iterations"] == 2
    assert any("nonsense" in warning for warning in answer["warnings"])
    again = await http.post("/api/tasks/from-context", json=asked)
    assert again.json()["task"]["name"] == "tiny-quick-test-nonsense-2"
    taken = await http.post("/api/tasks/from-context", json={**asked, "task_name": "tiny-quick-test-nonsense-1"})
    assert taken.status_code == 409


async def test_presets_of_a_task_are_looked_up_first(http: httpx.AsyncClient) -> None:
    asked = {
        "model_name": "Qwen/Qwen3-0.6B",
        "base_runtime": "sglang",
        "deployment_mode": "local",
        "presets": ["high-throughput"],
        "total_gpus": 2,
    }
    made = (await http.post("/api/tasks/from-context", json=asked)).json()
    assert "preset:high-throughput" in made["applied_layers"]
    missing = await http.post("/api/tasks/from-context", json={**asked, "presets": [77]})
    assert (missing.status_code, missing.json()["detail"]) == (404, "Preset not found")
    wrong = await http.post("/api/tasks/from-context", json={**asked, "total_gpu": 2})
    assert (wrong.status_code, wrong.json()["place"]) == (422, "total_gpu")


async def test_engines_list_their_parameters(http: httpx.AsyncClient) -> None:
    engines = (await http.get("/api/engines")).json()
    assert engines["total"] == len(engines["items"]) >= 5
    found = (await http.get("/api/engines/vllm/parameters?commonly_tuned=true&size=2&page=2")).json()
    assert (found["engine"], found["page"], len(found["items"])) == ("vllm", 2, 2)
    assert found["total"] < (await http.get("/api/engines/vllm/parameters")).json()["total"]
    for path in ("/api/engines/nothing/parameters", "/api/engines/vllm/parameters?version=0.0.1"):
        assert (await http.get(path)).status_code == 404


async def test_everything_that_is_wrong_is_told_at_once(http: httpx.AsyncClient) -> None:
    loose = {"base_runtime": "vllm", "parameters": {"nope": 1, "max-num-seqs": ["many"], "tp": [1, 2]}}
    found = (await http.post("/api/engines/validate", json=loose)).json()
    assert found["valid"] is False
    assert [one["place"] for one in found["problems"]] == ["parameters.nope", "parameters.max-num-seqs"]
    document = {"model": {"id_or_path": "tiny"}, "parameters": {"n_ubatch": 16}, "optimization": {"seeds": 1}, "x": 2}
    found = (await http.post("/api/engines/validate", json={"document": document})).json()
    assert {one["place"] for one in found["problems"]} == {"optimization.seeds", "x"}
    neither = await http.post("/api/engines/validate", json={})
    assert neither.status_code == 422


async def test_a_preview_is_the_plan(http: httpx.AsyncClient) -> None:
    """Two values that launch the same are one configuration, and what is excluded is counted with the reason."""
    document = {
        "base_runtime": "sglang",
        "model": {"id_or_path": "Qwen/Qwen3-0.6B"},
        "parallel_config": {"tp": [1, 2, 4], "dp": [1, 2], "strict_dp": True},
    }
    found = (await http.post("/api/engines/preview", json={"document": document})).json()
    assert (found["counts"]["combinations"], found["counts"]["valid"]) == (6, 5)
    assert sum(found["counts"]["excluded"].values()) == 1
    argv = [tuple(one["command"]["argv"]) for one in found["commands"]]
    assert len(set(argv)) == len(argv) == 5


async def test_a_file_of_aiconfigurator_becomes_a_task_and_a_file_again(http: httpx.AsyncClient) -> None:
    shown = await http.post("/api/aiconfigurator/import?dry_run=true", json={"content": EXAMPLE})
    assert (shown.status_code, shown.json()["items"][0]["task"]) == (200, None)
    made = await http.post("/api/aiconfigurator/import", files={"file": ("agg.json", EXAMPLE.encode())})
    assert made.status_code == 201, made.text
    (item,) = made.json()["items"]
    assert (item["task"]["name"], item["task"]["status"]) == ("aiconfig-llama_70b-tp4-pp2", "pending")
    assert (await http.post("/api/aiconfigurator/import", json={"content": EXAMPLE})).status_code == 409
    out = (await http.get(f"/api/tasks/{item['task']['id']}/export/aiconfigurator")).json()
    assert out["file"]["worker_config"]["pp"] == 2
    other = await http.post("/api/aiconfigurator/import", json={"content": "a: 1"})
    assert other.status_code == 422

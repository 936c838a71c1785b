"""Every profile runs on every engine: real llama.cpp, predictions, and a pretended server in place of the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import ExperimentOrigin, TaskStatus
from autotuner.profiles.built_in import PROFILES
from autotuner.services.documents import read_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task

pytestmark = pytest.mark.slow

SEARCHING = [profile.name for profile in PROFILES if profile.searched is not None]

PRETENDED = f"""#!{sys.executable}
import os, sys
words = sys.argv[1:]
value = lambda flag: words[words.index(flag) + 1]
name = value("--served-model-name") if "--served-model-name" in words else value("--served_model_name")
command = [sys.executable, "-m", "autotuner", "mock-server", "--model", name]
os.execv(sys.executable, [*command, "--port", value("--port"), "--ttft-s", "0.001"])
"""

SMALL = """
profiles: [{profile}, production]
optimization: {{max_iterations: 2, baseline: false, confirm: {{top_k: 0}}}}
benchmark:
  traffic_scenarios: ["{traffic}"]
  num_concurrency: [1]
  max_time_per_iteration: 0.3
  min_requests: 1
  warmup_requests: 0
quality: {{enabled: false}}
"""


class Silent:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})


def head(name: str, folder: Path) -> str:
    """What a document says of the engine, as lines of a mapping."""
    if name == "llamacpp":
        return "base_runtime: llamacpp\nmodel: {id_or_path: tiny}\n"
    if name == "simulated":
        table = "surface: qwen3_32b_h200, backend: vllm, isl: 4000, osl: 500"
        return f"base_runtime: simulated\nsimulation: {{{table}}}\n"
    program = folder / "serve"
    program.write_text(PRETENDED)
    program.chmod(0o755)
    return f"base_runtime: {name}\nmodel: {{id_or_path: owner/model}}\nruntime: {{command: [{program}]}}\n"


@pytest.mark.engine
@pytest.mark.parametrize("name", ["llamacpp", "vllm", "sglang", "tensorrt-llm", "simulated"])
@pytest.mark.parametrize("profile", SEARCHING)
async def test_a_profile_runs(settings: Settings, tmp_path: Path, name: str, profile: str) -> None:
    file = tmp_path / "task.yaml"
    # Predictions are of one kind of request.
    traffic = "D(4000,500)" if name == "simulated" else "D(20,10)"
    file.write_text(head(name, tmp_path) + SMALL.format(profile=profile, traffic=traffic))
    outcome = await run_task(read_document(str(file), settings=settings), settings, Silent())
    assert outcome.task.status is TaskStatus.COMPLETED
    found = [one for one in outcome.result.experiments if one.origin is ExperimentOrigin.SEARCH]
    assert len(found) == (1 if profile == "quick-test" else 2)
    assert all(one.metrics for one in found)
    layers = outcome.task.document["assembled"]["layers"]
    assert [layer["name"] for layer in layers] == [
        f"profile:{profile}:{profile}-params",
        "profile:production:production-params",
    ]

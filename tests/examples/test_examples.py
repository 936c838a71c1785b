"""The examples are sound, plan what they say, and run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.document import TaskDocument
from autotuner.config.load import parse
from autotuner.config.workload import limits, load_points

FOLDER = Path(__file__).resolve().parents[2] / "examples"
QUICKSTART = FOLDER / "quickstart" / "task.yaml"
EXAMPLES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*/task.yaml")])
SMALL = (
    "optimization.max_iterations=2",
    "optimization.confirm.starts=2",
    "benchmark.max_time_per_iteration=1",
    "benchmark.min_requests=5",
    "benchmark.warmup_requests=4",
)


def document(path: Path) -> TaskDocument:
    return parse(path.read_text(encoding="utf-8"), name=path.name)


def autotuner(folder: Path, *words: str, sets: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    """Run the command line with a data folder of its own."""
    changes = [word for change in sets for word in ("--set", change)]
    return subprocess.run(
        [sys.executable, "-m", "autotuner", *words, *changes],
        env={**os.environ, "AUTOTUNER_DATA_DIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@contextmanager
def pretended_server(folder: Path) -> Iterator[str]:
    """The address of a mock server that serves the example's model name."""
    name = document(FOLDER / "endpoint.yaml").model.served_name or "mock"
    words = ["mock-server", "--model", name, "--ttft-s", "0.002", "--token-s", "0.0001"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-m", "autotuner", *words], stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["base_url"])
        finally:
            process.terminate()


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def test_there_are_examples() -> None:
    assert QUICKSTART in EXAMPLES
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_an_example_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    loaded = document(path)
    assert loaded.task_name == (path.stem if path.parent == FOLDER else path.parent.name)
    assert len({document(other).task_name for other in EXAMPLES}) == len(EXAMPLES)


def planned(path: Path, folder: Path) -> dict[str, Any]:
    ran = autotuner(folder, "plan", str(path), "--json")
    assert ran.returncode == 0, ran.stderr
    plan: dict[str, Any] = json.loads(ran.stdout)
    return plan


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_an_example_plans(path: Path, tmp_path: Path) -> None:
    plan = planned(path, tmp_path)
    loaded = document(path)
    assert plan["task_name"] == loaded.task_name
    assert plan["counts"]["exact"]
    if loaded.measures_endpoint:
        assert plan["runs"]["searched"] == 0
        return
    assert plan["counts"]["valid"] == plan["counts"]["distinct"] > plan["runs"]["searched"]
    assert plan["runs"]["searched"] == loaded.optimization.max_iterations
    assert plan["runs"]["baseline"]
    # What a CPU cannot do is left out; that hangs on the host.
    assert all("this host does not have" in reason for reason in plan["counts"]["excluded"])
    assert not plan["counts"]["excluded"] or loaded.base_runtime == "vllm"


def test_the_quickstart_is_a_real_search(tmp_path: Path) -> None:
    plan = planned(QUICKSTART, tmp_path)
    assert plan["counts"]["exact"]
    assert plan["counts"]["valid"] >= 150
    assert plan["counts"]["distinct"] >= 150
    loaded = document(QUICKSTART)
    assert loaded.optimization.confirm.starts >= 5
    assert loaded.optimization.confirm.top_k >= 1
    assert loaded.optimization.references


def test_the_windows_of_the_quickstart_are_long_enough() -> None:
    loaded = document(QUICKSTART)
    measure = limits(loaded)
    assert load_points(loaded)
    assert measure.window_s >= 5
    assert measure.min_requests >= 100
    assert measure.max_requests is None or measure.max_requests >= 100
    assert measure.max_window_s >= 4 * measure.window_s, "room for a slow configuration to reach its requests"


@pytest.mark.engine
@pytest.mark.parametrize("path", [p for p in EXAMPLES if document(p).base_runtime == "llamacpp"], ids=name_of)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    ran = autotuner(tmp_path, "run", str(path), "--json", sets=SMALL)
    assert ran.returncode == 0, ran.stderr
    last = json.loads(ran.stdout.splitlines()[-1])
    result = last["result"]
    assert last["type"] == "result"
    assert result["headline"]
    origins = [experiment["origin"] for experiment in result["experiments"]]
    assert origins.count("search") == 2
    assert origins.count("baseline") == 1
    assert origins.count("reference") == len(document(path).optimization.references)
    assert [e["failure"] for e in result["experiments"] if e["failure"]] == []
    assert all(e["metrics"]["total_completed_requests"] >= 5 for e in result["experiments"])


@pytest.mark.engine
def test_the_endpoint_example_measures_a_running_server(tmp_path: Path) -> None:
    with pretended_server(tmp_path) as address:
        sets = (*SMALL, f"deployment.endpoint_url={address}")
        ran = autotuner(tmp_path, "run", str(FOLDER / "endpoint.yaml"), "--json", sets=sets)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])["result"]
    assert "Nothing was searched" in result["headline"]
    (measured,) = result["experiments"]
    assert measured["metrics"]["error_rate"] == 0
    assert measured["metrics"]["total_completed_requests"] >= 5
    assert measured["metrics"]["mean_ttft"] >= 0.002

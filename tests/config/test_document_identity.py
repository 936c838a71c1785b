"""What may change between two runs of one task."""

from __future__ import annotations

import json

import pytest

from autotuner.config.identity import changed, fingerprint, identity
from autotuner.config.load import parse

BASE = """
model: {id_or_path: [a, b]}
runtime: {env: {A: [1]}}
parameters:
  x: [1, 2]
  n: {type: int, low: 2, high: 8, step: 2}
  f: {type: float, low: 0.1, high: 0.5}
  k: 3
"""


@pytest.mark.parametrize(
    "change",
    [
        "task_name=other", "description=text", "labels=[a]", "metadata={a: 1}", "deployment.gpu_wait_timeout=1",
        "optimization.strategy=grid", "optimization.max_iterations=99", "optimization.patience=4",
        "optimization.budget.wall_clock_s=60", "optimization.confirm.starts=0", "optimization.retries=0",
        "parameters.x=[2, 1, 3]", "parameters.x={type: int, low: 1, high: 4}", "parameters.n.high=10",
        "parameters.n={type: int, low: 1, high: 9}", "parameters.f.low=0.05", "model.id_or_path=[c, b, a]",
        "runtime.env.A=[1, 2]",
    ],
)  # fmt: skip
def test_what_continues_a_task(change: str) -> None:
    old, new = identity(parse(BASE)), identity(parse(BASE, sets=[change]))
    assert changed(json.loads(json.dumps(old)), new) == []
    assert fingerprint(old) == fingerprint(new)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("optimization.seed=1", "optimization.seed was 0 and is now 1"),
        ("base_runtime=e", 'base_runtime is now "e" and was not given'),
        ("slo.ttft.threshold=1", "slo.ttft.mean.threshold is now 1.0 and was not given"),
        ("benchmark.num_concurrency=[1]", "benchmark.num_concurrency was [1,4] and is now [1]"),
        ("optimization.objective=minimize_ttft", 'optimization.objective was "minimize_latency" and is now'),
        ("parameters.x=[1]", "parameters.x was [1,2] and is now [1]"),
        ("parameters.x=1", "parameters.x was [1,2] and is now 1"),
        ("parameters.x=[1, '2']", 'parameters.x was [1,2] and is now [1,"2"]'),
        ("parameters.k=4", "parameters.k was 3 and is now 4"),
        ("parameters.k=[3, 4]", "parameters.k was 3 and is now [3,4]"),
        ("parameters.y=[1]", "parameters.y is now [1] and was not given"),
        ("parameters.n.low=4", "parameters.n was 2 to 8 and is now 4 to 8"),
        ("parameters.n.low=1", "parameters.n was 2 to 8 and is now 1 to 8"),
        ("parameters.f.high=0.4", "parameters.f was 0.1 to 0.5 and is now 0.1 to 0.4"),
        ("model.id_or_path=[a]", 'model.id_or_path was ["a","b"] and is now ["a"]'),
        ("runtime.extra_args=[-v]", 'runtime.extra_args was [] and is now ["-v"]'),
    ],
)
def test_what_is_another_task(change: str, sentence: str) -> None:
    sentences = changed(identity(parse(BASE)), identity(parse(BASE, sets=[change])))
    assert any(s.startswith(sentence) for s in sentences), sentences


def test_a_removed_parameter_and_a_callers_own_facts_are_compared() -> None:
    old = identity(parse(BASE))
    new = {**identity(parse("model: {id_or_path: [a, b]}\nparameters: {x: [1, 2]}")), "hardware": {"cpu": "z"}}
    sentences = changed(old, new)
    assert "parameters.k was 3 and is no longer given" in sentences
    assert 'hardware.cpu is now "z" and was not given' in sentences


def test_where_a_dataset_lies_does_not_matter_and_how_it_is_used_does() -> None:
    here, there, replayed = (
        identity(parse(BASE, sets=[f"benchmark.dataset={given}"]))
        for given in ("a.csv", "/b/a.csv", "{path: a.csv, replay_speed: 2}")
    )
    assert changed(here, there) == []
    assert changed(here, replayed)


def test_a_task_of_before_there_were_profiles_goes_on() -> None:
    assert "profile" not in identity(parse(BASE))["benchmark"]
    assert identity(parse(BASE, sets=["benchmark.profile=sweep"]))["benchmark"]["profile"] == "sweep"

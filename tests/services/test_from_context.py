"""Tasks from a few facts: defaults, profiles, overrides, the SLO and the number of GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autotuner.config.problems import DocumentError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.presets.layering import NO_PRESETS, Chosen
from autotuner.services.from_context import ContextTask, read_request, task_from_context
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import Settings
from presets.builders import stored


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", database=str(tmp_path / "data" / "autotuner.db"))


def task(settings: Settings, *, names: tuple[str, ...] = (), presets: Chosen = NO_PRESETS, **asked: Any) -> ContextTask:
    request = read_request({"model_name": "owner/Model-1", "base_runtime": "sglang", **asked})
    return task_from_context(request, open_profiles(settings), settings, names=names, presets=presets)


def test_defaults(settings: Settings) -> None:
    made = task(settings, user_overrides={"parameters": {"tp-size": [1, 2]}}, total_gpus=8)
    config = made.generated_config
    assert config["deployment_mode"] == "docker"
    assert config["base_runtime"] == "sglang"
    assert config["model"] == {"id_or_path": "owner/Model-1"}
    assert config["benchmark"] == {
        "task": "text-to-text",
        "traffic_scenarios": ["D(100,100)"],
        "num_concurrency": [1, 4],
    }
    assert config["optimization"] == {"strategy": "bayesian"}
    assert made.document.optimization.objective == "minimize_latency"
    assert made.applied_layers == ("base", "deployment:docker", "engine:sglang", "request", "user_patch")
    assert made.provenance["benchmark.num_concurrency"] == "base"
    assert made.provenance["model.id_or_path"] == "request"


@pytest.mark.parametrize(("engine", "mode"), [("llamacpp", "local"), ("vllm", "docker"), ("tensorrt-llm", "docker")])
def test_an_engine_that_takes_no_gpus_is_started_here(settings: Settings, engine: str, mode: str) -> None:
    made = task(settings, base_runtime=engine, profiles=["balanced"])
    assert made.generated_config["deployment_mode"] == mode


def test_a_mode_that_is_given_is_taken(settings: Settings) -> None:
    made = task(settings, deployment_mode="local", profiles=["balanced"])
    assert made.generated_config["deployment_mode"] == "local"
    assert "deployment:local" in made.applied_layers


def test_profiles_are_stronger_than_defaults_and_weaker_than_what_is_given(settings: Settings) -> None:
    made = task(settings, profiles=["balanced"], traffic_scenarios=["D(10,10)"])
    assert made.generated_config["benchmark"]["num_concurrency"] == [4, 8, 16]
    assert made.generated_config["benchmark"]["traffic_scenarios"] == ["D(10,10)"]
    assert made.provenance["benchmark.num_concurrency"] == "profile:balanced:balanced-params"
    assert made.provenance["benchmark.traffic_scenarios"] == "request"
    given = task(settings, profiles=["balanced"], num_concurrency=[2])
    assert given.generated_config["benchmark"]["num_concurrency"] == [2]


def test_low_latency_then_production(settings: Settings) -> None:
    made = task(settings, profiles=["low-latency", "production"])
    document = made.document
    assert document.optimization.objective == "minimize_latency"
    assert document.optimization.max_iterations == 30
    assert made.generated_config["parameters"]["tp-size"] == [1, 2]
    assert document.slo.latency is not None
    assert document.slo.latency.p90 is not None
    assert (document.slo.latency.p90.threshold, document.slo.latency.p90.hard_fail) == (5.0, True)
    labels = [layer for layer in made.applied_layers if layer.startswith("profile:")]
    assert labels == ["profile:low-latency:low-latency-params", "profile:production:production-params"]


def test_a_patch_merges_deeply_and_replaces_lists(settings: Settings) -> None:
    made = task(
        settings,
        profiles=["balanced"],
        user_overrides={"optimization": {"max_iterations": 5}, "parameters": {"tp_size": [2]}},
    )
    assert made.generated_config["optimization"] == {
        "strategy": "bayesian",
        "max_iterations": 5,
        "timeout_per_iteration": 600,
    }
    assert made.generated_config["parameters"] == {"mem-fraction-static": [0.8, 0.85, 0.9], "tp_size": [2]}
    assert made.applied_layers[-1] == "user_patch"
    assert made.provenance["parameters.tp_size"] == "user_patch"


def test_a_replacement_keeps_what_the_task_is(settings: Settings) -> None:
    made = task(
        settings,
        task_name="kept",
        profiles=["balanced"],
        override_mode="replace",
        user_overrides={"parameters": {"tp-size": [1]}},
        total_gpus=4,
    )
    assert made.generated_config == {
        "task_name": "kept",
        "model": {"id_or_path": "owner/Model-1"},
        "deployment_mode": "docker",
        "base_runtime": "sglang",
        "parameters": {"tp-size": [1]},
    }
    assert made.applied_layers == ("deployment:docker", "engine:sglang", "request", "user_replace")


def test_the_slo_is_merged_over_that_of_profiles(settings: Settings) -> None:
    made = task(
        settings,
        profiles=["balanced", "production"],
        slo_config={"ttft": {"threshold": 0.5}, "latency": {"p99": {"threshold": 9.0}}},
    )
    slo = made.generated_config["slo"]
    assert slo["ttft"] == {"mean": {"threshold": 0.5, "weight": 2.0}}
    assert slo["tpot"] == {"mean": {"threshold": 0.05, "weight": 2.0}}
    assert set(slo["latency"]) == {"p90", "p99"}
    assert made.provenance["slo.ttft.mean.threshold"] == "slo_config"
    assert made.provenance["slo.ttft.mean.weight"] == "profile:production:production-params"


def test_the_cap_is_the_strongest(settings: Settings) -> None:
    made = task(settings, profiles=["high-throughput"], total_gpus=2)
    assert made.generated_config["parameters"]["tp-size"] == [2]
    assert any("tp-size is [2] in place of [4,8]" in warning for warning in made.warnings)
    assert made.applied_layers[-1] == "gpu_cap"
    over = task(settings, total_gpus=2, user_overrides={"parameters": {"tp-size": [8]}})
    assert over.provenance["parameters.tp-size"] == "gpu_cap"


def test_an_unknown_profile_is_skipped_with_a_warning(settings: Settings) -> None:
    made = task(settings, profiles=["balanced", "nowhere"])
    assert any("there is no profile 'nowhere'" in warning for warning in made.warnings)
    assert not any("nowhere" in layer for layer in made.applied_layers)


def test_names_count_up(settings: Settings) -> None:
    assert task(settings, profiles=["balanced"]).document.task_name == "Model-1-balanced-1"
    taken = ("Model-1-low-latency-production-1", "Model-1-low-latency-production-2")
    made = task(settings, profiles=["low-latency", "production"], names=taken)
    assert made.document.task_name == "Model-1-low-latency-production-3"
    given = task(settings, profiles=["balanced"], task_name="mine", names=("mine",))
    assert given.document.task_name == "mine"


def test_presets_are_a_layer_of_their_own(settings: Settings) -> None:
    low = stored("Low", runtime="sglang", parameters={"mem-fraction-static": (0.5,)})
    made = task(settings, profiles=["balanced"], presets=Chosen((low,)))
    assert made.applied_layers[-2:] == ("preset:low", "request")
    assert made.generated_config["parameters"]["mem-fraction-static"] == [0.5]
    assert made.provenance["parameters.mem-fraction-static"] == "preset:low"


def test_presets_that_nobody_looked_up_are_not_passed_over(settings: Settings) -> None:
    request = read_request({"model_name": "m", "base_runtime": "sglang", "presets": ["mine"]})
    with pytest.raises(ValueError, match="looked up"):
        task_from_context(request, open_profiles(settings), settings)


def test_gpus_and_strategy_are_put_in_their_place(settings: Settings) -> None:
    made = task(
        settings,
        profiles=["balanced"],
        total_gpus=8,
        gpu_type="h200_sxm",
        optimization_strategy="random",
        optimization_objective="maximize_throughput",
    )
    assert made.generated_config["system_config"] == {"total_gpus": 8, "gpu_type": "h200_sxm"}
    assert made.document.optimization.strategy == "random"
    assert made.document.optimization.objective == "maximize_throughput"


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"profile": ["balanced"]}, "profile"),
        ({"override_mode": "merge"}, "override_mode"),
        ({"total_gpus": 0}, "total_gpus"),
        ({"model_name": ""}, "model_name"),
        ({"user_overrides": {"optimisation": {}}}, "optimisation"),
        ({"slo_config": {"ttfb": {}}}, "slo.ttfb"),
        ({"benchmark_task": "image"}, "benchmark.task"),
    ],
)
def test_wrong_requests_are_refused_with_their_place(settings: Settings, asked: dict[str, Any], place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        task(settings, **{"profiles": ["balanced"], **asked})
    assert caught.value.place == place


def test_no_model_is_refused() -> None:
    with pytest.raises(DocumentError) as caught:
        read_request({"base_runtime": "sglang"})
    assert (caught.value.place, caught.value.why) == ("model_name", "it is required")


def test_production_alone_is_refused(settings: Settings) -> None:
    with pytest.raises(AutotunerError) as caught:
        task(settings, profiles=["production"])
    assert caught.value.code is ErrorCode.EMPTY_SPACE

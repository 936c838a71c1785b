"""What a profile becomes on each engine: its names, how many configurations it gives, and what is left out."""

from __future__ import annotations

import random
from typing import Any

import pytest

from autotuner.config.layers import LayerContext, assemble
from autotuner.config.load import validate
from autotuner.engines.registry import ENGINES, engine
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile
from autotuner.profiles.built_in import built_in_profiles
from autotuner.services.profiles import profile_layers

NAMES = built_in_profiles().names()
SEARCHING = [name for name in NAMES if name != "production"]


def data_of(name: str, profile: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = engine(name)
    made = profile_layers(built_in_profiles().get(profile), LayerContext(base_runtime=name), found)
    return assemble(made.layers).data, made.notes


def plan_of(name: str, data: dict[str, Any]) -> Plan:
    simulation = {"simulation": {}} if engine(name).own_deployment is not None else {}
    document = validate({"base_runtime": name, "model": {"id_or_path": "m"}, **simulation, **data})
    return make_plan(
        document,
        engine=engine(name),
        models=[ModelFile("m", "m", {})],
        host=HostFacts(cores=(0, 1)),
        rng=random.Random(0),
    )


@pytest.mark.parametrize("name", ["llamacpp", "vllm", "sglang", "tensorrt-llm"])
@pytest.mark.parametrize("profile", SEARCHING)
def test_every_profile_gives_configurations_on_every_engine(name: str, profile: str) -> None:
    data, _ = data_of(name, profile)
    made = plan_of(name, data)
    assert made.count.exact
    assert made.count.distinct is not None
    assert made.count.distinct >= (1 if profile == "quick-test" else 4)
    for configuration in made.space.enumerate():
        assert made.resolver.command(configuration).argv


@pytest.mark.parametrize(
    ("name", "tp", "memory"),
    [
        ("sglang", "tp-size", "mem-fraction-static"),
        ("vllm", "tensor-parallel-size", "gpu-memory-utilization"),
        ("tensorrt-llm", None, None),
    ],
)
def test_engines_on_gpus_get_their_own_names(name: str, tp: str | None, memory: str | None) -> None:
    data, notes = data_of(name, "balanced")
    assert notes == ()
    assert list(data["parameters"].values()) == [[1, 2, 4], [0.8, 0.85, 0.9]]
    if tp is not None:
        assert list(data["parameters"]) == [tp, memory]
    catalogue = engine(name).catalogue
    assert all(catalogue.find(spelling) is not None for spelling in data["parameters"])


def test_the_tokens_of_a_step_have_the_name_of_the_engine() -> None:
    names = {name: list(data_of(name, "high-throughput")[0]["parameters"])[1] for name in ("sglang", "vllm")}
    assert names == {"sglang": "chunked-prefill-size", "vllm": "max_num_batched_tokens"}


def test_what_an_engine_lacks_is_said_and_stood_in_for() -> None:
    data, notes = data_of("llamacpp", "balanced")
    assert data["parameters"] == {"n_parallel": [4, 8, 16], "n_ubatch": [256, 512]}
    assert data["quant_config"] == {"kvcache_dtype": ["auto", "int8"]}
    assert notes == ("llamacpp has no tp-size and no mem-fraction-static, so the profile does without there",)


@pytest.mark.parametrize("name", ENGINES.names())
def test_production_has_the_same_goals_everywhere(name: str) -> None:
    data, notes = data_of(name, "production")
    assert notes == ()
    assert data.keys() == {"optimization", "slo"}

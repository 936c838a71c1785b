"""The planner never repeats a command: what is one experiment and what is not."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.config.load import validate
from autotuner.contracts.attempt import Command
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Configuration, Scalar, canonical_json
from autotuner.engines.registry import engine as registered
from autotuner.planning.plan import Plan
from autotuner.planning.planner import HostFacts, make_plan
from autotuner.planning.resolve import ModelFile
from conformance.toy_engine import ToyEngine, argv, toy_plan

VALUES: dict[str, list[Scalar]] = {
    "tp": [None, 1, 2, 4],
    "dp": [None, 1, 2, 3],
    "seqs": [None, 8, 256],
    "fraction": [None, 0.5, 0.9],
    "policy": [None, "fcfs", "lpm"],
    "eager": [None, False, True],
    "cache": [None, False, True],
    "length": [None, 10, 20],
    "total": [None, 10, 20, 40],
    "kernel": [None, "a", "unwritable"],
}
LLAMA: dict[str, list[Scalar]] = {
    "n_parallel": [None, 1, 2, 8],
    "n_ubatch": [None, 4, 512],
    "max_model_len": [None, 256, 512],
    "n_ctx": [None, 512, 4096],
    "cache_type": [None, "f16", "q8_0"],
    "cache_type_v": [None, "f16", "q8_0"],
    "flash_attn": [None, "auto", "off"],
    "kv_unified": [None, False, True],
}


def searched(values: Mapping[str, list[Scalar]], most: int) -> st.SearchStrategy[dict[str, list[Scalar]]]:
    lists = {name: st.lists(st.sampled_from(of), min_size=1, max_size=4) for name, of in values.items()}
    return st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=most, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: lists[name] for name in names})
    )


def launched(plan: Plan, configuration: Configuration) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    command: Command = plan.resolver.command(configuration)
    return command.argv, tuple(sorted(command.env.items()))


def check_space(plan: Plan, seed: int) -> None:
    """Enumerated: all valid commands, each once. Sampled: valid. Equal identities are equal commands."""
    space = plan.space
    assert space.grid_size is not None
    everything = [space.decode(number) for number in range(space.grid_size)]
    valid = [c for c in everything if space.violation(c) is None]
    commands = [launched(plan, c) for c in valid]
    identities = [space.identity(c) for c in valid]
    assert len(set(zip(commands, identities, strict=True))) == len(set(commands)) == len(set(identities))
    listed = list(space.enumerate())
    assert sorted(space.identity(c) for c in listed) == sorted(set(identities))
    # As text, since True and 1 are two values here.
    order = [canonical_json(c) for c in everything]
    positions = [order.index(canonical_json(c)) for c in listed]
    assert positions == sorted(positions)
    assert (plan.count.valid, plan.count.distinct, plan.count.exact) == (len(valid), len(set(identities)), True)
    assert sum(plan.count.excluded.values()) == len(everything) - len(valid)
    rng = random.Random(seed)
    for _ in range(5):
        drawn = space.sample(rng)
        assert drawn is not None
        assert space.contains(drawn)
        assert space.violation(drawn) is None


@settings(max_examples=60, deadline=None)
@given(
    parameters=searched(VALUES, 5),
    env=st.lists(st.sampled_from([None, 1, "1", True, "true", 2.5]), max_size=3),
    gpus=st.sampled_from([None, 2, 4]),
    seed=st.integers(0, 99),
)
def test_no_command_comes_twice(
    parameters: dict[str, list[Scalar]], env: list[Scalar], gpus: int | None, seed: int
) -> None:
    try:
        plan = toy_plan(parameters, gpus=gpus, runtime={"env": {"X": env}} if env else {})
    except AutotunerError as error:
        assert error.code is ErrorCode.EMPTY_SPACE
        return
    check_space(plan, seed)


@settings(max_examples=25, deadline=None)
@given(parameters=searched(LLAMA, 4), seed=st.integers(0, 99))
def test_no_command_of_a_real_engine_comes_twice(parameters: dict[str, list[Scalar]], seed: int) -> None:
    try:
        plan = real_plan("llamacpp", parameters)
    except AutotunerError as error:
        assert error.code is ErrorCode.EMPTY_SPACE
        return
    check_space(plan, seed)


def test_no_row_of_predictions_comes_twice() -> None:
    values = {"tp": [1, 2, 3], "kv_quant": [None, "bfloat16", "fp8"], "max_num_batched_tokens": [8000, 8192]}
    plan = real_plan("simulated", values)
    check_space(plan, 1)
    assert plan.count.excluded  # tp 3 has no prediction
    # The nearest row is one row, and None is the default: tp 1 and 2, two precisions.
    assert plan.count.distinct == 4


def real_plan(name: str, parameters: Mapping[str, object]) -> Plan:
    data: dict[str, object] = {"base_runtime": name, "parameters": parameters}
    data |= {"simulation": {}} if name == "simulated" else {"model": {"id_or_path": "m.gguf"}}
    scenario = "D(4000,500)" if name == "simulated" else "D(100,100)"
    return make_plan(
        validate({**data, "benchmark": {"traffic_scenarios": [scenario]}}),
        engine=registered(name),
        models=[ModelFile("m.gguf", "/models/m.gguf", {"context_length": 4096})],
        host=HostFacts(cores=(0, 1)),
        rng=random.Random(0),
    )


def test_values_named_twice_count_once() -> None:
    assert toy_plan({"tp": [2, 2, 4], "dp": [1]}).count.distinct == 2
    assert toy_plan({"tp": [1, 2, 4], "dp": [1, 2]}).count.distinct == 6


@pytest.mark.parametrize(
    ("parameter", "values", "flags"),
    [
        ("seqs", [None, 256], {()}),
        ("fraction", [1.0 / 2, 0.9, None], {(), ("--mem-fraction", "0.5")}),
        ("eager", [None, False, True], {(), ("--eager",)}),
        ("cache", [None, False, True], {(), ("--no-cache",)}),
        ("bits", [16, 8], {(), ("--bits", "8")}),
    ],
)
def test_a_default_and_leaving_it_out_are_one_experiment(
    parameter: str, values: list[Scalar], flags: set[tuple[str, ...]]
) -> None:
    plan = toy_plan({parameter: values})
    assert {argv(plan, c) for c in plan.space.enumerate()} == flags
    assert plan.count.distinct == len(flags)


def test_a_number_is_written_in_the_type_of_its_parameter() -> None:
    """1 and 1.0 would be two texts; a choice is written as the catalogue has it."""
    engine = ToyEngine(parameters=tuple(p.model_copy(update={"high": None}) for p in ToyEngine().parameters))
    plan = toy_plan(
        {"fraction": [1, 0.5], "bits": [8.0]},
        engine=engine,
        optimization={"references": [{"label": "one", "parameters": {"fraction": 1.0, "bits": 8}}]},
    )
    one = plan.references[0]
    assert argv(plan, one.configuration) == ("--mem-fraction", "1.0", "--bits", "8")
    assert one.identity == plan.space.identity({"fraction": 1, "bits": 8.0})
    assert (plan.count.distinct, plan.searched) == (2, 1)


def test_two_names_of_one_file_are_one_model() -> None:
    plan = toy_plan({"tp": [1, 2]}, models=("tiny", "tiny:f16"))
    same = tuple(replace(model, path="/models/tiny-f16.gguf") for model in plan.resolver.models)
    resolver = replace(plan.resolver, models=same)
    first, second = ({"__model__file": name, "tp": 2} for name in ("tiny", "tiny:f16"))
    assert resolver.command(first) == resolver.command(second)
    assert resolver.identity(first) == resolver.identity(second)


def test_moving_the_program_or_the_model_makes_no_other_experiment() -> None:
    plan = toy_plan({"tp": [1, 2]})
    moved = replace(
        plan.resolver,
        runtime=plan.resolver.runtime.model_copy(update={"python": "/new/python", "launcher_prefix": ("nice", "-5")}),
        models=(ModelFile("small.gguf", str(PurePath("/elsewhere/small.gguf")), {}),),
    )
    assert moved.command({"tp": 2}).argv != plan.resolver.command({"tp": 2}).argv
    assert moved.identity({"tp": 2}) == plan.resolver.identity({"tp": 2})


def test_a_model_that_nobody_named_is_no_model() -> None:
    with pytest.raises(ValueError, match=r"other\.gguf"):
        toy_plan().resolver.command({"__model__file": "other.gguf"})

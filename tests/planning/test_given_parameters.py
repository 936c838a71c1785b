"""What the document gives: names, spellings and values; and what of it reaches the command."""

from __future__ import annotations

import pytest

from autotuner.contracts.attempt import API_KEY, PORT
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.plan import Provenance
from conformance.toy_engine import argv, toy_plan


def refused(parameters: dict[str, object], **blocks: dict[str, object]) -> AutotunerError:
    with pytest.raises(AutotunerError) as caught:
        toy_plan(parameters, **blocks)
    return caught.value


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    error = refused({"schedule_polcy": ["lpm"], "level": "low"})
    assert (error.code, error.place) == (ErrorCode.UNKNOWN_PARAMETER, "parameters.schedule_polcy")
    assert "'schedule_policy'" in error.remedy
    assert "allow_unknown_flags" in error.remedy


def test_every_spelling_is_one_parameter() -> None:
    for spelling in ("tp", "tp-size", "tp_size", "--tp-size", "tensor_parallel_size", "Tensor-Parallel-Size"):
        plan = toy_plan({spelling: [2]})
        assert [d.name for d in plan.space.dimensions] == ["tp"]
        assert argv(plan, {"tp": 2}) == ("--tp-size", "2")


@pytest.mark.parametrize("second", ["tp_size", "tensor-parallel-size"])
def test_a_parameter_given_twice_is_an_error_that_names_both(second: str) -> None:
    error = refused({"tp-size": [1], second: [2]})
    assert error.code in (ErrorCode.CONTRADICTION, ErrorCode.INVALID_DOCUMENT)
    assert "tp-size" in str(error)
    assert second in str(error)
    assert second in (error.place or "")


@pytest.mark.parametrize(
    ("parameters", "named", "expected"),
    [
        ({"tp": 0}, "0", "a whole number, without a point from 1 to 64"),
        ({"tp": [1, 65, "2", 2.0]}, '65 or "2" or 2.0', "a whole number"),
        ({"tp": True}, "true", "a whole number"),
        ({"tp": {"type": "int", "low": 32, "high": 128}}, "128", "64"),
        ({"tp": {"type": "float", "low": 1, "high": 2}}, "1.0 or 2.0", "a whole number"),
        ({"length": -1}, "-1", "a whole number, without a point of at least 1"),
        ({"fraction": [0.5, 0.99, "0.6"]}, '0.99 or "0.6"', "a number from 0.1 to 0.95"),
        ({"fraction": {"type": "float", "low": 0.01, "high": 0.9}}, "0.01", "0.1"),
        ({"policy": ["fcfs", "lpn", 1]}, '"lpn" or 1', "one of fcfs, lpm, priority"),
        ({"bits": ["8"]}, '"8"', "one of 4, 8, 16"),
        ({"bits": {"type": "int", "low": 4, "high": 16, "step": 4}}, "12", "one of 4, 8, 16"),
        ({"bits": {"type": "int", "low": 1, "high": 10**9}}, "1 or 2 or 3", "one of 4, 8, 16"),
        ({"eager": [0, "true"]}, '0 or "true"', "true or false"),
        ({"kernel": 1}, "1", "text"),
    ],
)
def test_wrong_values_are_all_named_with_their_place(parameters: dict[str, object], named: str, expected: str) -> None:
    error = refused(parameters)
    (name,) = parameters
    assert (error.code, error.place) == (ErrorCode.INVALID_VALUE, f"parameters.{name}")
    assert named in error.what
    assert expected in error.why


def test_a_range_of_choices_without_gaps_is_fine() -> None:
    plan = toy_plan({"bits": {"type": "int", "low": 8, "high": 16, "step": 8}})
    assert [c["bits"] for c in plan.space.enumerate()] == [8, 16]


def test_values_reach_the_command_whole() -> None:
    plan = toy_plan({"kernel": ["a b,c", "[1, 2]", "None"], "fraction": 0.123456789012, "seqs": None})
    assert [argv(plan, c) for c in plan.space.enumerate()] == [
        ("--mem-fraction", "0.123456789012", "--kernel", kernel) for kernel in ("a b,c", "[1, 2]", "None")
    ]


def test_unknown_flags_are_passed_on_when_allowed() -> None:
    plan = toy_plan(
        {"new_size": [1, 2], "--underscored_Flag": "x", "-ngl": 0.5, "bare": [True, False, None], "gone": None},
        runtime={"allow_unknown_flags": True, "extra_args": ["--last", "1"]},
    )
    assert plan.count.distinct == 4
    assert {argv(plan, c) for c in plan.space.enumerate()} == {
        (*bare, "--new-size", size, "-ngl", "0.5", "--underscored_Flag", "x", "--last", "1")
        for bare in ((), ("--bare",))
        for size in ("1", "2")
    }


def test_names_of_the_planner_are_no_flags() -> None:
    for name in ("__env__X", "__model__file"):
        error = refused({name: ["a"]}, runtime={"allow_unknown_flags": True})
        assert error.code is ErrorCode.UNKNOWN_PARAMETER


def test_environment_variables_are_searched_like_parameters() -> None:
    plan = toy_plan({"tp": 2}, runtime={"env": {"X": [1, 2.5, True, None], "Y": "fixed", "Z": False, "GONE": None}})
    assert [d.name for d in plan.space.dimensions] == ["__env__X"]
    environments = [dict(plan.resolver.command(c).env) for c in plan.space.enumerate()]
    fixed = {"TOY_KEY": API_KEY, "Y": "fixed", "Z": "false"}
    assert environments == [{**fixed, "X": "1"}, {**fixed, "X": "2.5"}, {**fixed, "X": "true"}, fixed]
    assert plan.count.distinct == 4
    assert plan.provenance["__env__X"] == Provenance([1, 2.5, True, None], "document", searched=True)
    assert plan.baseline is not None
    assert plan.baseline.configuration == {"__env__X": None}


def test_model_files_are_searched_under_the_names_of_the_document() -> None:
    plan = toy_plan({"bits": [4, 8]}, models=("large.gguf", "small.gguf"))
    assert [dict(c) for c in plan.space.enumerate()] == [
        {"__model__file": "large.gguf", "bits": 8},
        {"__model__file": "small.gguf", "bits": 4},
        {"__model__file": "small.gguf", "bits": 8},
    ]
    assert plan.count.excluded == {"large.gguf does not exist with 4 bits": 1}
    words = plan.resolver.command({"__model__file": "small.gguf", "bits": 8}).argv
    assert words[words.index("--model") + 1] == "/models/small.gguf"
    assert plan.provenance["__model__file"].value == ["large.gguf", "small.gguf"]
    # One server name for all files of the model: it is what requests ask for.
    assert plan.resolver.served_name == "large"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("/models/Qwen3-0.6B", "Qwen3-0.6B"),
        ("Qwen/Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct"),
        ("C:\\models\\m.Q8_0.GGUF", "m.Q8_0"),
        (".gguf", ".gguf"),
        ("folder/", "folder"),
        ("tiny:q8_0", "tiny"),
    ],
)
def test_the_served_name_is_the_models_own(model: str, name: str) -> None:
    assert toy_plan(models=(model,)).resolver.served_name == name


def test_how_the_program_is_called_is_the_documents() -> None:
    runtime = {"launcher_prefix": ["numactl", "--membind=0"], "command": ["run", "it"], "extra_args": ["--tp-size"]}
    plan = toy_plan({"tp": [2, 4]}, runtime=runtime)
    assert plan.resolver.command({"tp": 4}).argv == (
        *("numactl", "--membind=0", "run", "it", "--model", "/models/small.gguf", "--port", PORT),
        *("--tp-size", "4", "--tp-size"),
    )


def test_the_plan_says_where_each_value_comes_from() -> None:
    provenance = toy_plan({"tp-size": [1, 2], "policy": "lpm"}).provenance
    assert provenance["tp"] == Provenance([1, 2], "document", searched=True)
    assert provenance["policy"] == Provenance("lpm", "document")
    assert provenance["seqs"] == Provenance(256, "engine default")

"""A part of a document in the names of another engine, and what is left out of it."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.engines.registry import engine
from autotuner.planning.translation import has_parameter, translate


def translated(name: str, **data: Any) -> dict[str, Any]:
    return translate(data, engine(name)).data


def left_out(name: str, **data: Any) -> tuple[str, ...]:
    return translate(data, engine(name)).left_out


def test_an_engines_own_names_stay() -> None:
    given = {"tp-size": [1, 2], "mem-fraction-static": 0.9, "schedule-policy": ["lpm"]}
    assert translated("sglang", parameters=given) == {"parameters": given}
    assert left_out("sglang", parameters=given) == ()


def test_other_keys_are_not_looked_at() -> None:
    given = {"optimization": {"seed": 1}, "labels": ["a"], "slo": {"ttft": {"threshold": 1.0}}}
    assert translated("vllm", **given) == given


def test_names_go_through_neutral_ones() -> None:
    assert translated("vllm", parameters={"tp-size": [1, 2], "mem-fraction-static": [0.8]}) == {
        "parameters": {"tensor-parallel-size": [1, 2], "gpu-memory-utilization": [0.8]}
    }


def test_a_range_keeps_its_form() -> None:
    ranged = {"type": "float", "low": 0.5, "high": 0.9}
    assert translated("vllm", parameters={"mem-fraction-static": ranged}) == {
        "parameters": {"gpu-memory-utilization": ranged}
    }


def test_a_value_that_the_engine_lacks_is_left_out() -> None:
    (sentence,) = left_out("vllm", parameters={"schedule-policy": ["lpm", "fcfs"]})
    assert sentence.startswith('parameters.schedule-policy: "lpm" is left out: ')
    assert "fcfs, priority" in sentence
    assert translated("vllm", parameters={"schedule-policy": ["lpm", "fcfs"]}) == {
        "parameters": {"scheduling-policy": ["fcfs"]}
    }
    assert translated("vllm", parameters={"schedule-policy": ["lpm"]}) == {}


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("llamacpp", {"parameters": {"tp-size": [1]}}, "parameters.tp-size is left out: llamacpp has nothing like it"),
        ("vllm", {"parameters": {"no-such": 1}}, "parameters.no-such is left out: vllm has nothing like it"),
        (
            "llamacpp",
            {"parallel_config": {"tp": [1, 2]}},
            "parallel_config.tp is left out: llamacpp has nothing like it",
        ),
        (
            "tensorrt-llm",
            {"parallel_config": {"presets": ["single-gpu", "balanced"]}},
            "parallel_config.presets: balanced is left out: tensorrt-llm has no such preset",
        ),
        (
            "sglang",
            {"quant_config": {"kvcache_dtype": ["auto", "int8"]}},
            'quant_config.kvcache_dtype: "int8" is left out: kvcache_dtype int8: SGLang has no integer KV cache',
        ),
    ],
)
def test_what_is_left_out_is_said(name: str, data: dict[str, Any], sentence: str) -> None:
    assert left_out(name, **data) == (sentence,)


def test_a_setting_that_several_flags_write_keeps_its_neutral_name() -> None:
    assert translated("sglang", parameters={"enforce_eager": [True, False]}) == {
        "parameters": {"enforce_eager": [True, False]}
    }


@pytest.mark.parametrize(
    ("name", "parameter", "expected"),
    [
        ("sglang", "tp-size", True),
        ("vllm", "tp-size", True),
        ("llamacpp", "tp-size", False),
        ("llamacpp", "n_ubatch", True),
        ("llamacpp", "mem-fraction-static", False),
        ("simulated", "mem-fraction-static", False),
        ("vllm", "n_ubatch", False),
    ],
)
def test_which_parameters_an_engine_has(name: str, parameter: str, expected: bool) -> None:
    assert has_parameter(engine(name), parameter) is expected

"""Presets in the words of each engine: what is taken, what is left out with which reason, and both forms."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.config.layers import assemble
from autotuner.config.merging import MergeRules
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import PresetRule
from autotuner.engines.registry import engine, system_presets
from autotuner.presets.dialect import Dialect
from autotuner.presets.layering import Chosen, preset_layers, records, replaced
from autotuner.presets.merge import Contribution
from autotuner.presets.translate import Translation, require_something, translate
from presets.builders import stored, system

SGLANG, VLLM, TRTLLM, LLAMACPP = (Dialect(engine(n)) for n in ("sglang", "vllm", "tensorrt-llm", "llamacpp"))
TARGETS = {dialect.engine.name: dialect for dialect in (SGLANG, VLLM, TRTLLM, LLAMACPP)}


def of(slug: str, target: Dialect) -> Translation:
    """A system preset for an engine."""
    preset = system(slug)
    return translate(Contribution(slug, preset.parameters, preset.config), SGLANG, target)


@pytest.mark.parametrize("slug", [preset.slug for preset in system_presets()])
def test_on_its_own_engine_a_preset_is_as_it_is(slug: str) -> None:
    made = of(slug, SGLANG)
    assert made.parameters == system(slug).parameters
    assert made.left_out == ()


@pytest.mark.parametrize(
    ("slug", "target", "parameters", "left_out"),
    [
        (
            "memory-efficient",
            "vllm",
            {"tensor-parallel-size": (1,), "gpu-memory-utilization": (0.7, 0.75)},
            (),
        ),
        ("high-throughput", "vllm", {"tensor-parallel-size": (2, 4), "gpu-memory-utilization": (0.9,)}, ()),
        ("low-latency", "vllm", {"tensor-parallel-size": (1, 2)}, ("schedule-policy",)),
        ("balanced", "vllm", {"tensor-parallel-size": (1, 2), "gpu-memory-utilization": (0.85,)}, ()),
        ("memory-efficient", "tensorrt-llm", {"tp_size": (1,)}, ("mem-fraction-static",)),
        ("high-throughput", "tensorrt-llm", {"tp_size": (2, 4)}, ("mem-fraction-static",)),
        ("low-latency", "tensorrt-llm", {"tp_size": (1, 2)}, ("schedule-policy",)),
        ("balanced", "tensorrt-llm", {"tp_size": (1, 2)}, ("mem-fraction-static",)),
    ],
)
def test_each_system_preset_on_each_engine_on_gpus(
    slug: str, target: str, parameters: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    dialect = TARGETS[target]
    made = of(slug, dialect)
    keys = {dialect.identify(("parameters", name)): values for name, values in made.parameters.items()}
    assert keys == {dialect.identify(("parameters", name)): values for name, values in parameters.items()}
    assert len(made.left_out) == len(left_out)
    for name, sentence in zip(left_out, made.left_out, strict=True):
        assert sentence.startswith(name)
        assert "is left out" in sentence


def test_why_something_is_left_out() -> None:
    (policy,) = of("low-latency", VLLM).left_out
    assert "fcfs, priority" in policy
    (memory,) = of("balanced", TRTLLM).left_out
    assert "share of what is free after the weights" in memory


@pytest.mark.parametrize("slug", [preset.slug for preset in system_presets()])
def test_a_preset_of_which_nothing_is_left_is_refused(slug: str) -> None:
    made = of(slug, LLAMACPP)
    assert made.empty
    with pytest.raises(AutotunerError) as caught:
        require_something(slug, made, "llamacpp")
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert slug in caught.value.what
    assert "tp-size is left out" in caught.value.why


def test_flags_of_one_engine_go_through_what_every_engine_may_have() -> None:
    given = Contribution(
        "x",
        {
            "disable-radix-cache": [True, False],
            "max-running-requests": [32, 64],
            "chunked-prefill-size": [-1],
            "kv-cache-dtype": ["fp8_e4m3"],
            "disable-overlap-schedule": [True],
        },
    )
    made = translate(given, SGLANG, VLLM)
    by_name = {VLLM.planned(("parameters", name)): values for name, values in made.parameters.items()}
    assert by_name["enable_prefix_caching"] == (False, True)
    assert by_name["max_num_seqs"] == (32, 64)
    assert by_name["enable_chunked_prefill"] == (False,)
    assert {"fp8_e4m3"} == {v for name, values in made.parameters.items() if "kv" in name for v in values}
    (alone,) = made.left_out
    assert alone == "disable-overlap-schedule is left out: it is a parameter of sglang alone"


def test_values_of_one_flag_that_are_two_settings_are_told_apart() -> None:
    made = translate(Contribution("x", {"chunked-prefill-size": [2048, 4096, -1]}), SGLANG, VLLM)
    assert {VLLM.planned(("parameters", n)): v for n, v in made.parameters.items()} == {
        "max_num_batched_tokens": (2048, 4096)
    }
    assert made.left_out[0].startswith("chunked-prefill-size -1 is left out")


def test_a_preset_for_any_engine_has_neutral_names() -> None:
    given = Contribution(
        "x",
        {"tp": [1, 2], "max_num_seqs": [8], "nonsense": [1]},
        {
            "quant_config": {"kvcache_dtype": ["auto", "fp8_e5m2"]},
            "parallel_config": {"presets": ["single-gpu", "long-context"]},
        },
    )
    made = translate(given, None, SGLANG)
    assert {SGLANG.identify(("parameters", n)): v for n, v in made.parameters.items()} == {
        "__parallel__tp": (1, 2), "__scheduling__max_num_seqs": (8,)
    }  # fmt: skip
    assert made.config["quant_config"] == {"kvcache_dtype": ["auto", "fp8_e5m2"]}
    assert made.config["parallel_config"] == {"presets": ["single-gpu"]}
    assert [one.split(" ")[0].rstrip(":") for one in made.left_out] == ["nonsense", "parallel_config.presets"]
    on_trt = translate(Contribution("x", {}, {"memory_config": {"gpu_memory_utilization": [0.9]}}), None, TRTLLM)
    assert on_trt.empty


# ---- layers of a document


def chosen(*presets: Any, **rules: Any) -> Chosen:
    return Chosen(tuple(presets), MergeRules(**rules))


def test_the_layer_of_each_key_names_its_presets() -> None:
    found = preset_layers(chosen(system("high-throughput"), system("memory-efficient")), SGLANG, {"sglang": SGLANG})
    both = "preset:high-throughput+memory-efficient"
    assert [(layer.name, layer.data) for layer in found.layers] == [
        (both, {"parameters": {"tp-size": [1, 2, 4], "mem-fraction-static": [0.7, 0.75, 0.9]}})
    ]
    last = preset_layers(
        chosen(system("low-latency"), system("memory-efficient"), default="last_wins"), SGLANG, {"sglang": SGLANG}
    )
    made = assemble(last.layers)
    assert made.provenance == {
        "parameters.schedule-policy": "preset:low-latency",
        "parameters.tp-size": "preset:memory-efficient",
        "parameters.mem-fraction-static": "preset:memory-efficient",
    }
    assert any("presets on tp-size: low-latency [1,2], memory-efficient [1]" in note for note in last.notes)


def test_the_record_has_what_each_preset_gave() -> None:
    pair = chosen(system("high-throughput"), system("memory-efficient"))
    found = preset_layers(pair, SGLANG, {"sglang": SGLANG})
    origins = assemble(found.layers).provenance
    assert records(found, origins, SGLANG) == [
        {
            "name": "preset:high-throughput",
            "number": 2,
            "revision": 1,
            "gives": {"tp_size": [2, 4], "mem_fraction_static": [0.9]},
        },
        {
            "name": "preset:memory-efficient",
            "number": 1,
            "revision": 1,
            "gives": {"tp_size": [1], "mem_fraction_static": [0.7, 0.75]},
        },
    ]
    assert replaced(found, origins) == []
    stronger = {**origins, "parameters.tp-size": "document"}
    assert "tp_size" not in records(found, stronger, SGLANG)[0]["gives"]
    assert replaced(found, stronger) == [
        "parameters.tp-size of preset:high-throughput+memory-efficient is not used: a stronger layer decides it"
    ]


def test_presets_of_several_engines_meet_in_the_words_of_the_one_that_is_used() -> None:
    mine = stored("Mine", runtime="vllm", parameters={"tensor-parallel-size": (8,), "max-num-seqs": (64,)})
    found = preset_layers(chosen(system("balanced"), mine), VLLM, {"sglang": SGLANG, "vllm": VLLM})
    merged = {VLLM.planned(("parameters", name)): values for name, values in found.merged.parameters.items()}
    assert merged["tensor_parallel_size"] == (1, 2, 8)
    assert merged["max_num_seqs"] == (64,)
    assert found.notes == ()


def test_rules_are_taken_over_in_the_words_of_the_engine() -> None:
    rules = (
        PresetRule(when="tp-size >= 4", require="mem-fraction-static <= 0.85 and engine != 'x'", message="room"),
        PresetRule(require="disable-overlap-schedule == false", message="overlap"),
    )
    mine = stored("Mine", runtime="sglang", parameters={"tp-size": (4,)}, rules=rules)
    here = preset_layers(chosen(mine), SGLANG, {"sglang": SGLANG})
    assert [rule["require"] for rule in here.rules] == [rules[0].require, rules[1].require]
    there = preset_layers(chosen(mine), VLLM, {"sglang": SGLANG})
    (kept,) = there.rules
    assert kept["layer"] == "preset:mine"
    assert kept["message"] == "room"
    assert there.notes == ("preset mine: its rule 'overlap' is not checked: it speaks of what vllm does not have",)


def test_the_record_of_the_words_of_other_tools_is_what_experiments_have() -> None:
    words = {"quantization_config": {"kvcache_quant_mode": ["float16", "fp8"]}}
    mine = stored("Mine", runtime="vllm", config=words)
    found = preset_layers(chosen(mine), VLLM, {"vllm": VLLM})
    (record,) = records(found, assemble(found.layers).provenance, VLLM)
    assert record["gives"] == {"__quant__kvcache_dtype": ["fp16", "fp8"]}

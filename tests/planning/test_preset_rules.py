"""Rules of presets in the search space, and the layer of each parameter."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from engine_plans import argv, plan

LAYER = "preset:mine"


def assembled(*rules: dict[str, Any], **origins: str) -> dict[str, Any]:
    """The record that stays with a document."""
    return {
        "layers": [{"name": LAYER, "number": 5, "revision": 1}],
        "origins": {f"parameters.{name.replace('_', '-')}": layer for name, layer in origins.items()},
        "rules": [{"layer": LAYER, "message": "leave room", **rule} for rule in rules],
    }


PARAMETERS = {"tp-size": [1, 2, 4], "mem-fraction-static": [0.8, 0.9]}


def test_what_a_rule_forbids_is_left_out_and_counted() -> None:
    rule = {"when": "tp-size >= 4", "require": "mem-fraction-static <= 0.85"}
    made = plan("sglang", parameters=PARAMETERS, assembled=assembled(rule))
    assert made.count.valid == 5
    assert dict(made.count.excluded) == {"leave room (preset:mine)": 1}


def test_a_rule_holds_for_the_setting_under_whatever_name() -> None:
    rule = {"require": "tp-size < 4"}
    for parameters, blocks in (
        ({"tp-size": [1, 2, 4]}, {}),
        ({"--tensor-parallel-size": [1, 2, 4]}, {}),
        ({}, {"parallel_config": {"tp": [1, 2, 4]}}),
    ):
        made = plan("sglang", parameters=parameters, assembled=assembled(rule), **blocks)
        assert made.count.valid == 2
    named = plan("vllm", parameters={"max-num-seqs": [8]}, parallel_config={"tp": [1, 2, 4]},
                 assembled=assembled({"require": "tp <= 2"}))  # fmt: skip
    assert named.count.valid == 2


def test_facts_and_what_nobody_knows() -> None:
    never = plan("sglang", gpus=8, parameters=PARAMETERS, assembled=assembled({"require": "total_gpus >= 8"}))
    assert never.count.valid == 6
    unknown = plan("sglang", parameters=PARAMETERS, assembled=assembled({"require": "total_gpus >= 8"}))
    assert unknown.count.valid == 6
    left = plan("sglang", parameters={"tp-size": [1, 2]}, assembled=assembled({"require": "mem-fraction-static < 0.5"}))
    assert left.count.valid == 2  # the engine decides that at start
    with pytest.raises(AutotunerError) as caught:
        plan("sglang", gpus=4, parameters=PARAMETERS, assembled=assembled({"require": "total_gpus >= 8"}))
    assert caught.value.code is ErrorCode.EMPTY_SPACE
    assert "leave room (preset:mine)" in caught.value.why


def test_the_baseline_is_what_it_is() -> None:
    rule = {"require": 'schedule-policy == "lpm"'}
    made = plan("sglang", parameters={"schedule-policy": ["lpm", "fcfs"]}, assembled=assembled(rule))
    assert made.count.valid == 1
    assert made.baseline is not None
    assert "--schedule-policy" not in argv(made, made.baseline.configuration)


def test_the_layer_of_each_parameter_is_in_the_plan() -> None:
    made = plan("sglang", parameters=PARAMETERS, assembled=assembled(tp_size=LAYER))
    assert made.provenance["tp_size"].layer == LAYER
    assert made.provenance["mem_fraction_static"].layer == "document"
    noted = plan("sglang", parameters=PARAMETERS, assembled={"notes": ["lpm is left out"]})
    assert "lpm is left out" in noted.warnings

"""What certainly does not fit into the GPUs' memory is left out of a plan; what may not is said.

The model has 8.03 billion weights of 16 bits (15.0 GiB) and 128 KiB of KV cache for each token.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autotuner.contracts.engine import PlanContext
from autotuner.engines.gpu_memory import kind_of_gpu
from autotuner.planning.plan import Plan
from engine_plans import ENGINES, facts, plan

TP = {"vllm": "tensor_parallel_size", "sglang": "tp_size", "tensorrt-llm": "tensor_parallel_size"}
CONTEXT = {"vllm": "max_model_len", "sglang": "context_length", "tensorrt-llm": "max_seq_len"}


def made(name: str, gpu: str | None = "t4", **blocks: Any) -> Plan:
    return plan(
        name, gpus=8, gpu=gpu, model=facts(), parameters={CONTEXT[name]: 8192, **blocks.pop("more", {})}, **blocks
    )


@pytest.mark.parametrize("name", ENGINES)
def test_a_model_that_is_larger_than_the_gpu_needs_more_of_them(name: str) -> None:
    spread = made(name, parallel_config={"tp": [1, 2, 4]})
    assert [c["__parallel__tp"] for c in spread.space.enumerate()] == [2, 4]
    ((reason, number),) = spread.count.excluded.items()
    assert number == 1
    assert reason.startswith("one GPU would need ")
    assert "T4" in reason
    assert "weights 15.0 GiB" in reason
    # The engine's default is one GPU.
    assert spread.baseline is None
    assert any("the engine's default cannot be the baseline (one GPU would need" in text for text in spread.warnings)


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_is_said_where_gpu_or_model_are_unknown(name: str) -> None:
    for unknown in (
        made(name, None, parallel_config={"tp": [1, 2]}),
        made(name, "my_gpu", parallel_config={"tp": [1, 2]}),
    ):
        assert unknown.count.distinct == 2
        assert "memory" not in {rule.name for rule in unknown.resolver.rules or ()}
    nameless = plan(name, gpus=8, gpu="t4", parallel_config={"tp": [1, 2]})
    assert nameless.count.distinct == 2
    assert "memory" not in {rule.name for rule in nameless.resolver.rules or ()}


@pytest.mark.parametrize("name", ENGINES)
def test_what_may_not_fit_is_tried_and_said(name: str) -> None:
    tight = {"vllm": "l4", "sglang": "l4", "tensorrt-llm": "l4"}[name]
    spread = made(name, tight, more={CONTEXT[name]: 16384}, parallel_config={"tp": [1, 2]})
    assert spread.count.distinct == 2
    assert any("the baseline 'baseline' may not start: one GPU needs" in text for text in spread.warnings)
    assert any(text.startswith("1 of 2 configurations may not start") for text in spread.warnings)


def test_the_estimate_is_shown_with_the_command() -> None:
    fits = made("vllm", "h100_sxm", parallel_config={"tp": [1, 2]})
    (remark,) = fits.resolver.remarks({"__parallel__tp": 2})
    assert not remark.doubtful
    assert remark.sentence.startswith("one GPU needs ")
    assert not [text for text in fits.warnings if "may not start" in text]


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ({}, False),
        ({"quantization": "fp8"}, True),
        ({"cpu_offload_gb": 8}, True),
        ({"kv_cache_memory_bytes": 1 << 30}, True),
        ({"quantization": "humming"}, True),  # its size is not known
        ({"enforce_eager": True}, False),
        ({"gpu_memory_utilization": 0.95}, False),
    ],
)
def test_what_makes_it_smaller_or_cannot_be_told_lets_it_start(more: dict[str, Any], fits: bool) -> None:
    spread = made("vllm", more=more, parallel_config={"tp": [1, 2]})
    assert spread.count.distinct == (2 if fits else 1)


def test_vllm_needs_room_for_the_models_longest_context_where_none_is_given() -> None:
    whole = plan(
        "vllm", gpus=8, gpu="l40s", model=facts(), parameters={"max_num_seqs": [8, 16], "max_model_len": 131072}
    )
    default = plan("vllm", gpus=8, gpu="l40s", model=facts(), parameters={"max_num_seqs": [8, 16]})
    sentences = {one.resolver.remarks({"max_num_seqs": 8})[0].sentence for one in (whole, default)}
    assert len(sentences) == 1
    assert "one sequence of 131072 tokens 16.0 GiB" in sentences.pop()


def test_the_documents_memory_counts_before_that_of_the_kind() -> None:
    context = PlanContext(model="m", gpu_type="a100_sxm")
    kind, half = kind_of_gpu(context), kind_of_gpu(replace(context, gpu_memory_gb=40))
    assert kind is not None
    assert half is not None
    assert half.usable_bytes == pytest.approx(kind.usable_bytes / 2, rel=1e-6)
    assert kind_of_gpu(replace(context, cpu_build=True)) is None

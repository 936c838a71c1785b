"""What certainly does not fit into the GPUs' memory is left out of a plan; what may not is said.

The model has 8.03 billion weights of 16 bits (15.0 GiB) and 128 KiB of KV cache for each token.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.engine import PlanContext
from autotuner.contracts.values import Scalar
from autotuner.engines.gpu_memory import kind_of_gpu
from autotuner.engines.registry import engine
from autotuner.planning.plan import Plan
from engine_plans import ENGINES, facts, plan

TP = {"vllm": "tensor_parallel_size", "sglang": "tp_size", "tensorrt-llm": "tensor_parallel_size"}
MEMORY = {
    "vllm": "gpu_memory_utilization",
    "sglang": "mem_fraction_static",
    "tensorrt-llm": "free_gpu_memory_fraction",
}
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


@pytest.mark.parametrize("name", ENGINES)
def test_a_joint_space_is_counted_exactly_though_memory_looks_at_most_of_it(name: str) -> None:
    """The rule stands between the groups: the product of what it looks at is judged, not every combination."""
    tokens = {"vllm": "max_num_batched_tokens", "sglang": "chunked_prefill_size", "tensorrt-llm": "max_num_tokens"}
    requests = {"vllm": "max_num_seqs", "sglang": "max_running_requests", "tensorrt-llm": "max_batch_size"}
    spread = made(
        name,
        "l4",
        more={
            CONTEXT[name]: [8192, 32768, 65536],
            tokens[name]: [2048, 8192, 16384, 65536, 131072],
            requests[name]: [8, 64, 256],
            MEMORY[name]: [0.5, 0.7, 0.8, 0.9],
        },
        parallel_config={"tp": [1, 2, 4, 8], "pp": [1, 2, 4]},
        quant_config={"kvcache_dtype": ["auto", "fp8"], "attention_dtype": ["auto", "fp8"]},
    )
    count = spread.count
    assert count.combinations == 3 * 5 * 3 * 4 * 12 * 4
    assert count.exact
    assert count.valid is not None
    assert sum(count.excluded.values()) == count.combinations - count.valid
    one_by_one = spread.space._count_all(count.combinations)
    assert (count.valid, count.distinct) == (one_by_one.valid, one_by_one.distinct)
    assert 0 < count.valid < count.combinations
    assert any(reason.startswith("one GPU would need") for reason in one_by_one.excluded)


def test_each_model_is_judged_by_its_own_size() -> None:
    small = facts().model_copy(update={"layers": 4})
    context = PlanContext(model="m", gpu_type="t4", model_config={"facts": facts()})
    (rule,) = (rule for rule in engine("vllm").rules if rule.name == "memory")
    values = {"max_model_len": 8192}
    for _ in range(2):
        assert rule.check(values, context) is not None
        assert rule.check(values, replace(context, model_config={"facts": small})) is None
        assert rule.check(values, replace(context, gpu_type="h100_sxm")) is None
        assert rule.check(values, replace(context, gpu_type="h100_sxm", gpu_memory_gb=16)) is not None
        assert rule.check(values, replace(context, cpu_build=True)) is None


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(ENGINES),
    gpu=st.sampled_from(["t4", "l4", "h100_sxm"]),
    experts=st.sampled_from([0, 16]),
    data=st.data(),
)
def test_what_is_alike_is_judged_alike(name: str, gpu: str, experts: int, data: st.DataObject) -> None:
    (rule,) = (rule for rule in engine(name).rules if rule.name == "memory")
    assert rule.inputs is not None
    assert rule.alike is not None
    context = PlanContext(model="m", gpu_type=gpu, model_config={"facts": facts(experts=experts)})
    dtypes = st.sampled_from([None, "auto", "half", "float16", "bfloat16", "float32"])
    asked: dict[str, st.SearchStrategy[Scalar]] = {
        "dtype": dtypes,
        "quantization": st.sampled_from([None, "fp8", "humming"]),
        "kv_cache_dtype": st.sampled_from([None, "auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16", "unknown"]),
        "data_parallel_size": st.integers(1, 4),
        "dp_size": st.integers(1, 4),
        TP[name]: st.sampled_from([1, 2, 4]),
        CONTEXT[name]: st.sampled_from([None, 1024, 65536]),
    }
    values = {key: data.draw(strategy) for key, strategy in asked.items() if key in rule.inputs}
    simplest = {key: rule.alike(key, value, context) for key, value in values.items()}
    assert (rule.check(simplest, context) is None) == (rule.check(values, context) is None)

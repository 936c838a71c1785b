"""What vLLM refuses, beyond its parser."""

from __future__ import annotations

from autotuner.contracts.engine import PlanContext, Rule
from autotuner.engines.gpu_memory import memory_rule
from autotuner.engines.gpu_rules import Values, gpu_rules, size
from autotuner.engines.vllm.memory import FIELDS
from autotuner.modelling.layout import Layout

TP, PP, DP = "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"
DCP, CP = "decode_context_parallel_size", "prefill_context_parallel_size"
EP = "enable_expert_parallel"


def world_size(values: Values) -> int:
    """tp · pp · cp · dp; dcp shares the GPUs of the tp group."""
    return size(values, TP) * size(values, PP) * size(values, CP) * size(values, DP)


def layout(values: Values) -> Layout:
    """The parallel groups; expert parallelism is over tp × dp."""
    tp, dp = size(values, TP), size(values, DP)
    return Layout(
        tp=tp,
        pp=size(values, PP),
        dp=dp,
        cp=size(values, CP),
        dcp=size(values, DCP),
        moe_ep=tp * dp if values.get(EP) is True else 1,
    )


def _dcp_divides_tp(values: Values, context: PlanContext) -> str | None:
    tp, dcp = size(values, TP), size(values, DCP)
    return None if tp % dcp == 0 else f"vLLM requires tp % dcp == 0: tp is {tp} and dcp is {dcp}"


def _kv_cache_on_cpu(values: Values, context: PlanContext) -> str | None:
    """After vLLM's v1/attention/backends/cpu_attn.py; only x86 is looked at, whose kernel names what the CPU has."""
    if not str(values.get("kv_cache_dtype")).startswith("fp8") or "avx2" not in context.cpu_features:
        return None
    if any(feature.startswith(("avx512", "amx")) for feature in context.cpu_features):
        return None
    return "vLLM's fp8 KV cache on a CPU needs AVX-512 or AMX, which this host does not have"


RULES = (
    *gpu_rules((TP, PP, DP, DCP, CP, EP), world_size, layout, context="max_model_len"),
    Rule("dcp divides tp", frozenset({TP, DCP}), _dcp_divides_tp),
    Rule(
        "KV cache on a CPU", frozenset({"kv_cache_dtype"}), _kv_cache_on_cpu, applies=lambda context: context.cpu_build
    ),
    memory_rule(FIELDS, (TP, PP, DP, DCP, CP, EP), layout),
)

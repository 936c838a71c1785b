"""What vLLM refuses, beyond its parser.

After config/parallel.py, config/model.py and v1/worker/gpu/pcp_manager.py of 0.32 and 0.33. Neither refuses cp with dp.
"""

from __future__ import annotations

from autotuner.contracts.engine import PlanContext, Rule
from autotuner.contracts.values import MODEL_IN_RULES
from autotuner.engines.gpu_memory import memory_rule
from autotuner.engines.gpu_rules import Values, gpu_rules, size
from autotuner.engines.neutral import model_facts
from autotuner.engines.vllm.memory import FIELDS
from autotuner.modelling.layout import Layout

TP, PP, DP = "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"
DCP, CP = "decode_context_parallel_size", "prefill_context_parallel_size"
EP = "enable_expert_parallel"


def world_size(values: Values) -> int:
    """tp · pp · cp · dp; dcp shares the GPUs of the tp group."""
    return size(values, TP) * size(values, PP) * size(values, CP) * size(values, DP)


def layout(values: Values) -> Layout:
    """The parallel groups; experts are shared by the GPUs of tp × cp × dp."""
    tp, dp, cp = size(values, TP), size(values, DP), size(values, CP)
    return Layout(
        tp=tp,
        pp=size(values, PP),
        dp=dp,
        cp=cp,
        dcp=size(values, DCP),
        moe_ep=tp * dp * cp if values.get(EP) is True else 1,
        experts_over_cp=True,
    )


def _dcp_divides_tp(values: Values, context: PlanContext) -> str | None:
    tp, dcp, cp = size(values, TP), size(values, DCP), size(values, CP)
    if cp == 1:
        return None if tp % dcp == 0 else f"vLLM requires tp % dcp == 0: tp is {tp} and dcp is {dcp}"
    allowed = sorted({1, cp, tp * cp})
    if dcp in allowed:
        return None
    return f"with cp {cp} and tp {tp} vLLM takes dcp {' or '.join(map(str, allowed))}, and dcp is {dcp}"


def _context_parallel_fits_model(values: Values, context: PlanContext) -> str | None:
    """Models with latent attention have one head of keys and values, which every GPU of a tp group keeps."""
    facts = model_facts(context)
    if facts is None or facts.latent is not None:
        return None
    tp, dcp, heads = size(values, TP), size(values, DCP), facts.kv_heads
    if size(values, CP) > 1:
        return f"vLLM has cp for models with latent attention alone, and {context.model} has {facts.attention}"
    if dcp > 1 and tp // heads < dcp:
        return (
            f"dcp shares the copies of the KV cache, and with tp {tp} and {heads} heads of keys and values there are "
            f"{max(1, tp // heads)}, fewer than dcp {dcp}"
        )
    if (facts.heads // heads) % dcp:
        return f"dcp {dcp} does not divide the {facts.heads // heads} query heads for each head of keys and values"
    return None


def _kv_cache_on_cpu(values: Values, context: PlanContext) -> str | None:
    """After vLLM's v1/attention/backends/cpu_attn.py; only x86 is looked at, whose kernel names what the CPU has."""
    if not str(values.get("kv_cache_dtype")).startswith("fp8") or "avx2" not in context.cpu_features:
        return None
    if any(feature.startswith(("avx512", "amx")) for feature in context.cpu_features):
        return None
    return "vLLM's fp8 KV cache on a CPU needs AVX-512 or AMX, which this host does not have"


RULES = (
    *gpu_rules((TP, PP, DP, DCP, CP, EP), world_size, layout, context="max_model_len"),
    Rule("dcp divides tp", frozenset({TP, DCP, CP}), _dcp_divides_tp),
    Rule("context parallelism fits model", frozenset({TP, DCP, CP, MODEL_IN_RULES}), _context_parallel_fits_model),
    Rule(
        "KV cache on a CPU", frozenset({"kv_cache_dtype"}), _kv_cache_on_cpu, applies=lambda context: context.cpu_build
    ),
    memory_rule(FIELDS, (TP, PP, DP, DCP, CP, EP), layout),
)

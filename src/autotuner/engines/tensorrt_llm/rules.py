"""What TensorRT-LLM refuses, beyond its parser."""

from __future__ import annotations

from autotuner.contracts.engine import PlanContext, Rule
from autotuner.engines.gpu_memory import memory_rule
from autotuner.engines.gpu_rules import Values, gpu_rules, size
from autotuner.engines.tensorrt_llm.memory import FIELDS
from autotuner.modelling.layout import Layout

TP, PP, CP = "tensor_parallel_size", "pipeline_parallel_size", "context_parallel_size"
EP, MOE_TP, CLUSTER = "moe_expert_parallel_size", "moe_tensor_parallel_size", "moe_cluster_parallel_size"
ATTENTION_DP = "enable_attention_dp"


def world_size(values: Values) -> int:
    """tp · pp · cp."""
    return size(values, TP) * size(values, PP) * size(values, CP)


def layout(values: Values) -> Layout:
    """The parallel groups; experts are shared by the GPUs of the tp group."""
    return Layout(
        tp=size(values, TP),
        pp=size(values, PP),
        cp=size(values, CP),
        moe_ep=size(values, EP),
        experts_over_dp=False,
    )


def _experts_fill_tp(values: Values, context: PlanContext) -> str | None:
    if all(size(values, name) == 1 for name in (EP, MOE_TP, CLUSTER)):
        return None
    tp, shared = size(values, TP), size(values, EP) * size(values, MOE_TP) * size(values, CLUSTER)
    if shared == tp:
        return None
    return f"TensorRT-LLM requires moe_tp × moe_ep × moe_cluster == tp: they make {shared} and tp is {tp}"


def _built_engine(values: Values, context: PlanContext) -> str | None:
    """An engine that was built has its parallel sizes in it."""
    built = {name: context.model_config.get(f"built.{name}") for name in (TP, PP, CP)}
    for name, fixed in built.items():
        if isinstance(fixed, int) and size(values, name) not in (1, fixed):
            return f"{context.model} was built with {name} {fixed}, which is fixed"
    return None


RULES = (
    *gpu_rules((TP, PP, CP, EP), world_size, layout, context="max_seq_len"),
    Rule("experts fill tp", frozenset({TP, EP, MOE_TP, CLUSTER}), _experts_fill_tp),
    Rule("built engine", frozenset({TP, PP, CP, "model"}), _built_engine),
    memory_rule(FIELDS, (TP, PP, CP, EP), layout),
)

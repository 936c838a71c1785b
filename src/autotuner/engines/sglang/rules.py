"""What SGLang refuses, beyond its parser."""

from __future__ import annotations

from autotuner.contracts.engine import PlanContext, Rule
from autotuner.contracts.neutral import PRESET
from autotuner.engines.gpu_memory import memory_rule
from autotuner.engines.gpu_rules import Values, gpu_rules, parallel, size
from autotuner.engines.sglang.memory import FIELDS
from autotuner.engines.sglang.neutral import PRESETS
from autotuner.modelling.layout import Layout

TP, PP, DP, ATTN_DP, DCP, CP, EP = (
    "tp_size",
    "pp_size",
    "dp_size",
    "attn_dp_size",
    "dcp_size",
    "attn_cp_size",
    "ep_size",
)
DP_ATTENTION = "enable_dp_attention"


def attention_dp(values: Values) -> int:
    """Data-parallel groups of the attention inside the tp group; 1: there are none."""
    return size(values, ATTN_DP) if values.get(DP_ATTENTION) is not True else size(values, DP)


def replicas(values: Values) -> int:
    """Data-parallel copies that have GPUs of their own."""
    return 1 if values.get(DP_ATTENTION) is True else size(values, DP)


def world_size(values: Values) -> int:
    """tp · pp · dp; data-parallel attention shares the GPUs of the tp group, and so does context parallelism."""
    return size(values, TP) * size(values, PP) * replicas(values)


def layout(values: Values) -> Layout:
    """The parallel groups. Replicas share nothing."""
    within = attention_dp(values) * size(values, CP)
    tp = size(values, TP)
    return Layout(
        tp=max(1, tp // within) if tp % within == 0 else tp,
        pp=size(values, PP),
        dp=replicas(values) * (attention_dp(values) if tp % within == 0 else 1),
        cp=size(values, CP) if tp % within == 0 else 1,
        dcp=size(values, DCP),
        moe_ep=size(values, EP),
        experts_over_dp=attention_dp(values) > 1,
    )


def _dp_divides_tp(values: Values, context: PlanContext) -> str | None:
    tp, inside = size(values, TP), attention_dp(values)
    if tp % inside:
        return f"SGLang requires tp % dp == 0 with data-parallel attention: tp is {tp} and dp is {inside}"
    preset = PRESETS.get(str(values.get(parallel(PRESET))))
    strict = values.get(parallel("strict_dp")) is not False and (preset is None or "dp" not in preset.fields)
    if strict and tp % replicas(values):
        return "SGLang requires tp % dp == 0"
    return None


def _ep_divides_tp(values: Values, context: PlanContext) -> str | None:
    tp, ep = size(values, TP), size(values, EP)
    return f"SGLang shares the experts among the GPUs of tp: ep {ep} does not divide tp {tp}" if tp % ep else None


RULES = (
    *gpu_rules((TP, PP, DP, ATTN_DP, DP_ATTENTION, DCP, CP, EP), world_size, layout, context="context_length"),
    Rule(
        "dp divides tp",
        frozenset({TP, DP, ATTN_DP, DP_ATTENTION, parallel("strict_dp"), parallel(PRESET)}),
        _dp_divides_tp,
    ),
    Rule("ep divides tp", frozenset({TP, EP}), _ep_divides_tp),
    memory_rule(FIELDS, (TP, PP, DP, ATTN_DP, DP_ATTENTION, DCP, CP, EP), layout),
)

"""Constraints that engines on GPUs share: how many GPUs there are, and what the model's shape forbids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from autotuner.contracts.engine import PlanContext, Rule
from autotuner.contracts.neutral import PRESET, neutral_key
from autotuner.contracts.values import MODEL_IN_RULES, Scalar
from autotuner.engines.neutral import PARALLEL, model_facts
from autotuner.modelling.layout import Layout, check_context, check_layout

Values = Mapping[str, Scalar]

MOE_FIELDS = ("ep", "moe_tp", "moe_cluster", "moe_dense_tp", "enable_expert_parallel")


def size(values: Values, name: str) -> int:
    """A parallel size; 1 where nothing is given."""
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 1


def parallel(name: str) -> str:
    """The parameter of a field of parallel_config."""
    return neutral_key(PARALLEL, name)


def gpu_rules(
    names: Iterable[str], world_size: Callable[[Values], int], layout: Callable[[Values], Layout], *, context: str
) -> tuple[Rule, ...]:
    """``names``: parameters that ``world_size`` and ``layout`` read. ``context``: the one that limits a request."""
    sizes = frozenset(names)

    def enough_gpus(values: Values, plan: PlanContext) -> str | None:
        needed = world_size(values)
        if not plan.total_gpus or needed <= plan.total_gpus:
            return None
        return f"{summary(layout(values))} is more than the {plan.total_gpus} GPUs that there are"

    def fits_model(values: Values, plan: PlanContext) -> str | None:
        facts = model_facts(plan)
        if facts is None:
            return None
        return next((r.sentence for r in check_layout(facts, layout(values)) if r.kind == "error"), None)

    def has_experts(values: Values, plan: PlanContext) -> str | None:
        facts = model_facts(plan)
        if facts is None or facts.experts is not None:
            return None
        given = {name: values.get(parallel(name)) for name in MOE_FIELDS}
        asked = next((name for name, value in given.items() if value is True or size(values, parallel(name)) > 1), None)
        return None if asked is None else f"{asked} needs a mixture of experts, and {plan.model} has no experts"

    def context_fits(values: Values, plan: PlanContext) -> str | None:
        asked, facts = values.get(context), model_facts(plan)
        if not isinstance(asked, int) or isinstance(asked, bool):
            too_long = None if facts is None else check_context(facts, plan.longest_request)
            return None if too_long is None else f"the longest request of the workload: {too_long.sentence}"
        if asked < plan.longest_request:
            return f"{context} {asked} is less than the longest request of the workload, {plan.longest_request} tokens"
        too_long = None if facts is None else check_context(facts, asked)
        return None if too_long is None else too_long.sentence

    moe = frozenset({*(parallel(name) for name in MOE_FIELDS), parallel(PRESET), MODEL_IN_RULES})
    return (
        Rule("enough GPUs", sizes, enough_gpus),
        Rule("experts", moe, has_experts),
        Rule("layout fits model", sizes | {MODEL_IN_RULES}, fits_model),
        Rule("context", frozenset({context, MODEL_IN_RULES}), context_fits),
    )


def summary(layout: Layout) -> str:
    """``TP 4 · PP 2 (8 GPUs)``, ``single GPU``."""
    label = layout.label(experts=layout.moe_ep > 1)
    return label if layout.gpus == 1 else f"{label} ({layout.gpus} GPUs)"

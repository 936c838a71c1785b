"""Whether a configuration fits into the GPUs' memory, as a rule of the planner.

It has something to say only where the model's config.json and the kind of GPU are known. What the document leaves to
the engine is taken as small, and a value that the estimate does not know keeps it silent. Only what certainly cannot
fit is left out; ``autotuner.modelling.memory`` says when that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from autotuner.contracts.engine import PlanContext, Rule, RuleRemark
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import MODEL_IN_RULES, Scalar
from autotuner.engines.gpu_rules import Values
from autotuner.engines.neutral import model_facts
from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.gpus import GpuType, gpu_type
from autotuner.modelling.layout import Layout, check_layout
from autotuner.modelling.memory import KV_BITS, Fit, Load, MemoryPolicy, Precision, fit

LEAST_TOKENS = 2048
"""Tokens of one pass where the engine decides: the least that any of them takes on a GPU."""

LEAST_REQUESTS = 64
"""Sequences computed at once where the engine decides: fewer than any of them takes on a GPU."""

KEPT = 20_000
"""Estimates that are remembered; many configurations share them."""

SAME_DTYPE = {"half": "float16", "float": "float32"}

BITS_OF_QUANTIZATION = {
    "fp8": "fp8",
    "fp8_per_tensor": "fp8",
    "fp8_per_channel": "fp8",
    "fp8_per_block": "fp8_block",
    "int8_per_channel_weight_only": "int8",
    "w4afp8": "w4afp8",
    "mxfp4": "mxfp4",
}
"""Methods of quantisation at start whose size is known."""


@dataclass(frozen=True)
class MemoryFields:
    """An engine's parameters that decide over memory. An empty name: it has none."""

    policy: MemoryPolicy
    context: str
    requests: str
    tokens: str
    kv_dtype: str
    dtype: str = ""
    quantization: str = ""
    no_graphs: Mapping[str, Scalar] = field(default_factory=dict)
    """Parameter → value with which no CUDA graphs are captured."""
    elsewhere: tuple[str, ...] = ()
    """Parameters that keep something elsewhere, or set the size of the cache: with one of them nothing is said."""
    whole_context: bool = False
    """Whether the KV cache must hold a sequence of the model's longest context where none is given."""

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        given = (self.context, self.requests, self.tokens, self.kv_dtype, self.dtype, self.quantization)
        return frozenset(filter(None, (self.policy.parameter, *given, *self.no_graphs, *self.elsewhere)))


class _Asked(NamedTuple):
    """What an estimate is of, beside the values of parameters."""

    facts: ModelFacts
    gpu_type: str | None
    gpu_memory_gb: float | None
    longest_request: int
    cpu_build: bool


def memory_rule(fields: MemoryFields, sizes: Iterable[str], layout: Callable[[Values], Layout]) -> Rule:
    """``sizes``: the parameters that ``layout`` reads."""
    names = tuple(sorted(fields.names | set(sizes)))
    known: dict[tuple[Scalar, ...], tuple[_Asked, Fit | None]] = {}

    def estimate(values: Values, plan: PlanContext) -> Fit | None:
        facts = model_facts(plan)
        if facts is None:
            return None
        key = tuple(map(values.get, names))
        asked = _Asked(facts, plan.gpu_type, plan.gpu_memory_gb, plan.longest_request, plan.cpu_build)
        found = known.get(key)
        # The same values may be asked for another model, GPU or workload.
        if found is None or found[0] != asked:
            if len(known) >= KEPT:
                known.clear()
            gpu = kind_of_gpu(plan)
            made = None if gpu is None else _fit(fields, values, layout(values), facts, gpu, plan.longest_request)
            found = known[key] = asked, made
        return found[1]

    def check(values: Values, plan: PlanContext) -> str | None:
        found = estimate(values, plan)
        return found.sentence if found is not None and found.stops_start else None

    def remark(values: Values, plan: PlanContext) -> RuleRemark | None:
        found = estimate(values, plan)
        return None if found is None else RuleRemark(found.sentence, doubtful=found.verdict != "fits")

    def applies(plan: PlanContext) -> bool:
        return model_facts(plan) is not None and kind_of_gpu(plan) is not None

    parameters = frozenset({*names, MODEL_IN_RULES})
    return Rule("memory", parameters, check, applies=applies, remark=remark)


def kind_of_gpu(plan: PlanContext) -> GpuType | None:
    """The kind of GPU of a plan, with the memory that the document gives it; None where it is not known."""
    if plan.gpu_type is None or plan.cpu_build:
        return None
    try:
        kind = gpu_type(plan.gpu_type)
    except AutotunerError:
        return None
    if plan.gpu_memory_gb is None:
        return kind
    usable = kind.usable_gib * plan.gpu_memory_gb / kind.memory_gb
    return kind.model_copy(update={"memory_gb": plan.gpu_memory_gb, "usable_gib": usable})


def _fit(
    fields: MemoryFields, values: Values, layout: Layout, facts: ModelFacts, gpu: GpuType, longest_request: int
) -> Fit | None:
    """The estimate; None where a value is not known to it, or the layout is one that another rule refuses."""
    if any(_is_set(values.get(name)) for name in fields.elsewhere):
        return None
    if any(remark.kind == "error" for remark in check_layout(facts, layout)):
        return None
    precision = _precision(fields, values, facts)
    if precision is None:
        return None
    fraction = values.get(fields.policy.parameter)
    load = Load(
        context=_context(fields, values, facts, longest_request),
        max_num_seqs=_number(values, fields.requests) or LEAST_REQUESTS,
        max_num_batched_tokens=_number(values, fields.tokens) or LEAST_TOKENS,
        memory_fraction=float(fraction) if isinstance(fraction, int | float) and 0 < fraction <= 1 else None,
        enforce_eager=any(values.get(name) == value for name, value in fields.no_graphs.items()),
    )
    return fit(facts, gpu, layout, load, fields.policy, precision)


def _context(fields: MemoryFields, values: Values, facts: ModelFacts, longest_request: int) -> int:
    """Tokens of a sequence that the KV cache must hold: what is given, else what the workload has at least."""
    given = values.get(fields.context)
    if isinstance(given, int) and given > 0:
        asked = given
    else:  # other words (auto) let the engine choose what fits
        asked = (facts.max_positions or 0) if given is None and fields.whole_context else longest_request
    return max(1, asked)


def _precision(fields: MemoryFields, values: Values, facts: ModelFacts) -> Precision | None:
    dtype = str(values.get(fields.dtype) or "auto")
    method = values.get(fields.quantization)
    if method is None or facts.quantisation is not None:
        gemm = SAME_DTYPE.get(dtype, dtype)
    elif method in BITS_OF_QUANTIZATION:
        gemm = BITS_OF_QUANTIZATION[str(method)]
    else:
        return None
    kv = str(values.get(fields.kv_dtype) or "auto")
    return Precision(gemm=gemm, kv=kv) if kv == "auto" or kv in KV_BITS else None


def _number(values: Values, name: str) -> int | None:
    value = values.get(name)
    return value if isinstance(value, int) and value > 0 else None


def _is_set(value: Scalar) -> bool:
    return value > 0 if isinstance(value, int | float) else bool(value)

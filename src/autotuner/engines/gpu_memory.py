"""Whether a configuration fits into the GPUs' memory, as a rule of the planner.

It has something to say only where the model's config.json and the kind of GPU are known. What the document leaves to
the engine is taken as small, and a value that the estimate does not know keeps it silent. Only what certainly cannot
fit is left out; ``autotuner.modelling.memory`` says when that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from autotuner.contracts.engine import PlanContext, Rule, RuleRemark
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import MODEL_IN_RULES, Scalar
from autotuner.engines.gpu_rules import Values
from autotuner.engines.neutral import model_facts
from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.gpus import GpuType, gpu_type
from autotuner.modelling.layout import Layout, check_layout
from autotuner.modelling.memory import KV_BITS, Estimator, Fit, Load, MemoryPolicy, Precision

LEAST_TOKENS = 2048
"""Tokens of one pass where the engine decides: the least that any of them takes on a GPU."""

LEAST_REQUESTS = 64
"""Sequences computed at once where the engine decides: fewer than any of them takes on a GPU."""

KEPT_MODELS = 16
"""Models and kinds of GPU whose estimators are remembered."""

KEPT_LAYOUTS = 10_000
"""Layouts in a precision whose estimator is remembered; many configurations share them."""

SIXTEEN_BITS = ("auto", "half", "float16", "bfloat16")
"""Types of weights that are not quantised which take the same; auto loads float32 as 16 bits, too."""

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
    replicas: tuple[str, ...] = ()
    """Sizes of groups that serve different requests, whatever else is given."""
    whole_context: bool = False
    """Whether the KV cache must hold a sequence of the model's longest context where none is given."""

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        given = (self.context, self.requests, self.tokens, self.kv_dtype, self.dtype, self.quantization)
        return frozenset(filter(None, (self.policy.parameter, *given, *self.no_graphs, *self.elsewhere)))


def memory_rule(fields: MemoryFields, sizes: Iterable[str], layout: Callable[[Values], Layout]) -> Rule:
    """``sizes``: the parameters that ``layout`` reads."""
    read = tuple(sorted(sizes))
    known: dict[tuple[object, ...], _Estimates] = {}

    def estimates(plan: PlanContext) -> _Estimates | None:
        facts = model_facts(plan)
        if facts is None:
            return None
        key = id(facts), plan.gpu_type, plan.gpu_memory_gb, plan.cpu_build
        found = known.get(key)
        # What is kept holds its facts, so no others have their number.
        if found is None:
            gpu = kind_of_gpu(plan)
            if gpu is None:
                return None
            if len(known) >= KEPT_MODELS:
                known.clear()
            found = known[key] = _Estimates(fields, read, layout, facts, gpu)
        return found

    def check(values: Values, plan: PlanContext) -> str | None:
        of_model = estimates(plan)
        return None if of_model is None else of_model.refusal(values, plan.longest_request)

    def remark(values: Values, plan: PlanContext) -> RuleRemark | None:
        of_model = estimates(plan)
        found = None if of_model is None else of_model.fit(values, plan.longest_request)
        return None if found is None else RuleRemark(found.sentence, doubtful=found.verdict != "fits")

    def applies(plan: PlanContext) -> bool:
        return model_facts(plan) is not None and kind_of_gpu(plan) is not None

    def alike(name: str, value: Scalar, plan: PlanContext) -> Scalar:
        if name == fields.kv_dtype and isinstance(value, str) and value in KV_BITS:
            return next(known for known, bits in KV_BITS.items() if bits == KV_BITS[value])
        if name == fields.dtype and value in SIXTEEN_BITS:
            return "auto"
        facts = model_facts(plan)
        if name in fields.replicas and isinstance(value, int) and facts is not None and facts.experts is None:
            return min(value, 2)  # each copy of a model without experts needs the same
        return value

    names = frozenset({*fields.names, *read, MODEL_IN_RULES})
    return Rule("memory", names, check, applies=applies, remark=remark, inputs=names, alike=alike)


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


class _Estimates:
    """Estimates of one model on one kind of GPU by an engine's parameters."""

    def __init__(
        self,
        fields: MemoryFields,
        sizes: tuple[str, ...],
        layout: Callable[[Values], Layout],
        facts: ModelFacts,
        gpu: GpuType,
    ) -> None:
        self._fields = fields
        self._names = (*sizes, fields.dtype, fields.quantization, fields.kv_dtype)
        self._layout = layout
        self._facts = facts
        self._gpu = gpu
        # By the values of those names, each in a tuple; None: there is nothing to say.
        self._known: dict[tuple[Scalar, ...], tuple[Estimator | None]] = {}

    def refusal(self, values: Values, longest_request: int) -> str | None:
        """The sentence where a start would be refused. Called very often."""
        estimator = self._estimator(values)
        if estimator is None:
            return None
        context, requests, tokens, fraction, eager = self._load(values, longest_request)
        if not estimator.stops_start(context, requests, tokens, fraction, eager=eager):
            return None
        found = self.fit(values, longest_request)
        return None if found is None else found.sentence

    def fit(self, values: Values, longest_request: int) -> Fit | None:
        """The estimate; None where there is nothing to say."""
        estimator = self._estimator(values)
        if estimator is None:
            return None
        context, requests, tokens, fraction, eager = self._load(values, longest_request)
        load = Load(
            context=context,
            max_num_seqs=requests,
            max_num_batched_tokens=tokens,
            memory_fraction=fraction,
            enforce_eager=eager,
        )
        return estimator.fit(load)

    def _estimator(self, values: Values) -> Estimator | None:
        for name in self._fields.elsewhere:
            if _is_set(values.get(name)):
                return None
        key = tuple(map(values.get, self._names))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT_LAYOUTS:
                self._known.clear()
            found = self._known[key] = (self._made(values),)
        return found[0]

    def _made(self, values: Values) -> Estimator | None:
        """None where a value is not known to the estimate, or the layout is one that another rule refuses."""
        layout, precision = self._layout(values), _precision(self._fields, values, self._facts)
        if precision is None or any(remark.kind == "error" for remark in check_layout(self._facts, layout)):
            return None
        return Estimator(self._facts, self._gpu, layout, self._fields.policy, precision)

    def _load(self, values: Values, longest_request: int) -> tuple[int, int, int, float | None, bool]:
        """Context, sequences, tokens of a pass, memory fraction, and whether there are no CUDA graphs."""
        fields = self._fields
        fraction = values.get(fields.policy.parameter)
        eager = False
        for name, value in fields.no_graphs.items():
            eager = eager or values.get(name) == value
        return (
            _context(fields, values, self._facts, longest_request),
            _number(values, fields.requests) or LEAST_REQUESTS,
            _number(values, fields.tokens) or LEAST_TOKENS,
            float(fraction) if isinstance(fraction, int | float) and 0 < fraction <= 1 else None,
            eager,
        )


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

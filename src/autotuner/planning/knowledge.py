"""What is known of every inference engine beforehand, as a weak prior: small rules, each of one quantity.

The rules are first-order physics of batched decoding, in round numbers. None has to be right: the search fits scale and
offset of what they say together, and believes it only as far as its measurements bear it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autotuner.contracts.search import Dimension, Prediction
from autotuner.contracts.values import Configuration, Scalar
from autotuner.planning.plan import Plan

Metric = Literal["throughput", "ttft", "tpot", "latency"]

NAME = "engine knowledge"

_LATENCY_OF_TTFT = 0.2
"""Share of a request's time, on a logarithmic scale, that the first token stands for."""
_QUEUE = 4.0
"""What a waiting request adds, in times of an unqueued first token."""


@dataclass(frozen=True)
class Effect:
    """By how many doublings figures change for each doubling of a quantity. ``why`` in words."""

    why: str
    throughput: float = 0.0
    """Per GPU."""
    ttft: float = 0.0
    tpot: float = 0.0


EFFECTS: Mapping[str, Effect] = {
    "tensor_parallel": Effect(
        "more GPUs share each token's work: it is faster, but they wait for each other", -0.4, -0.6, -0.5
    ),
    "batch": Effect("requests decoded together share each reading of the weights", 0.5, 0.3, 0.45),
    "queue": Effect("requests beyond those that are decoded together wait for their first token", ttft=1.0),
    "weight_halvings": Effect("weights of half the size are read in less time", 0.3, -0.3, -0.3),
    "cache_halvings": Effect("a cache of half the size is read in less time", 0.1, -0.05, -0.1),
    "eager": Effect("without recorded graphs each step costs launches", -0.2, 0.1, 0.3),
}
"""Quantity → effect. Quantities are logarithms to base 2, or numbers of halvings; ``eager`` is 0 or 1."""

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "tensor_parallel": ("tp", "tp_size", "tensor_parallel_size"),
    "seqs": ("max_num_seqs", "max_running_requests", "max_batch_size"),
    "weights": ("gemm_dtype", "gemm_quant", "quantization"),
    "cache": ("kvcache_dtype", "kv_cache_dtype", "kv_quant"),
    "eager": ("enforce_eager", "disable_cuda_graph"),
}
"""Names under which an engine's catalogue may know a setting; neutral ones first."""


class EngineKnowledge:
    """The rules as a prior. ``quantities`` of a configuration by name; ``objectives`` and ``limits``: what each is of.

    ``objectives``: metric and sign of each (−1: it falls as the metric rises); None: nothing is known of it.
    """

    name = NAME

    def __init__(
        self,
        quantities: Callable[[Configuration], Mapping[str, float]],
        objectives: Sequence[tuple[Metric, int] | None],
        limits: Mapping[str, Metric],
    ) -> None:
        self._quantities = quantities
        self._objectives = tuple(objectives)
        self._limits = dict(limits)

    def predict(self, configuration: Configuration) -> Prediction:
        """Logarithms of objectives and ratios, up to an offset."""
        quantities = self._quantities(configuration)
        logs: dict[Metric, float] = {
            "throughput": sum(EFFECTS[name].throughput * value for name, value in quantities.items()),
            "ttft": sum(EFFECTS[name].ttft * value for name, value in quantities.items()),
            "tpot": sum(EFFECTS[name].tpot * value for name, value in quantities.items()),
        }
        logs["latency"] = _LATENCY_OF_TTFT * logs["ttft"] + (1 - _LATENCY_OF_TTFT) * logs["tpot"]
        return Prediction(
            tuple(None if o is None else o[1] * logs[o[0]] * math.log(2) for o in self._objectives),
            {limit: logs[metric] * math.log(2) for limit, metric in self._limits.items()},
        )


def quantities(setting: Callable[[str], Scalar], load: float | None) -> dict[str, float]:
    """The quantities of a configuration.

    ``setting`` gives the value of one (a key of the spellings), None where it is not known. ``load``: requests in
    flight at its server; None: as many as it takes.
    """
    found: dict[str, float] = {}
    parallel, seqs = _positive(setting("tensor_parallel")), _positive(setting("seqs"))
    if parallel is not None:
        found["tensor_parallel"] = math.log2(parallel)
    batch = min((n for n in (seqs, load) if n is not None), default=None)
    if batch is not None:
        found["batch"] = math.log2(batch)
        if load is not None and load > batch:
            found["queue"] = math.log2(1 + _QUEUE * (load / batch - 1))
    found["weight_halvings"] = _halvings(setting("weights"))
    found["cache_halvings"] = _halvings(setting("cache"))
    found["eager"] = float(setting("eager") is True)
    return found


def concerned(known: Callable[[Configuration], Mapping[str, float]], dimensions: Sequence[Dimension]) -> list[str]:
    """Names of the searched parameters of which the rules know something."""
    middle = {d.name: d.at(0.5) for d in dimensions}
    found = []
    for dimension in dimensions:
        ends = [known({**middle, dimension.name: dimension.at(at)}) for at in (0.0, 0.5, 0.999)]
        if any(end != ends[0] for end in ends):
            found.append(dimension.name)
    return found


def spelled(find: Callable[[str], str | None]) -> dict[str, str]:
    """Canonical name of each setting that a catalogue knows; ``find`` gives it for a spelling."""
    found = {key: next((n for s in names if (n := find(s)) is not None), None) for key, names in _SPELLINGS.items()}
    return {key: name for key, name in found.items() if name is not None}


OBJECTIVES: Mapping[str, tuple[Metric, int]] = {
    "maximize_throughput": ("throughput", 1),
    "maximize_goodput": ("throughput", 1),
    "minimize_cost": ("throughput", -1),
    "minimize_energy": ("throughput", -1),
    "minimize_latency": ("latency", 1),
    "minimize_ttft": ("ttft", 1),
    "minimize_tpot": ("tpot", 1),
}
"""Objective → the metric that it goes with, and whether it rises with it."""


_METRICS: Mapping[str, Metric] = {"ttft": "ttft", "tpot": "tpot", "latency": "latency"}


def knowledge_of(plan: Plan, limits: Mapping[str, str]) -> EngineKnowledge | None:
    """What is known of a planned task; None where the rules know none of what it searches.

    ``limits``: name → metric (ttft, tpot, latency; others are passed over).
    """
    made = EngineKnowledge(
        quantities_of(plan),
        [OBJECTIVES.get(name) for name in plan.document.optimization.objectives],
        {name: _METRICS[metric] for name, metric in limits.items() if metric in _METRICS},
    )
    return made if searched_quantities(plan) else None


def searched_quantities(plan: Plan) -> list[str]:
    """The searched parameters of a plan of which the rules know something."""
    return concerned(quantities_of(plan), plan.space.dimensions)


def quantities_of(plan: Plan) -> Callable[[Configuration], Mapping[str, float]]:
    """The quantities of the configurations of a planned task, at the load at which they are scored."""
    catalogue, resolver = plan.resolver.engine.catalogue, plan.resolver

    def find(spelling: str) -> str | None:
        parameter = catalogue.find(spelling)
        return None if parameter is None else parameter.name

    names = spelled(find)
    scored = [p.concurrency for p in plan.workload.load_points if p.name in plan.scored_at]
    given = max((c for c in scored if c is not None), default=None) if plan.workload.load_search is None else None

    def of(configuration: Configuration) -> dict[str, float]:
        values = resolver.values(configuration)
        factor = plan.fair_load.factor(resolver.world_size(configuration)) if plan.fair_load.per != "server" else 1.0
        return quantities(
            lambda setting: values.get(names.get(setting, "")), None if given is None else max(1.0, given * factor)
        )

    return of


def _positive(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _halvings(value: Scalar) -> float:
    """How often a format of 16 bits is halved: 1 for 8 bits, 2 for 4; 0 for what is not known."""
    text = str(value).lower()
    if any(word in text for word in ("fp4", "int4", "w4a")):
        return 2.0
    return 1.0 if text.startswith(("fp8", "int8")) else 0.0

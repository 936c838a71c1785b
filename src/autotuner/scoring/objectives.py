"""What is optimised: objectives by name, in natural units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import Direction
from autotuner.scoring.figures import figure, scenarios_of

LATENCY = "mean_e2e_latency"
TOTAL = "mean_total_throughput"
ENERGY = "energy_per_output_token"
PER_GPU = "mean_total_throughput_per_gpu"
THROUGHPUT_ORDER = (PER_GPU, TOTAL, "mean_output_throughput", "max_total_throughput")
"""Figures that maximize_throughput may use, best first."""

_DIRECTIONS: dict[str, Direction] = {
    "minimize_latency": "minimize",
    "maximize_throughput": "maximize",
    "minimize_ttft": "minimize",
    "minimize_tpot": "minimize",
    "maximize_goodput": "maximize",
    "minimize_cost": "minimize",
    "minimize_energy": "minimize",
    "balanced": "maximize",
}
OBJECTIVE_NAMES = tuple(_DIRECTIONS)


@dataclass(frozen=True)
class Objective:
    """One objective.

    Fields: ``name``; ``direction``; ``label`` and ``unit`` for people; ``needs``, the figures it is computed from;
    ``formula`` from their values, in that order, to the score of one scenario (None: they cannot be scored).
    """

    name: str
    direction: Direction
    label: str
    unit: str
    needs: tuple[str, ...]
    formula: Callable[[Sequence[float]], float | None]

    def value(self, metrics: Mapping[str, Any]) -> float | None:
        """The score in natural units, unpenalised: the geometric mean over scenarios. None: a figure is missing.

        A time or a cost of zero is no measurement, so it counts as missing; a throughput of zero is a score.
        """
        scores: list[float] = []
        for flat in scenarios_of(metrics):
            score = self._of_scenario(flat)
            if score is None:
                return None
            scores.append(score)
        return geometric_mean(scores)

    def missing(self, metrics: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the figures that keep it from being scored; empty when ``value`` gives a score."""
        if self.value(metrics) is not None:
            return ()
        absent = tuple(n for n in self.needs if any(figure(flat, n) is None for flat in scenarios_of(metrics)))
        return absent or self.needs

    def _of_scenario(self, flat: Mapping[str, Any]) -> float | None:
        values: list[float] = []
        for name in self.needs:
            value = figure(flat, name)
            if value is None:
                return None
            values.append(value)
        score = self.formula(values)
        if score is None or not math.isfinite(score):
            return None
        return score if score > 0 or (score == 0 and self.direction == "maximize") else None


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of values ≥ 0; a single value is returned as it is."""
    if len(values) == 1:
        return values[0]
    if min(values) == 0:
        return 0.0
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def directions(names: Sequence[str]) -> tuple[Direction, ...]:
    """Directions of objectives by name, before any figure exists. AutotunerError for an unknown or repeated name."""
    if not names:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "no objective is given",
            why="without one no configuration is better than another",
            remedy=f"name one of {', '.join(OBJECTIVE_NAMES)}",
            place="optimization.objective",
        )
    for position, name in enumerate(names):
        if name not in _DIRECTIONS:
            near = get_close_matches(name, OBJECTIVE_NAMES, n=1, cutoff=0.0)
            raise AutotunerError(
                ErrorCode.UNKNOWN_NAME,
                f"unknown objective {name!r}",
                why=f"the objectives are {', '.join(OBJECTIVE_NAMES)}",
                remedy=f"did you mean {near[0]!r}?",
                place="optimization.objective",
            )
        if name in names[:position]:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"objective {name!r} is given twice",
                why="several objectives span a Pareto front and each is one of its axes",
                remedy="name it once",
                place="optimization.objective",
            )
    return tuple(_DIRECTIONS[name] for name in names)


def throughput_metric(metrics: Mapping[str, Any]) -> tuple[str, str | None]:
    """The figure that stands for throughput in a task, from the metrics of its first success, and a warning.

    Decided once and then kept: figures of different kinds are never compared. AutotunerError(NO_RESULT) if there is
    none at all.
    """
    flats = scenarios_of(metrics)
    for name in THROUGHPUT_ORDER:
        if all(figure(flat, name) is not None for flat in flats):
            if name == PER_GPU:
                return name, None
            return name, (
                f"throughput is compared by {name}, because the first result has no {PER_GPU} (number of GPUs unknown):"
                " configurations of different world sizes are not compared per GPU"
            )
    raise AutotunerError(
        ErrorCode.NO_RESULT,
        "the first result has no throughput",
        why=f"none of {', '.join(THROUGHPUT_ORDER)} is a number",
        remedy="look at the server's and the client's log of that experiment",
    )


def make_objectives(
    names: Sequence[str],
    *,
    throughput_metric: str = PER_GPU,
    baseline_metrics: Mapping[str, Any] | None = None,
    balance: Mapping[str, float] | None = None,
    price_per_gpu_hour: float | None = None,
    gpu_count: int | None = None,
) -> tuple[Objective, ...]:
    """The objectives of a task, in the order of their names; several give a Pareto front.

    ``throughput_metric``: as decided by the function of that name. ``balance``: weights ``latency`` and ``throughput``
    of balanced, 0.5 each; only their ratio counts. ``price_per_gpu_hour``: $ per hour, for minimize_cost; the number of
    GPUs is that of each configuration (throughput per GPU), else ``gpu_count``. AutotunerError for an unknown name, for
    balanced without a baseline and for minimize_cost without a price or a number of GPUs.
    """
    if throughput_metric not in THROUGHPUT_ORDER:
        raise ValueError(f"{throughput_metric} is no throughput figure")
    made: list[Objective] = []
    for name, direction in zip(names, directions(names), strict=True):
        if name == "minimize_latency":
            made.append(Objective(name, direction, "mean end-to-end latency", "s", (LATENCY,), _first))
        elif name == "minimize_ttft":
            made.append(Objective(name, direction, "mean time to first token", "s", ("mean_ttft",), _first))
        elif name == "minimize_tpot":
            made.append(Objective(name, direction, "mean time per output token", "s", ("mean_tpot",), _first))
        elif name == "maximize_throughput":
            made.append(_throughput(throughput_metric))
        elif name == "maximize_goodput":
            made.append(_goodput(throughput_metric))
        elif name == "minimize_energy":
            made.append(Objective(name, direction, "energy per output token", "J/token", (ENERGY,), _first))
        elif name == "minimize_cost":
            made.append(_cost(throughput_metric, price_per_gpu_hour, gpu_count))
        else:
            made.append(_balanced(throughput_metric, baseline_metrics, balance))
    return tuple(made)


def _first(values: Sequence[float]) -> float:
    return values[0]


def _throughput(metric: str) -> Objective:
    kind = "output throughput" if metric == "mean_output_throughput" else "total throughput"
    label, unit = (f"{kind} per GPU", "tokens/s/GPU") if metric == PER_GPU else (kind, "tokens/s")
    return Objective("maximize_throughput", "maximize", label, unit, (metric,), _first)


def _goodput(metric: str) -> Objective:
    if metric != PER_GPU:
        return Objective("maximize_goodput", "maximize", "goodput", "requests/s", ("goodput",), _first)

    def per_gpu(values: Sequence[float]) -> float | None:
        goodput, total, total_per_gpu = values
        return goodput * total_per_gpu / total if total > 0 else None

    needs = ("goodput", TOTAL, PER_GPU)
    return Objective("maximize_goodput", "maximize", "goodput per GPU", "requests/s/GPU", needs, per_gpu)


def _cost(metric: str, price: float | None, gpus: int | None) -> Objective:
    if price is None or not (math.isfinite(price) and price > 0):
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "minimize_cost has no price",
            why="the cost of a token is the price of the GPUs over the tokens that they produce",
            remedy="set price_per_gpu_hour to the price of one GPU for one hour, in $",
            place="optimization.price_per_gpu_hour",
        )
    if metric == PER_GPU:
        needs, dollars_per_second = (PER_GPU,), price / 3600
    elif gpus is not None and gpus > 0:
        needs, dollars_per_second = (TOTAL,), price * gpus / 3600
    else:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "minimize_cost has no number of GPUs",
            why="the price is per GPU and it is not known how many a configuration uses",
            remedy="set system_config.total_gpus, or choose another objective",
            place="optimization.objective",
        )

    def per_million_tokens(values: Sequence[float]) -> float | None:
        return dollars_per_second / values[0] * 1e6 if values[0] > 0 else None

    return Objective("minimize_cost", "minimize", "cost of a million tokens", "$/M tokens", needs, per_million_tokens)


def _balanced(metric: str, baseline: Mapping[str, Any] | None, balance: Mapping[str, float] | None) -> Objective:
    weights = {"latency": 0.5, "throughput": 0.5} if balance is None else dict(balance)
    values = list(weights.values())
    if (
        set(weights) != {"latency", "throughput"}
        or not all(math.isfinite(w) and w >= 0 for w in values)
        or not sum(values)
    ):
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "the weights of objective balanced are unusable",
            why=f"got {weights}",
            remedy="give latency and throughput a weight ≥ 0 each, not both 0",
            place="optimization.balance",
        )
    latency = Objective("latency", "minimize", "", "", (LATENCY,), _first)
    throughput = _throughput(metric)
    base_latency = None if baseline is None else latency.value(baseline)
    base_throughput = None if baseline is None else throughput.value(baseline)
    if base_latency is None or not base_throughput:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "objective balanced has no baseline",
            why=f"it weighs latency and throughput relative to a baseline with {LATENCY} and {metric}",
            remedy="switch optimization.baseline on, or choose another objective",
            place="optimization.objective",
        )
    share = weights["latency"] / sum(values)
    reference_latency, reference_throughput = base_latency, base_throughput

    def compared(values: Sequence[float]) -> float | None:
        e2e, tokens = values
        if e2e <= 0:
            return None
        faster, more = reference_latency / e2e, tokens / reference_throughput
        return float(faster**share * more ** (1 - share))

    label = "latency and throughput against the baseline"
    return Objective("balanced", "maximize", label, "× baseline", (LATENCY, metric), compared)

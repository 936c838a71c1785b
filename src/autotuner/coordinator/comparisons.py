"""One configuration against another: parameters, command, and every metric with its noise. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

from autotuner.contracts.findings import Comparison, MetricDifference
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.values import Scalar
from autotuner.scoring.evidence import pooled_noise
from autotuner.scoring.figures import figure
from autotuner.scoring.verdict import Verdict, winner

COMPARED = (
    "mean_total_throughput_per_gpu",
    "mean_total_throughput",
    "mean_output_throughput",
    "requests_per_second",
    "goodput",
    "mean_ttft",
    "p50_ttft",
    "p90_ttft",
    "p99_ttft",
    "mean_tpot",
    "p90_tpot",
    "mean_e2e_latency",
    "p50_e2e_latency",
    "p90_e2e_latency",
    "p99_e2e_latency",
    "energy_per_output_token",
    "max_load_meeting_slo",
)
"""Aggregated metrics that are compared, in order, where both have them."""

CONFIDENCE = 0.95
"""Of each interval by itself. They show how sure a figure is; a gain is only claimed from the score (``evidence``)."""

Starts = Mapping[int, Mapping[int, Mapping[str, Any]]]
"""Metrics of each confirmation start: experiment number → round → metrics."""


def comparisons(
    best: ExperimentSummary | None,
    base: int | None,
    judged: Mapping[int, Verdict],
    summaries: Mapping[int, ExperimentSummary],
    starts: Starts,
) -> tuple[Comparison, ...]:
    """The winner, or the nearest, against the baseline and against what the search alone would have chosen."""
    if best is None:
        return ()
    found: list[Comparison] = []
    if base is not None and base != best.number:
        found.append(compare(best, summaries[base], "baseline", starts))
    first = winner(judged)
    if first is not None and first not in (best.number, base):
        found.append(compare(best, summaries[first], "best of the search", starts))
    return tuple(found)


def compare(
    own: ExperimentSummary,
    other: ExperimentSummary,
    other_is: Literal["baseline", "best of the search"],
    starts: Starts,
) -> Comparison:
    """What was set differently, and what came of it.

    Metrics are compared over the rounds of the confirmation in which both were started; without such rounds over the
    one start of each in the search, with the noise of the confirmation, if there was one.
    """
    added, removed = argument_difference(other.argv, own.argv)
    return Comparison(
        experiment=own.number,
        other=other.number,
        other_is=other_is,
        parameters=parameter_differences(other, own),
        arguments_added=added,
        arguments_removed=removed,
        metrics=tuple(d for name in COMPARED if (d := _difference(name, own, other, starts)) is not None),
    )


def parameter_differences(other: ExperimentSummary, own: ExperimentSummary) -> dict[str, tuple[Scalar, Scalar]]:
    """Parameter → (value of the other, own value), only where they differ."""
    return {
        name: (other.parameters.get(name), value)
        for name, value in own.parameters.items()
        if other.parameters.get(name) != value
        or isinstance(other.parameters.get(name), bool) != isinstance(value, bool)
    }


def argument_difference(old: Sequence[str], new: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options that only the new command has, and those that only the old one has; each with its values, in order."""
    before, after = _options(old), _options(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    added: list[str] = []
    removed: list[str] = []
    for kind, low, high, start, end in matcher.get_opcodes():
        if kind != "equal":
            removed += [" ".join(option) for option in before[low:high]]
            added += [" ".join(option) for option in after[start:end]]
    # An option that only moved is no difference.
    moved = [option for option in added if option in removed]
    for option in moved:
        if option in removed:
            added.remove(option)
            removed.remove(option)
    return tuple(added), tuple(removed)


def _options(argv: Sequence[str]) -> list[tuple[str, ...]]:
    """The arguments, each option with the values that follow it."""
    found: list[list[str]] = []
    for argument in argv:
        if found and found[-1][0].startswith("-") and not _is_option(argument):
            found[-1].append(argument)
        else:
            found.append([argument])
    return [tuple(option) for option in found]


def _is_option(argument: str) -> bool:
    return argument.startswith("-") and not argument[1:2].isdigit() and argument != "-"


def _difference(name: str, own: ExperimentSummary, other: ExperimentSummary, starts: Starts) -> MetricDifference | None:
    rounds = sorted(starts.get(own.number, {}).keys() & starts.get(other.number, {}).keys())
    pairs = _both([(starts[other.number][block], starts[own.number][block]) for block in rounds], name)
    used = pairs or _both([(other.metrics, own.metrics)], name)
    if not any(theirs or ours for theirs, ours in used):
        return None
    if not all(theirs and ours for theirs, ours in used):
        theirs, ours = (math.fsum(values) / len(used) for values in zip(*used, strict=True))
        return MetricDifference(metric=name, own=ours, other=theirs, pairs=len(pairs))
    spread, freedom = _noise(name, starts)
    ratios = [math.log(ours / theirs) for theirs, ours in used]
    mean = math.fsum(ratios) / len(ratios)
    error: float | None = None
    if len(pairs) >= 2:
        error = math.sqrt(math.fsum((r - mean) ** 2 for r in ratios) / (len(pairs) - 1) / len(pairs))
        freedom = len(pairs) - 1
    elif not pairs and spread is not None:
        error = spread * math.sqrt(2)
    low, high = (None, None) if error is None else _ends(mean, error, freedom)
    return MetricDifference(
        metric=name,
        own=_geometric([ours for _, ours in used]),
        other=_geometric([theirs for theirs, _ in used]),
        change=math.expm1(mean),
        low=low,
        high=high,
        noise=spread,
        pairs=len(pairs),
        clear=None if low is None or high is None else low > 0 or high < 0,
    )


def _both(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], name: str) -> list[tuple[float, float]]:
    """The values of both, of the pairs in which both have one."""
    found = [(figure(theirs, name), figure(ours, name)) for theirs, ours in pairs]
    return [(a, b) for a, b in found if a is not None and b is not None and a >= 0 and b >= 0]


def _positive(metrics: Mapping[str, Any], name: str) -> float | None:
    value = figure(metrics, name)
    return value if value is not None and value > 0 else None


def _noise(name: str, starts: Starts) -> tuple[float | None, int]:
    groups = [[v for m in of_number.values() if (v := _positive(m, name)) is not None] for of_number in starts.values()]
    groups = [group for group in groups if group]
    return pooled_noise(groups), sum(len(group) - 1 for group in groups)


def _ends(mean: float, error: float, freedom: int) -> tuple[float, float]:
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    return math.expm1(mean - reach), math.expm1(min(mean + reach, 700.0))


def _geometric(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))

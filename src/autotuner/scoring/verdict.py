"""The judgement of a configuration, and the order of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotuner.contracts.search import Direction
from autotuner.scoring.figures import Missing
from autotuner.scoring.objectives import Objective, geometric_mean
from autotuner.scoring.pareto import losses, pareto_front
from autotuner.scoring.slo import Severity, SloResult, SloSet, judge_slo, meets_for_load


@dataclass(frozen=True)
class Verdict:
    """What a configuration is worth. Scores are in natural units, one per objective, in the task's order.

    Fields: ``objective_scores`` unpenalised; ``penalised``, what orders; ``directions``; ``slo``, one result per rule.
    """

    objective_scores: tuple[float, ...]
    penalised: tuple[float, ...]
    directions: tuple[Direction, ...]
    slo: tuple[SloResult, ...]

    @property
    def violated(self) -> bool:
        """A hard SLO is missed by its fail_ratio or more: ineligible to win."""
        return any(result.violated for result in self.slo)

    @property
    def met(self) -> bool:
        """Every SLO is kept. A winner for which this is False is labelled with ``reasons``."""
        return all(result.met for result in self.slo)

    @property
    def met_for_load(self) -> bool:
        """The SLOs that a load must meet are kept (see ``meets_for_load``)."""
        return meets_for_load(self.slo)

    @property
    def margins(self) -> dict[str, float]:
        """The sampler's constraints, one per hard SLO by figure: ≤ 0 kept, > 0 violated."""
        return {result.rule.figure: result.margin for result in self.slo if result.rule.hard_fail}

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence per SLO that is missed; violated ones first."""
        missed = sorted((r for r in self.slo if not r.met), key=lambda r: not r.violated)
        return tuple(r.reason for r in missed if r.reason is not None)

    @property
    def severity(self) -> Severity | None:
        """Of the worst violation; None when eligible."""
        found = {result.severity for result in self.slo if result.violated}
        return "severe" if "severe" in found else "minor" if found else None

    @property
    def size(self) -> float:
        """Largest r of a violation; 0 when eligible."""
        return max((result.excess for result in self.slo if result.violated), default=0.0)

    def record(self) -> dict[str, object]:
        """The SLO part as stored with the experiment (plain JSON)."""
        return {
            "slo_violation": self.violated,
            "met": self.met,
            "severity": self.severity,
            "size": self.size,
            "reasons": list(self.reasons),
            "results": [result.model_dump(mode="json") for result in self.slo],
        }


@dataclass(frozen=True)
class Nearest:
    """The configuration nearest to being eligible when none is.

    Fields: ``number`` of its experiment; ``worst``, the SLO it misses most; ``margin``, by how much of the limit.
    """

    number: int
    worst: SloResult
    margin: float


def judge(metrics: Mapping[str, Any], objectives: Sequence[Objective], slo: SloSet) -> Verdict | Missing:
    """Judge the aggregated metrics of one start. ``Missing`` (a failure) when a needed figure is not there."""
    return judge_starts([metrics], objectives, slo)


def judge_starts(
    starts: Sequence[Mapping[str, Any]], objectives: Sequence[Objective], slo: SloSet
) -> Verdict | Missing:
    """Judge a configuration over several starts: scores by their geometric mean, SLOs by the worst case."""
    scores: list[float] = []
    missing: list[str] = []
    for objective in objectives:
        values = [value for metrics in starts if (value := objective.value(metrics)) is not None]
        if len(values) < len(starts):
            missing += [name for metrics in starts for name in objective.missing(metrics)]
        else:
            scores.append(geometric_mean(values))
    results = judge_slo(starts, slo)
    if isinstance(results, Missing):
        missing += results.metrics
    if missing or isinstance(results, Missing):
        return Missing(tuple(dict.fromkeys(missing)))
    factor = 1.0 + sum(result.penalty for result in results)
    return Verdict(
        objective_scores=tuple(scores),
        penalised=tuple(
            score * factor if objective.direction == "minimize" else score / factor
            for score, objective in zip(scores, objectives, strict=True)
        ),
        directions=tuple(objective.direction for objective in objectives),
        slo=results,
    )


def better(a: float, b: float, direction: Direction) -> bool:
    """Is score ``a`` strictly better than ``b``?"""
    return a < b if direction == "minimize" else a > b


def rank(verdicts: Mapping[int, Verdict]) -> list[int]:
    """Experiment numbers, best first: eligible ones first, then by penalised score, ties by the lower number.

    With several objectives the non-dominated come first, then those that only they dominate, and so on; within such a
    layer the objectives decide in their order.
    """
    ordered: list[int] = []
    for violated in (False, True):
        rest = sorted(number for number, verdict in verdicts.items() if verdict.violated == violated)
        while rest:
            # With one objective the layers would only spell out the sort.
            single = len(verdicts[rest[0]].directions) == 1
            layer = set(rest) if single else _front(verdicts, rest)
            ordered += sorted(layer, key=lambda number: (_losses(verdicts[number]), number))
            rest = [number for number in rest if number not in layer]
    return ordered


def winner(verdicts: Mapping[int, Verdict]) -> int | None:
    """The first of ``rank``; None when no configuration is eligible."""
    first = next(iter(rank(verdicts)), None)
    return None if first is None or verdicts[first].violated else first


def nearest(verdicts: Mapping[int, Verdict]) -> Nearest | None:
    """The violating configuration whose worst margin is smallest (then by penalised score, then number), if any."""
    found: list[tuple[tuple[float, tuple[float, ...], int], Nearest]] = []
    for number, verdict in verdicts.items():
        violations = [result for result in verdict.slo if result.violated]
        if violations:
            worst = max(violations, key=lambda result: result.margin)
            found.append(((worst.margin, _losses(verdict), number), Nearest(number, worst, worst.margin)))
    return min(found, key=lambda entry: entry[0])[1] if found else None


def _losses(verdict: Verdict) -> tuple[float, ...]:
    return losses(verdict.penalised, verdict.directions)


def _front(verdicts: Mapping[int, Verdict], numbers: Sequence[int]) -> set[int]:
    if not numbers:
        return set()
    directions = verdicts[numbers[0]].directions
    return {numbers[i] for i in pareto_front([verdicts[n].penalised for n in numbers], directions)}

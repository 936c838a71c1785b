"""The verdict in one line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import TaskRecord
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import describe
from autotuner.scoring.conclusion import conclude, conclude_infeasible, conclude_nothing
from autotuner.scoring.evidence import Gain
from autotuner.scoring.verdict import Verdict, nearest


def headline(
    task: TaskRecord,
    chosen: int | None,
    base: int | None,
    gain: Gain | None,
    judged: Mapping[int, Verdict],
    over_starts: Mapping[int, Verdict],
    summaries: Mapping[int, ExperimentSummary],
    ledger: Ledger,
    scorer: Scorer,
) -> str:
    """The verdict; with several objectives by the first one (``among_several`` says so)."""
    if not judged:
        failures = [e.failure for e in ledger.experiments.values() if e.failure is not None]
        if task.error is not None or failures:
            return conclude_nothing(failures[0].diagnosis if failures else "the task failed").sentence
        return conclude_nothing("nothing was measured yet").sentence
    baseline = summaries.get(base) if base is not None else None
    if chosen is None:
        near = nearest(judged)
        if near is None:
            return conclude_nothing("every finalist missed a hard SLO when it was started again").sentence
        return conclude_infeasible(describe(summaries[near.number], baseline), near).sentence
    verdict = over_starts.get(chosen, judged[chosen])
    if len(judged) == 1 and chosen == base:
        return _measured_alone(summaries[chosen], verdict, scorer)
    name = describe(summaries[chosen], baseline)
    return conclude(
        name, verdict, baseline=None if base is None else name if base == chosen else "baseline", gain=gain
    ).sentence


def _measured_alone(summary: ExperimentSummary, verdict: Verdict, scorer: Scorer) -> str:
    """The headline of a task that had nothing to compare, such as a server that somebody else runs."""
    objective = scorer.objectives[0]
    missed = "" if verdict.met else f"; it misses its SLO: {'; '.join(verdict.reasons)}"
    return f"Measured {objective.label}: {summary.score or 0:.4g} {objective.unit}. Nothing was searched{missed}."


def among_several(scorer: Scorer, chosen: int | None, front: Sequence[int]) -> str:
    """What a headline must add when there are several objectives: it speaks of the first one only."""
    if len(scorer.objectives) < 2 or chosen is None:
        return ""
    others = ", ".join(objective.label for objective in scorer.objectives[1:])
    numbers = ", ".join(f"#{number}" for number in front)
    return (
        f" This is by the first objective, {scorer.objectives[0].label}; with {others} considered too, no configuration"
        f" is better in everything than {numbers}."
    )

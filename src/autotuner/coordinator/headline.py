"""The verdict in one line. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.findings import ParetoPoint, ParetoSet
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import TaskRecord
from autotuner.coordinator.finalists import Evidence
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import describe
from autotuner.scoring.conclusion import Conclusion, conclude, conclude_infeasible, conclude_nothing
from autotuner.scoring.verdict import Nearest, Verdict, rank


def conclusion_of(
    task: TaskRecord,
    chosen: int | None,
    base: int | None,
    near: Nearest | None,
    judged: Mapping[int, Verdict],
    evidence: Evidence,
    summaries: Mapping[int, ExperimentSummary],
    ledger: Ledger,
    scorer: Scorer,
) -> Conclusion:
    """The verdict; with several objectives by the first one (``among_several`` says so)."""
    if not judged:
        failures = [e.failure for e in ledger.experiments.values() if e.failure is not None]
        if task.error is not None or failures:
            return conclude_nothing(failures[0].diagnosis if failures else "the task failed")
        return conclude_nothing("nothing was measured yet")
    baseline = summaries.get(base) if base is not None else None
    if chosen is None:
        if near is None:
            return conclude_nothing("the server of every finalist failed when it was started again")
        return conclude_infeasible(describe(summaries[near.number], baseline), near)
    verdict = evidence.verdicts.get(chosen, judged[chosen])
    if len(judged) == 1 and chosen == base:
        return _measured_alone(summaries[chosen], verdict, scorer)
    name = describe(summaries[chosen], baseline)
    of_base = None if base is None else evidence.verdicts.get(base, judged[base])
    others = [n for n in rank(evidence.verdicts) if n in evidence.gains and n not in evidence.out]
    return conclude(
        name,
        verdict,
        baseline=None if base is None else name if base == chosen else "baseline",
        gain=evidence.gains.get(chosen),
        baseline_violates=of_base.reasons[0] if of_base is not None and of_base.violated else None,
        candidate=(describe(summaries[others[0]], baseline), evidence.gains[others[0]]) if others else None,
        ruled_out=[describe(summaries[number], baseline) for number in evidence.out],
    )


def _measured_alone(summary: ExperimentSummary, verdict: Verdict, scorer: Scorer) -> Conclusion:
    """The conclusion of a task that had nothing to compare, such as a server that somebody else runs."""
    objective = scorer.objectives[0]
    missed = "" if verdict.met else f"; it misses its SLO: {'; '.join(verdict.reasons)}"
    sentence = f"Measured {objective.label}: {summary.score or 0:.4g} {objective.unit}. Nothing was searched{missed}."
    return Conclusion(kind="measured", sentence=sentence)


def among_several(scorer: Scorer, chosen: int | None, pareto: ParetoSet | None) -> str:
    """What a headline must add when there are several objectives: it speaks of the first one only."""
    if pareto is None or chosen is None:
        return ""
    others = " and ".join(objective.label for objective in scorer.objectives[1:])
    labels = {objective.name: objective.label for objective in scorer.objectives}
    front = [point for point in pareto.points if point.on_front]
    named = [(point.experiment, words) for point in front if (words := _stands_for(point, labels))]
    parts = [f"#{number} ({words})" for number, words in named]
    rest = len(front) - len(named)
    parts += [f"{rest} more"] if rest else []
    near = sum(point.place == "unclear" and not point.on_front for point in pareto.points)
    unclear = f"; {near} {'others' if near > 1 else 'other'} cannot be told from it" if near else ""
    front_text = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0] if parts else "empty"
    return (
        f" This is by the first objective, {scorer.objectives[0].label}; with {others} considered too, the front is"
        f" {front_text}{unclear}."
    )


def _stands_for(point: ParetoPoint, labels: Mapping[str, str]) -> str:
    best = [f"best {labels[name]}" for name in point.best_in]
    return ", ".join([*best, *(["knee"] if point.knee else [])])

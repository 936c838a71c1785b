"""The verdict in one line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

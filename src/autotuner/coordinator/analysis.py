"""What the experiments say of the parameters: importance, and slices through the best configuration. Pure."""

from __future__ import annotations

from autotuner.contracts.values import Configuration
from autotuner.coordinator.ledger import MEASURED, Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.verdicts import scored_everywhere
from autotuner.planning.plan import Plan
from autotuner.scoring.importance import Explanation, Measured, explain
from autotuner.scoring.verdict import Verdict


def explained(plan: Plan, ledger: Ledger, scorer: Scorer, best: Configuration | None) -> Explanation | None:
    """For the first objective, from the start that each experiment was searched with; None when nothing is searched.

    Experiments that violate a hard SLO count too: their scores are as good as any. So do those whose windows were cut
    short, as long as all scored load points were measured: without them the worse half of the space would be missing,
    and how far their figures can be believed is part of what the model is tested on.
    """
    dimensions = plan.space.dimensions
    if not dimensions:
        return None
    measured: list[Measured] = []
    for number, experiment in ledger.experiments.items():
        if experiment.status not in MEASURED or not scored_everywhere(experiment, scorer):
            continue
        verdict = scorer.judge(experiment.metrics or {})
        if isinstance(verdict, Verdict):
            measured.append(Measured(number, experiment.parameters, verdict.objective_scores[0]))
    return explain(
        measured,
        dimensions,
        seed=plan.document.optimization.seed,
        best=best,
        valid=lambda configuration: plan.space.violation(configuration) is None,
    )

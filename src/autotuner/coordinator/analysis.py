"""What the experiments say of the parameters: importance, and slices through the best configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.values import Configuration
from autotuner.coordinator.ledger import Ledger
from autotuner.planning.plan import Plan
from autotuner.scoring.importance import Explanation, Measured, explain
from autotuner.scoring.verdict import Verdict


def explained(
    plan: Plan, ledger: Ledger, judged: Mapping[int, Verdict], best: Configuration | None
) -> Explanation | None:
    """For the first objective, from the start that each experiment was searched with; None when nothing is searched.

    Experiments that violate a hard SLO count too: their scores are as good as any.
    """
    dimensions = plan.space.dimensions
    if not dimensions:
        return None
    measured = [
        Measured(number, ledger.experiments[number].parameters, verdict.objective_scores[0])
        for number, verdict in judged.items()
    ]
    return explain(
        measured,
        dimensions,
        seed=plan.document.optimization.seed,
        best=best,
        valid=lambda configuration: plan.space.violation(configuration) is None,
    )

"""The search stage: ask the strategy, measure, tell, until there is a reason to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from autotuner.contracts.search import SearchSetup, SearchStrategy, Trial
from autotuner.contracts.store import ExperimentOrigin
from autotuner.coordinator.experiments import add, measure, outcome
from autotuner.coordinator.ledger import FINISHED
from autotuner.coordinator.run import Run
from autotuner.planning.confirmation import RESERVE

MakeStrategy = Callable[[SearchSetup], SearchStrategy]


async def search(run: Run, make_strategy: MakeStrategy) -> str | None:
    """Search until the budget is used or nothing is left; returns why it ended.

    None when failed experiments were opened again: they are to be measured before the next one is asked for, and the
    strategy is to be told anew.

    What an earlier run began is finished first. The strategy is then told everything in the order of the experiments'
    numbers, which is the order in which an unbroken run tells it.
    """
    for experiment in run.ledger.of_origin(ExperimentOrigin.SEARCH):
        await measure(run, experiment)
    strategy = make_strategy(
        SearchSetup(
            space=run.plan.space,
            directions=run.scorer.directions,
            seed=run.plan.document.optimization.seed,
            budget=run.plan.searched,
        )
    )
    for experiment in run.ledger.experiments.values():
        if experiment.status in FINISHED:
            strategy.tell(Trial(experiment.parameters, outcome(experiment, run.scorer)))
    while (reason := _over(run)) is None:
        if await run.take_retried():
            return None
        configuration = await asyncio.to_thread(strategy.ask)
        if configuration is None:
            return "every valid configuration was measured"
        experiment = await add(run, ExperimentOrigin.SEARCH, configuration)
        if experiment.status in FINISHED:
            return f"the strategy has nothing new to propose: experiment {experiment.number} was its next one again"
        measured = await measure(run, experiment)
        strategy.tell(Trial(configuration, outcome(measured, run.scorer)))
    return reason


def _over(run: Run) -> str | None:
    """Why no further configuration is asked for; None while the search goes on."""
    if not run.plan.searched:
        return "nothing is searched"
    optimization = run.plan.document.optimization
    limit = optimization.max_iterations
    if run.ledger.count(ExperimentOrigin.SEARCH) >= limit:
        return f"the budget of {limit} configuration{'s' if limit > 1 else ''} is used"
    wall = optimization.budget.wall_clock_s
    if wall is not None:
        share = wall * (1 - RESERVE) if run.plan.confirm_starts else wall
        if not run.time_for_another(share):
            return f"the time for searching ({share:.0f} s of {wall:.0f} s) is used"
    patience = optimization.patience
    if patience is not None and run.standing.since_better() >= patience:
        tried = f"{patience} configurations in a row were" if patience > 1 else "1 configuration was"
        return f"{tried} no better"
    return None

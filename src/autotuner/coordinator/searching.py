"""The search stage: ask the strategy, measure, tell, until there is a reason to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from autotuner.contracts.search import Explains, Limit, SearchReport, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import Configuration
from autotuner.coordinator.experiments import add, measure, outcome
from autotuner.coordinator.ledger import FINISHED
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.planning.confirmation import RESERVE
from autotuner.planning.knowledge import knowledge_of
from autotuner.planning.plan import Plan

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
    strategy = make_strategy(search_setup(run.plan, run.scorer))
    for experiment in run.ledger.experiments.values():
        if experiment.status in FINISHED:
            strategy.tell(Trial(placed(run.plan, experiment.parameters), outcome(experiment, run.scorer)))
    while (reason := _over(run) or await _satisfied(run, strategy)) is None:
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
    if run.plan.searched and isinstance(strategy, Explains):
        found = await asyncio.to_thread(strategy.report)
        run.observer.on_message(f"The search model: {described(found)}.")
    return reason


def search_setup(plan: Plan, scorer: Scorer) -> SearchSetup:
    """What the strategy of a planned task is made from."""
    knowledge = knowledge_of(plan, {rule.figure: rule.metric for rule in scorer.slo.rules})
    return SearchSetup(
        space=plan.space,
        directions=scorer.directions,
        seed=plan.document.optimization.seed,
        budget=plan.searched,
        default=plan.default,
        limits=tuple(
            Limit(
                rule.figure,
                violated_from=rule.fail_ratio if rule.hard_fail else None,
                weight=rule.weight,
                steepness=scorer.slo.steepness,
            )
            for rule in scorer.slo.rules
        ),
        priors=plan.priors,
        knowledge=knowledge,
        regret_tolerance=plan.document.optimization.regret_tolerance,
    )


def placed(plan: Plan, configuration: Configuration) -> Configuration:
    """A configuration with the engine's defaults in place of what it leaves open, as far as they are known."""
    if None not in configuration.values():
        return configuration
    values = plan.resolver.values(configuration)
    return {name: values.get(name) if value is None else value for name, value in configuration.items()}


async def _satisfied(run: Run, strategy: SearchStrategy) -> str | None:
    """Why the strategy itself sees no need to go on; asked only where the task has a tolerance."""
    if run.plan.document.optimization.regret_tolerance is None or not isinstance(strategy, Explains):
        return None
    return (await asyncio.to_thread(strategy.report)).stop


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


def described(report: SearchReport) -> str:
    """What a strategy believes, in words."""
    parts = []
    if report.expected_regret is not None:
        better = 100 * report.expected_regret
        parts.append(f"the best there is is expected to be {better:.2g} % better than the best found")
    parts += [f"{name} has a weight of {weight:.0%}" for name, weight in report.priors.items()]
    return ", ".join(parts) if parts else "nothing is known yet"

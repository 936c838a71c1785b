"""What a search knows beforehand beside the engine: a table in a file, and outcomes of earlier tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import OutcomeKind, Prior, Trial
from autotuner.contracts.store import Store, TaskRecord
from autotuner.contracts.values import Scalar
from autotuner.coordinator.experiments import outcome
from autotuner.coordinator.ledger import FINISHED, Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.searching import placed, search_setup
from autotuner.planning.plan import Plan
from autotuner.planning.predictions import PLACE, TablePrior, read_table

_LARGEST = 64 * 2**20


def with_predictions(plan: Plan) -> Plan:
    """The plan with what its document's table predicts. AutotunerError: MISSING_FILE, INVALID_DOCUMENT."""
    asked = plan.document.optimization.predictions
    if asked is None:
        return plan
    path = Path(asked).expanduser()
    try:
        if path.stat().st_size > _LARGEST:
            raise OSError("it is larger than 64 MiB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            f"the predictions {asked} cannot be read",
            why=(error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8 text",
            remedy="Give a CSV file; a relative path counts from the current folder",
            place=PLACE,
        ) from error

    def canonical(column: str) -> str | None:
        found = plan.resolver.engine.catalogue.find(column)
        return None if found is None else found.name

    table = read_table(text, name=path.name, canonical=canonical)
    scorer = Scorer.of(plan)
    prior = TablePrior(
        table,
        values=plan.resolver.values,
        gpus=plan.resolver.gpus,
        objectives=plan.document.optimization.objectives,
        limits={rule.figure: (rule.metric, rule.threshold) for rule in scorer.slo.rules},
    )
    return replace(plan, priors=(*plan.priors, prior))


async def earlier_priors(store: Store, plan: Plan, task: TaskRecord) -> tuple[Prior, ...]:
    """The outcomes of the tasks that a document names, under its own objectives and limits.

    AutotunerError: UNKNOWN_NAME for a task that is not there, CONTRADICTION for one of another engine or the task
    itself.
    """
    return tuple([await _earlier(store, plan, task, name) for name in plan.document.optimization.warm_start])


async def _earlier(store: Store, plan: Plan, task: TaskRecord, name: str) -> Prior:
    from autotuner.search.bayesian.earlier import EarlierOutcomes  # numpy and scipy: half a second

    found = await store.find_task(name)
    if found is None:
        raise AutotunerError(
            ErrorCode.UNKNOWN_NAME,
            f"there is no task {name!r} to learn from",
            why="optimization.warm_start names earlier tasks of this store",
            remedy="`autotuner task list` shows them",
            place="optimization.warm_start",
        )
    if found.id == task.id:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            f"the task {name!r} cannot learn from itself before it has begun",
            why="its own outcomes are told to its search anyway",
            remedy="Leave it out of optimization.warm_start",
            place="optimization.warm_start",
        )
    ledger = await Ledger.read(store, found.id)
    scorer = Scorer.of(plan)
    scorer.settle_from(ledger)
    setup = search_setup(plan, scorer)
    trials = []
    for experiment in ledger.experiments.values():
        if experiment.status in FINISHED:
            told = outcome(experiment, scorer)
            crashed = told.kind is OutcomeKind.INFEASIBLE and "crash" in told.constraints
            if told.observations or crashed:
                given = {**_fixed(found), **experiment.parameters}
                here = {d.name: given.get(d.name) for d in plan.space.dimensions}
                trials.append(Trial(placed(plan, here), told))
    return EarlierOutcomes(f"task {name}", plan.space.dimensions, trials, setup.directions, setup.limits)


def _fixed(task: TaskRecord) -> dict[str, Scalar]:
    """Parameters that an earlier task did not search, as its document gives them."""
    parameters = task.document.get("parameters")
    if not isinstance(parameters, dict):
        return {}
    return {name: value for name, value in parameters.items() if isinstance(value, str | int | float | bool)}

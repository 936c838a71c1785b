"""A plan as data for displays: what is searched, what is measured anyway, how much and how long."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from pydantic import Field

from autotuner.config.document import TaskDocument
from autotuner.config.layers import values_by_place
from autotuner.config.load import to_data
from autotuner.contracts.attempt import Command, CoreSplit, PhaseBudgets
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.load_search import LoadSearch
from autotuner.contracts.quality import BASELINE_PASSES
from autotuner.contracts.values import Configuration, Frozen, Scalar
from autotuner.contracts.workload import Dataset, Workload
from autotuner.coordinator.scorer import Scorer
from autotuner.engines.installed import version_warning
from autotuner.planning.hardware import describe
from autotuner.planning.knowledge import NAME as KNOWLEDGE
from autotuner.planning.knowledge import searched_quantities
from autotuner.planning.plan import Plan, PlannedExperiment
from autotuner.planning.planner import expected_windows
from autotuner.planning.predictions import TablePrior
from autotuner.planning.provenance import DERIVED, ENGINE_DEFAULT
from autotuner.presets.layering import LAYER
from autotuner.search.registry import STRATEGIES
from autotuner.services.planning import check_ready

LOOKED_AT = 200
"""Configurations of which the number of GPUs is asked."""


class PlannedParameter(Frozen):
    """One parameter and where its value comes from."""

    name: str = Field(description="canonical name")
    value: object = Field(description="the value, or the list or range that is searched, as in the document")
    origin: str = Field(
        description="searched, fixed (in the document), engine default, or from and the settings that it follows from"
    )
    default: Scalar = Field(description="the engine's own; null: it decides at start")
    layer: str = Field(
        "document",
        description="what gave the value: document, a layer that was merged below it, derived, engine default",
    )


class PlannedLayer(Frozen):
    """What was merged below the document."""

    name: str = Field(description="such as profile:balanced:balanced-params")
    keys: dict[str, object] = Field(
        description="key path → value that it gave; keys that a stronger one set are not here"
    )


class PlannedCommand(Frozen):
    """A configuration and the command that it becomes."""

    label: str = Field(description="what it is: the baseline, a reference, one of those searched")
    parameters: dict[str, Scalar] = Field(description="values of the searched parameters")
    command: Command = Field(description="how the server is started")
    layout: str = Field("", description="how the server is spread over GPUs; empty: not known")
    gpus: int | None = Field(None, description="GPUs that one server takes; null: none, or not known")
    remarks: tuple[str, ...] = Field((), description="what is known of it beforehand, such as its memory")


class PlanCounts(Frozen):
    """How many configurations there are."""

    combinations: int | None = Field(description="before constraints; null with a continuous parameter")
    valid: int | None = Field(description="that break no constraint; null with a continuous parameter")
    distinct: int | None = Field(description="that also differ in what is launched")
    exact: bool = Field(description="false: valid and distinct are estimates")
    excluded: dict[str, int] = Field(description="reason → combinations")


class PlannedRuns(Frozen):
    """Which experiments there will be, and how many server starts."""

    baseline: bool = Field(description="whether the baseline is measured")
    references: tuple[str, ...] = Field(description="labels of further configurations that are measured for comparison")
    searched: int = Field(description="most configurations of the search")
    finalists: int = Field(description="how many are confirmed")
    confirm_starts: int = Field(description="least, of each finalist and of the baseline")
    confirm_most: int = Field(description="most, while a verdict is not clear")
    starts: int = Field(description="all server starts, with the least of the confirmation")
    most_starts: int = Field(description="with the most of them")


class PlannedPrior(Frozen):
    """What the search knows beforehand."""

    name: str = Field(description="such as engine knowledge, or the name of a file or an earlier task")
    says: str = Field(description="of what it says something, a clause")


class PlannedGuard(Frozen):
    """What the quality guard asks, and what that costs."""

    prompts: int = Field(description="how many prompts are asked")
    output_tokens: int = Field(description="of each answer")
    baseline_passes: int = Field(description="passes over the prompts at the baseline; every other configuration: one")
    least_agreement: float | None = Field(description="as the document has it, share; null: no limit")
    greatest_distance: float | None = Field(description="as the document has it, nats; null: no limit")


class PlanSummary(Frozen):
    """What a task would do."""

    task_name: str = Field(description="name of the task")
    engine: str = Field(description="inference engine")
    engine_version: str | None = Field(description="null: it cannot be started here")
    predicted: bool = Field(description="figures are predictions; nothing is started")
    deployment: str = Field(description="how the server runs")
    endpoint_url: str | None = Field(description="address of the running server that is measured; null: one is started")
    client: str = Field(description="benchmark client")
    models: tuple[str, ...] = Field(description="names or paths of the models to choose from")
    objective_label: str = Field(description="what is optimised, for people")
    unit: str = Field(description="of the objective; empty: it has none")
    strategy: str = Field(description="how the space is searched")
    priors: tuple[PlannedPrior, ...] = Field(
        (), description="what the search knows beforehand; each loses its weight where measurements contradict it"
    )
    slo_sentences: tuple[str, ...] = Field(description="the limits, one sentence each")
    parameters: tuple[PlannedParameter, ...] = Field(description="each parameter with where its value comes from")
    counts: PlanCounts
    runs: PlannedRuns
    load_points: tuple[str, ...] = Field(description="names of the loads that are measured")
    load_search: LoadSearch | None = Field(description="how the load is searched; null: the load points are measured")
    load_per: str = Field(description="what loads are given for: server, gpu or node")
    usual_probes: int | None = Field(description="measurements that the search usually takes in a start")
    arrivals: str | None = Field(description="when requests of an open loop start; null: there is none")
    dataset: Dataset | None = Field(description="file of the requests; null: they are generated")
    scored_at: tuple[str, ...] = Field(description="names of the load points that the score is of")
    repeats: int = Field(description="measurements of each load point in one start")
    window_s: float = Field(description="greatest length of one measurement, seconds")
    cores: CoreSplit
    budgets: PhaseBudgets
    quality: PlannedGuard | None = Field(description="null: answers are not compared")
    quality_reason: str = Field(description="why they are, or why not")
    wall_clock_s: float | None = Field(description="limit on the whole run, seconds; null: none")
    commands: tuple[PlannedCommand, ...] = Field(description="the server's commands, of the first configurations")
    estimate_s: float = Field(description="with the least starts of the confirmation, seconds")
    most_s: float = Field(description="with the most of them, seconds")
    confirm_s: tuple[float, float] = Field(description="least and most time of the confirmation, seconds")
    gpus: tuple[int, int] | None = Field(
        None, description="least and most GPUs that one server takes, of the first configurations; null: none"
    )
    price: tuple[float, float] | None = Field(
        None,
        description="least and most price of the estimated times, currency of price_per_gpu_hour; null: none",
    )
    hardware: str = Field("", description="what the document says of the GPUs, and what is known of their kind")
    layers: tuple[PlannedLayer, ...] = Field(
        (), description="what was merged below the document, the weakest first, and the keys that each of them set"
    )
    warnings: tuple[str, ...] = Field(description="whole sentences")


def summarise_plan(plan: Plan, *, commands: int) -> PlanSummary:
    """The summary with the first so many commands. An engine that can't be started here is a warning in it."""
    warnings = [*plan.warnings, *_unused_priors(plan)]
    version: str | None = None
    try:
        version = check_ready(plan)
        warnings += filter(None, [version_warning(plan.resolver.engine.catalogue, version)])
    except AutotunerError as error:
        warnings.append(f"it cannot run here: {error}")
    scorer = Scorer.of(plan)
    optimization = plan.document.optimization
    gpus = _gpus(plan)
    return PlanSummary(
        task_name=plan.task_name,
        engine=plan.engine,
        engine_version=version,
        predicted=plan.predicted,
        deployment=plan.deployment,
        endpoint_url=plan.endpoint_url,
        client=plan.client,
        models=tuple(model.name for model in plan.resolver.models),
        objective_label=_objective(plan, scorer)[0],
        unit=_objective(plan, scorer)[1],
        strategy=optimization.strategy,
        priors=_priors(plan),
        slo_sentences=tuple(
            f"{rule.label} ≤ {rule.text(rule.threshold)}" + (" (hard)" if rule.hard_fail else "")
            for rule in scorer.slo.rules
        ),
        parameters=_parameters(plan),
        counts=PlanCounts(
            combinations=plan.count.combinations,
            valid=plan.count.valid,
            distinct=plan.count.distinct,
            exact=plan.count.exact,
            excluded=dict(plan.count.excluded),
        ),
        runs=PlannedRuns(
            baseline=plan.baseline is not None,
            references=tuple(reference.label for reference in plan.references),
            searched=plan.searched,
            finalists=plan.confirm_top_k,
            confirm_starts=plan.confirm_starts,
            confirm_most=plan.confirm_most,
            starts=plan.planned_starts,
            most_starts=plan.estimate.most_starts,
        ),
        load_points=tuple(point.name for point in plan.workload.load_points),
        load_search=plan.workload.load_search,
        load_per=plan.fair_load.per,
        usual_probes=None if plan.workload.load_search is None else expected_windows(plan.workload),
        arrivals=_arrivals(plan.workload),
        dataset=plan.workload.dataset,
        scored_at=plan.scored_at,
        repeats=plan.workload.repeats,
        window_s=plan.workload.limits.window_s,
        cores=plan.cores,
        budgets=plan.budgets,
        quality=_guard(plan),
        quality_reason=plan.quality_reason,
        wall_clock_s=optimization.budget.wall_clock_s,
        commands=() if plan.endpoint_url is not None else tuple(itertools.islice(_commands(plan), commands)),
        estimate_s=plan.estimate.total_s,
        most_s=plan.estimate.most_s,
        confirm_s=_confirm_s(plan),
        gpus=gpus,
        price=_price(plan, gpus),
        hardware=describe(plan.document.system_config),
        layers=_layers(plan.document),
        warnings=tuple(warnings),
    )


def _priors(plan: Plan) -> tuple[PlannedPrior, ...]:
    optimization = plan.document.optimization
    if not plan.searched or not _uses_priors(optimization.strategy):
        return ()
    found = []
    known = searched_quantities(plan)
    if known:
        says = f"small rules on what {', '.join(known)} do to throughput, TTFT and TPOT"
        found.append(PlannedPrior(name=KNOWLEDGE, says=says))
    for table in plan.priors:
        says = table.described if isinstance(table, TablePrior) else "predictions"
        found.append(PlannedPrior(name=table.name, says=says))
    found += [
        PlannedPrior(name=f"task {name}", says="its outcomes, read when the search begins")
        for name in optimization.warm_start
    ]
    return tuple(found)


def _uses_priors(strategy: str) -> bool:
    return STRATEGIES.resolve(strategy) == STRATEGIES.preferred


def _unused_priors(plan: Plan) -> list[str]:
    optimization = plan.document.optimization
    given = [n for n in ("predictions", "warm_start", "regret_tolerance") if getattr(optimization, n)]
    if not given or _uses_priors(optimization.strategy):
        return []
    named = " and ".join(f"optimization.{name}" for name in given)
    return [f"{named} {'say' if len(given) > 1 else 'says'} nothing to the strategy {optimization.strategy}"]


def _layers(document: TaskDocument) -> tuple[PlannedLayer, ...]:
    if document.assembled is None:
        return ()
    values = values_by_place(to_data(document))
    names = dict.fromkeys([layer.name for layer in document.assembled.layers])
    keys: dict[str, dict[str, object]] = {name: {} for name in names}
    for place, name in document.assembled.origins.items():
        keys.setdefault(name, {})[place] = values.get(place)
    # What several presets give together is one layer, beside which those that give nothing alone say nothing.
    together = {
        LAYER + slug
        for name in keys
        if "+" in name and name.startswith(LAYER)
        for slug in name[len(LAYER) :].split("+")
    }
    return tuple(PlannedLayer(name=name, keys=found) for name, found in keys.items() if found or name not in together)


def _gpus(plan: Plan) -> tuple[int, int] | None:
    """Least and most GPUs of a server. Each costs a look, so not all of a large space are looked at."""
    planned = [one.configuration for one in (plan.baseline, *plan.references) if one is not None]
    searched = itertools.islice(_candidates(plan), LOOKED_AT) if plan.searched else ()
    sizes = {size for one in (*planned, *searched) if (size := plan.resolver.world_size(one)) is not None}
    return (min(sizes), max(sizes)) if sizes else None


def _price(plan: Plan, gpus: tuple[int, int] | None) -> tuple[float, float] | None:
    """GPUs × estimated hours × price of one GPU for an hour."""
    per_hour = plan.document.optimization.price_per_gpu_hour
    if per_hour is None or gpus is None:
        return None
    return gpus[0] * plan.estimate.total_s / 3600 * per_hour, gpus[1] * plan.estimate.most_s / 3600 * per_hour


def _confirm_s(plan: Plan) -> tuple[float, float]:
    everything = plan.confirm_top_k + 1
    per_start_s = plan.estimate.per_start_s
    return everything * plan.confirm_starts * per_start_s, everything * plan.confirm_most * per_start_s


def _guard(plan: Plan) -> PlannedGuard | None:
    if plan.quality is None:
        return None
    limit = plan.document.quality.limit
    return PlannedGuard(
        prompts=plan.quality.prompts.prompts,
        output_tokens=plan.quality.output_tokens,
        baseline_passes=len(BASELINE_PASSES),
        least_agreement=limit.agreement if limit is not None else None,
        greatest_distance=limit.distance if limit is not None else None,
    )


def _arrivals(workload: Workload) -> str | None:
    if any(point.replay_speed is not None for point in workload.load_points):
        return "at the dataset's timestamps"
    if all(point.concurrency is not None for point in workload.load_points):
        return None
    if workload.arrival == "gamma":
        return f"gamma with burstiness {workload.burstiness:g}"
    return workload.arrival


def _objective(plan: Plan, scorer: Scorer) -> tuple[str, str]:
    try:
        first = scorer.objectives[0]
    except AutotunerError:  # one that needs the baseline's figures first
        return plan.document.optimization.objectives[0].replace("_", " "), ""
    return first.label, first.unit


def _parameters(plan: Plan) -> tuple[PlannedParameter, ...]:
    catalogue, neutral = plan.resolver.engine.catalogue, plan.resolver.neutral
    made: list[PlannedParameter] = []
    for name, provenance in plan.provenance.items():
        setting = None if neutral is None else neutral.known(name)
        known = catalogue.find(name) if setting is None else setting
        given = provenance.layer not in (ENGINE_DEFAULT, DERIVED)
        origin = "searched" if provenance.searched else "fixed" if given else provenance.layer
        if provenance.source:
            origin = f"from {provenance.source}"
        made.append(
            PlannedParameter(
                name=name,
                value=provenance.value,
                origin=origin,
                default=known.default if known is not None else None,
                layer=provenance.layer,
            )
        )
    return tuple(made)


def _commands(plan: Plan) -> Iterator[PlannedCommand]:
    """Those of the planned experiments, then of the space: in its order, or by chance when it has no end."""
    planned: list[PlannedExperiment] = [*([plan.baseline] if plan.baseline else []), *plan.references]
    seen: set[str] = set()
    for experiment in planned:
        seen.add(experiment.identity)
        yield _command(plan, experiment.label, experiment.configuration)
    if not plan.searched:
        return
    for configuration in _candidates(plan):
        identity = plan.space.identity(configuration)
        if identity not in seen:
            seen.add(identity)
            yield _command(plan, "one of those searched", configuration)


def _candidates(plan: Plan) -> Iterator[Configuration]:
    if plan.space.grid_size is not None and plan.count.distinct is not None and plan.count.exact:
        yield from plan.space.enumerate()
        return
    rng = random.Random(plan.document.optimization.seed)
    for _ in range(1000):
        configuration = plan.space.sample(rng)
        if configuration is None:
            return
        yield configuration


def _command(plan: Plan, label: str, configuration: Configuration) -> PlannedCommand:
    resolver = plan.resolver
    return PlannedCommand(
        label=label,
        parameters=dict(configuration),
        command=resolver.command(configuration),
        layout=resolver.summary(configuration),
        gpus=resolver.world_size(configuration),
        remarks=tuple(remark.sentence for remark in resolver.remarks(configuration)),
    )

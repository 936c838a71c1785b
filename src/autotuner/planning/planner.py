"""Makes a plan from a task document, an engine and what is known of the models and the host. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autotuner.config.document import TaskDocument
from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange
from autotuner.config.search_checks import goodput_warnings
from autotuner.config.workload import arrival, limits, load_points, load_search, phase_budgets, scored_points
from autotuner.contracts.attempt import CoreSplit
from autotuner.contracts.engine import Catalogue, Engine, PlanContext, Runtime
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import PRESET
from autotuner.contracts.quality import PromptSet
from autotuner.contracts.search import RandomSource
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import MODEL_KEY, Configuration, Scalar
from autotuner.contracts.workload import Dataset, LoadPoint, Workload
from autotuner.planning.confirmation import ConfirmationPlan, plan_confirmation
from autotuner.planning.cores import split_cores
from autotuner.planning.dimensions import AnyDimension, FloatDimension, IntDimension, choices
from autotuner.planning.doubts import doubts
from autotuner.planning.fair_load import fair_load
from autotuner.planning.listing import Between
from autotuner.planning.neutral import Neutral
from autotuner.planning.parameters import Given, check_extra_args, read_parameters, read_reference
from autotuner.planning.plan import Estimate, Plan, PlannedExperiment
from autotuner.planning.preset_rules import preset_rules
from autotuner.planning.provenance import provenance, setting_notes
from autotuner.planning.quality import probe_seconds, quality_probe
from autotuner.planning.resolve import ENV_PREFIX, ModelFile, Resolver, env_text
from autotuner.planning.settings import read_settings
from autotuner.planning.space import EXACT_LIMIT, Count, ParameterSpace

BASELINE = "baseline"
"""Label of the baseline; no reference has it."""

SHOWN_REASONS = 5
"""Reasons that the refusal of an empty space names."""

DRAIN_S = 1.0
"""Typical time for the last requests of a window to finish, seconds."""


PREDICTED_START_S = 0.02
"""What a start costs when figures are looked up in a table, seconds."""

TYPICAL_PROBES = 10
"""Measurements that a search for a load usually takes (benchmarks/load_search.py)."""

WEIGHT_FILES = frozenset({"gguf", "safetensors", "bin", "pt", "pth", "onnx"})
"""File types of weights; any other text behind a dot belongs to the model's name (0.6B)."""


@dataclass(frozen=True)
class HostFacts:
    """What the planner must know of the host that will run the attempts."""

    cores: tuple[int, ...]
    """Core numbers that this process may use."""
    gpus: int | None = None
    """None, or none found: unknown."""
    cpu_features: frozenset[str] = frozenset()
    """Instruction sets of its CPU; empty: unknown."""


def make_plan(
    document: TaskDocument,
    *,
    engine: Engine,
    models: Sequence[ModelFile],
    host: HostFacts,
    rng: RandomSource,
    start_s: float | None = None,
    dataset: Dataset | None = None,
    prompts: PromptSet | None = None,
    cpu_build: bool = False,
) -> Plan:
    """Plan a task.

    ``models``: the model files of the document, in its order. ``rng`` is used only to estimate the size of huge spaces.
    ``start_s``: seconds that a start takes besides its windows, if known from earlier ones; None: the engine's typical
    ones. ``dataset``: what the document's dataset holds. ``prompts``: what a quality guard would ask; None: there is
    none. ``cpu_build``: whether the installed engine computes on the CPU. Raises AutotunerError: UNKNOWN_PARAMETER,
    INVALID_VALUE, CONTRADICTION, UNSUPPORTED, EMPTY_SPACE.
    """
    models = tuple(models)
    neutral = Neutral(engine.neutral, engine.catalogue)
    given = read_parameters(document, engine.catalogue, neutral)
    check_extra_args(document, engine.catalogue)
    asked = [
        read_reference(document, number, reference, engine.catalogue, neutral, models)
        for number, reference in enumerate(document.optimization.references)
    ]
    points = load_points(document)
    _check_predicted(engine, points)
    cores = _cores(document, engine, host)
    flags = {name: g.flag for values in (*(flags for flags, _ in asked), given) for name, g in _unknown(values)}
    longest = max(point.traffic.longest_request for point in points)
    if dataset is not None:
        longest = max(longest, dataset.longest_request)
    context = replace(_context(document, engine, models, host, cores, longest), cpu_build=cpu_build)
    if cpu_build:
        context = replace(context, total_gpus=None, cpu_features=host.cpu_features)
    contexts = [replace(context, model=model.name, model_config=model.facts) for model in models]
    structured = read_settings(document, given, neutral, engine.catalogue, contexts)
    given = {**given, **structured.given}
    quality, quality_reason = quality_probe(document, engine, given, asked, prompts, neutral.known)
    if quality is not None:
        context = replace(context, longest_request=max(longest, quality.prompts.longest_request))
    resolver = _resolver(document, engine, models, context, given, flags, neutral)
    dimensions = make_dimensions(document, given, models)
    useful = [rule for rule in engine.rules if rule.applies is None or any(map(rule.applies, contexts))]
    of_presets = preset_rules(document.assembled.rules if document.assembled else (), engine.catalogue, neutral)
    resolver = replace(resolver, rules=neutral.rules(useful, given))
    # What presets forbid is no configuration of the search; the baseline and the references are what they are.
    searching = replace(resolver, rules=neutral.rules([*useful, *of_presets], given)) if of_presets else resolver
    space = ParameterSpace(
        dimensions,
        rules=searching.rules or (),
        check=searching.check,
        identify=searching.identity,
        between=Between(searching.inputs, searching.broken),
    )
    count = space.count(rng)
    if count.empty:
        raise _empty(count)
    notes = setting_notes(given, dimensions, resolver)
    assembled = document.assembled.notes if document.assembled is not None else ()
    warnings = [*assembled, *([cores.note] if cores.note else []), *structured.notes, *notes]
    default = _default_configuration(dimensions, engine.catalogue, neutral, models)
    baseline = None
    if document.optimization.baseline:
        broken = resolver.check(None, default)
        if broken is None:
            baseline = PlannedExperiment(ExperimentOrigin.BASELINE, BASELINE, default, resolver.identity(default))
        else:
            warnings.append(f"the engine's default cannot be the baseline ({broken}), so no gain will be claimed")
    changes = [{**{name: _value(g) for name, g in flags.items()}, **own} for flags, own in asked]
    references = _references(document, changes, resolver, default)
    experiments = (*([baseline] if baseline else ()), *references)
    warnings += doubts(space, experiments, resolver, rng)
    fair, unfair = fair_load(
        document.benchmark.load_per, resolver, dimensions, [experiment.configuration for experiment in experiments]
    )
    warnings += [*([unfair] if unfair is not None else []), *goodput_warnings(document)]
    planned = {experiment.identity: experiment.label for experiment in reversed(experiments)}
    warnings += [
        f"the references {p.label!r} and {planned[p.identity]!r} are one configuration, which is measured once"
        if planned[p.identity] != BASELINE
        else f"the reference {p.label!r} is the baseline, which is measured once"
        for p in references
        if planned[p.identity] != p.label
    ]
    searched = _searched(document.optimization.max_iterations, space, count, experiments)
    workload = Workload(
        load_points=points,
        load_search=load_search(document),
        limits=limits(document),
        repeats=document.benchmark.repeats,
        arrival=arrival(document),
        burstiness=document.benchmark.burstiness or 1.0,
        api=document.benchmark.api or "completions",
        dataset=dataset,
        seed=document.optimization.seed,
        client_processes=document.benchmark.client_processes,
        # What the user writes wins over what makes the engine keep the length of answers.
        request_body={**engine.request_body, **document.benchmark.additional_params},
    )
    usual_s = engine.typical_start_s if start_s is None else start_s
    per_start_s = _per_start(workload, usual_s, predicted=engine.predicted)
    before = len(planned) + searched
    answers_s = probe_seconds(quality, before)
    confirmation = plan_confirmation(
        document.optimization.confirm,
        others=before - 1 if baseline is not None else 0,
        wall_clock_s=document.optimization.budget.wall_clock_s,
        search_s=before * per_start_s + answers_s,
        per_start_s=per_start_s,
    )
    warnings += [confirmation.note] if confirmation.note is not None else []
    return Plan(
        document=document,
        task_name=document.task_name or "task",
        engine=engine.name,
        deployment=engine.own_deployment or document.deployment_mode,
        client=engine.own_client or document.benchmark.engine,
        predicted=engine.predicted,
        resolver=resolver,
        space=space,
        count=count,
        baseline=baseline,
        references=references,
        searched=searched,
        confirm_top_k=confirmation.finalists,
        confirm_starts=confirmation.least,
        confirm_most=confirmation.most,
        workload=workload,
        scored_at=scored_points(document),
        budgets=phase_budgets(document),
        cores=cores,
        gpu_count=resolver.context.total_gpus,
        endpoint_url=document.deployment.endpoint_url,
        server=engine.server,
        provenance=provenance(document, given, dimensions, engine.catalogue, models, resolver),
        estimate=_estimate(before, confirmation, per_start_s, answers_s),
        warnings=tuple(warnings),
        fair_load=fair,
        quality=quality,
        quality_reason=quality_reason,
        default=default if space.contains(default) and space.violation(default) is None else None,
    )


def _unknown(values: Mapping[str, Given]) -> list[tuple[str, Given]]:
    return [(name, given) for name, given in values.items() if given.known is None]


def _value(given: Given) -> Scalar:
    return given.spec.value if isinstance(given.spec, Fixed) else None


def _check_predicted(engine: Engine, points: Sequence[LoadPoint]) -> None:
    """Predictions are of requests that have nothing in common, at a concurrency."""
    unknown = next((p for p in points if not p.traffic.plain or p.concurrency is None), None)
    if engine.own_client is not None and unknown is not None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"there are no predictions for {unknown.name}",
            why=f"{engine.name} knows requests without a common beginning, history or file, at a concurrency",
            remedy="Use a scenario such as D(4000,500) with num_concurrency",
            place="benchmark",
        )


def _cores(document: TaskDocument, engine: Engine, host: HostFacts) -> CoreSplit:
    if engine.own_deployment is not None:
        return CoreSplit()
    runtime = document.runtime
    return split_cores(
        runtime.server_cores or (),
        runtime.client_cores or (),
        host.cores,
        server_here=not document.measures_endpoint,
    )


def _context(
    document: TaskDocument,
    engine: Engine,
    models: tuple[ModelFile, ...],
    host: HostFacts,
    cores: CoreSplit,
    longest_request: int,
) -> PlanContext:
    server_here = engine.own_deployment is None and not document.measures_endpoint
    of_server = host.cores if cores.server is None else cores.server
    # This host's GPUs say nothing of predictions or of somebody else's server; an empty inventory counts as unknown.
    found = (host.gpus or None) if server_here else None
    asked = document.system_config.total_gpus
    return PlanContext(
        model=models[0].name,
        longest_request=longest_request,
        cores=len(of_server) if server_here and of_server else None,
        total_gpus=found if asked is None else asked,
        gpu_type=document.system_config.gpu_type,
        gpu_memory_gb=document.system_config.memory_per_gpu,
        options=document.simulation.model_dump(mode="json", exclude_none=True) if document.simulation else {},
    )


def _resolver(
    document: TaskDocument,
    engine: Engine,
    models: tuple[ModelFile, ...],
    context: PlanContext,
    given: Mapping[str, Given],
    flags: Mapping[str, str],
    neutral: Neutral,
) -> Resolver:
    runtime = document.runtime
    served = models[0].name if document.measures_endpoint else _served_name(models[0].name)
    return Resolver(
        engine=engine,
        runtime=Runtime(
            python=runtime.python,
            command=runtime.command,
            launcher_prefix=runtime.launcher_prefix,
            env={
                name: env_text(spec.value)
                for name, spec in runtime.env.items()
                if isinstance(spec, Fixed) and spec.value is not None
            },
            extra_args=runtime.extra_args,
        ),
        models=models,
        served_name=document.model.served_name or served,
        context=context,
        fixed={name: g.spec.value for name, g in given.items() if isinstance(g.spec, Fixed)},
        flags=flags,
        neutral=neutral,
    )


def make_dimensions(
    document: TaskDocument, given: Mapping[str, Given], models: Sequence[ModelFile]
) -> list[AnyDimension]:
    """What is searched: several model files, then every parameter and environment variable with a list or a range.

    A list of one value counts: of what is searched the baseline has the engine's default, and values may be added to
    the list when the task is continued.
    """
    made: list[AnyDimension] = []
    if len(models) > 1:
        made.append(choices(MODEL_KEY, [model.name for model in models]))
    searched = {
        **{name: g.spec for name, g in given.items()},
        **{ENV_PREFIX + n: s for n, s in document.runtime.env.items()},
    }
    for name, spec in searched.items():
        known = given[name].known if name in given else None
        match spec:
            case Fixed():
                pass
            case Choices() if known is not None:
                made.append(choices(name, spec.values, ordered=known.ordered, order=known.choices))
            case Choices():
                made.append(choices(name, spec.values))
            case IntRange():
                made.append(IntDimension(name, spec.low, spec.high, spec.step, spec.log))
            case FloatRange():
                made.append(FloatDimension(name, spec.low, spec.high, spec.step, spec.log))
    return made


def _default_configuration(
    dimensions: Sequence[AnyDimension], catalogue: Catalogue, neutral: Neutral, models: Sequence[ModelFile]
) -> Configuration:
    """The engine's default for each searched parameter where the space has that value, else None, which means the same.

    The model is the first file; an environment variable is left out; of neutral settings those that change nothing.
    """
    defaults: dict[str, Scalar] = {parameter.name: parameter.default for parameter in catalogue.parameters}
    for dimension in dimensions:
        setting = neutral.known(dimension.name)
        if setting is not None:
            defaults[dimension.name] = setting.default
    defaults[MODEL_KEY] = models[0].name
    values: dict[str, Scalar] = {}
    for dimension in dimensions:
        default = defaults.get(dimension.name)
        try:
            dimension.unit(default)
        except ValueError:
            default = None
        values[dimension.name] = default
    return values


def _references(
    document: TaskDocument, changes: Sequence[Configuration], resolver: Resolver, default: Configuration
) -> tuple[PlannedExperiment, ...]:
    """The document's extra configurations: the baseline with some values changed."""
    planned: list[PlannedExperiment] = []
    labels = {BASELINE}
    for number, (reference, change) in enumerate(zip(document.optimization.references, changes, strict=True)):
        place = f"optimization.references.{number}"
        if reference.label in labels:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"two configurations are called {reference.label!r}",
                why="a report could not tell them apart",
                remedy="Rename the reference",
                place=f"{place}.label",
            )
        labels.add(reference.label)
        values = {**default, **_giving_way(default, change, resolver.neutral), **change}
        broken = resolver.check(None, values)
        if broken is not None:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"the reference {reference.label!r} cannot be launched",
                why=broken,
                remedy="Change its values, or leave it out",
                place=place,
            )
        planned.append(
            PlannedExperiment(ExperimentOrigin.REFERENCE, reference.label, values, resolver.identity(values))
        )
    return tuple(planned)


def _giving_way(default: Configuration, change: Configuration, neutral: Neutral | None) -> dict[str, Scalar]:
    """Where a change names a preset, the default of the other fields of its block gives way to it."""
    blocks = [] if neutral is None else [one for one in neutral.table.blocks if change.get(one.key(PRESET)) is not None]
    return {key: None for block in blocks for one in block.fields if (key := block.key(one.name)) in default}


def _searched(budget: int, space: ParameterSpace, count: Count, planned: Sequence[PlannedExperiment]) -> int:
    """Configurations that the search will propose: those planned anyway are measured once."""
    identities = {experiment.identity for experiment in planned}
    if count.distinct is None or count.distinct >= budget + len(identities):
        return budget
    if count.combinations is not None and count.combinations <= EXACT_LIMIT:
        return min(budget, sum(space.identity(others) not in identities for others in space.enumerate()))
    inside = {experiment.identity for experiment in planned if space.contains(experiment.configuration)}
    return max(0, min(budget, count.distinct - len(inside)))


def _empty(count: Count) -> AutotunerError:
    reasons = sorted(count.excluded.items(), key=lambda item: -item[1])
    shown = [f"{number} × {sentence}" for sentence, number in reasons[:SHOWN_REASONS]]
    if len(reasons) > SHOWN_REASONS:
        shown.append(f"{sum(number for _, number in reasons[SHOWN_REASONS:])} for other reasons")
    return AutotunerError(
        ErrorCode.EMPTY_SPACE,
        "no configuration of the search space can be launched",
        why=("" if count.exact else "none of many random ones can: ") + "; ".join(shown),
        remedy="Widen the values, or change what the reason names",
        place="parameters",
    )


def expected_windows(workload: Workload) -> int:
    """Windows of one start; of a search as many as it usually takes."""
    if workload.load_search is not None:
        return min(TYPICAL_PROBES, workload.load_search.probes)
    return len(workload.load_points) * workload.repeats


def _per_start(workload: Workload, start_s: float, *, predicted: bool) -> float:
    windows = expected_windows(workload)
    return PREDICTED_START_S if predicted else start_s + windows * (workload.limits.window_s + DRAIN_S)


def _estimate(before: int, confirmation: ConfirmationPlan, per_start_s: float, answers_s: float) -> Estimate:
    """``before``: starts before the confirmation."""
    return Estimate(
        per_start_s=per_start_s,
        starts=before + confirmation.least_starts,
        most_starts=before + confirmation.most_starts,
        answers_s=answers_s,
    )


def _served_name(model: str) -> str:
    """The name that requests use: the model's own, without folders and file type (``tiny:q8_0`` is served as tiny)."""
    name = model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].partition(":")[0]
    stem, _, kind = name.rpartition(".")
    return stem if stem and kind.lower() in WEIGHT_FILES else name

"""Makes a plan from a task document, an engine and what is known of the models and the host. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotuner.config.document import TaskDocument
from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, ParameterSpec, dump_spec
from autotuner.config.workload import arrival, limits, load_points, phase_budgets, scored_points
from autotuner.contracts.attempt import CoreSplit
from autotuner.contracts.engine import Catalogue, CatalogueParameter, Engine, PlanContext, Runtime, canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import RandomSource
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import MODEL_KEY, Configuration, Scalar
from autotuner.contracts.workload import Workload
from autotuner.planning.cores import split_cores
from autotuner.planning.dimensions import AnyDimension, FloatDimension, IntDimension, choices
from autotuner.planning.plan import Estimate, Plan, PlannedExperiment, Provenance
from autotuner.planning.resolve import ENV_PREFIX, ModelFile, Resolver, check_value, find_parameter
from autotuner.planning.space import Count, ParameterSpace

TYPICAL_START_S = 2.0
"""Deploy, load, warm-up and teardown, when nothing is known of earlier starts, seconds."""

DRAIN_S = 1.0
"""Typical time for the last requests of a window to finish, seconds."""


@dataclass(frozen=True)
class HostFacts:
    """What the planner must know of the host that will run the attempts."""

    cores: tuple[int, ...]
    """Core numbers that this process may use."""
    gpus: int | None = None
    """None: unknown."""


def make_plan(
    document: TaskDocument,
    *,
    engine: Engine,
    models: Sequence[ModelFile],
    host: HostFacts,
    rng: RandomSource,
    start_s: float = TYPICAL_START_S,
) -> Plan:
    """Plan a task.

    ``models``: the model files of the document, in its order. ``rng`` is used only to estimate the size of huge spaces.
    ``start_s``: seconds that a start takes besides its windows, if known from earlier ones.
    Raises AutotunerError: UNKNOWN_PARAMETER, INVALID_VALUE, CONTRADICTION, EMPTY_SPACE.
    """
    parameters = read_parameters(document, engine.catalogue)
    resolver, cores = _resolver(document, engine, models, host, parameters)
    dimensions = make_dimensions(document, parameters, models)
    space = ParameterSpace(dimensions, rules=engine.rules, check=resolver.check, identify=resolver.identity)
    count = space.count(rng)
    if count.empty:
        raise _empty(count)
    warnings = [cores.note] if cores.note else []
    default = _default_configuration(dimensions, engine.catalogue, models)
    baseline = None
    if document.optimization.baseline:
        broken = resolver.check(None, default)
        if broken is None:
            baseline = PlannedExperiment(ExperimentOrigin.BASELINE, "baseline", default, resolver.identity(default))
        else:
            warnings.append(f"the engine's default cannot be the baseline ({broken}), so no gain will be claimed")
    references = _references(document, engine.catalogue, resolver, default)
    searched = _searched(document, space, count, (*([baseline] if baseline else ()), *references))
    confirm = document.optimization.confirm
    finalists = min(confirm.top_k, searched) if baseline is not None and confirm.wanted else 0
    confirm_starts = confirm.starts if finalists else 0
    starts = (baseline is not None) + len(references) + searched + (finalists + 1) * confirm_starts
    workload = Workload(
        load_points=load_points(document),
        limits=limits(document),
        repeats=document.benchmark.repeats,
        arrival=arrival(document),
        seed=document.optimization.seed,
        request_body={**engine.request_body, **document.benchmark.additional_params},
    )
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
        confirm_top_k=finalists,
        confirm_starts=confirm_starts,
        workload=workload,
        scored_at=scored_points(document),
        budgets=phase_budgets(document),
        cores=cores,
        gpu_count=resolver.context.total_gpus,
        endpoint_url=document.deployment.endpoint_url,
        server=engine.server,
        provenance=_provenance(parameters, dimensions, engine.catalogue, models),
        estimate=_estimate(starts, workload, start_s, predicted=engine.predicted),
        warnings=tuple(warnings),
    )


def _resolver(
    document: TaskDocument,
    engine: Engine,
    models: Sequence[ModelFile],
    host: HostFacts,
    parameters: Mapping[str, tuple[ParameterSpec, CatalogueParameter | None]],
) -> tuple[Resolver, CoreSplit]:
    own = engine.own_deployment is not None
    runtime = document.runtime
    cores = (
        CoreSplit()
        if own
        else split_cores(
            runtime.server_cores or (),
            runtime.client_cores or (),
            host.cores,
            server_here=not document.measures_endpoint,
        )
    )
    context = PlanContext(
        model=models[0].name,
        longest_request=max(point.traffic.longest_request for point in load_points(document)),
        cores=len(cores.server) if cores.server is not None else len(host.cores),
        total_gpus=document.system_config.total_gpus or host.gpus,
        options=document.simulation.model_dump(mode="json", exclude_none=True) if document.simulation else {},
    )
    resolver = Resolver(
        engine=engine,
        runtime=Runtime(
            python=runtime.python,
            command=runtime.command,
            launcher_prefix=runtime.launcher_prefix,
            env={k: str(v.value) for k, v in runtime.env.items() if isinstance(v, Fixed) and v.value is not None},
            extra_args=runtime.extra_args,
        ),
        models=tuple(models),
        served_name=document.model.served_name or _served_name(models[0].name),
        context=context,
        fixed={name: spec.value for name, (spec, _) in parameters.items() if isinstance(spec, Fixed)},
        raw=frozenset(name for name, (_, known) in parameters.items() if known is None),
    )
    return resolver, cores


def read_parameters(
    document: TaskDocument, catalogue: Catalogue
) -> dict[str, tuple[ParameterSpec, CatalogueParameter | None]]:
    """The document's parameters by canonical name, checked against the catalogue (None: unknown but allowed)."""
    found: dict[str, tuple[ParameterSpec, CatalogueParameter | None]] = {}
    spelled: dict[str, str] = {}
    for spelling, spec in document.parameters.items():
        place = f"parameters.{spelling}"
        known = find_parameter(catalogue, spelling, place=place, allow_unknown=document.runtime.allow_unknown_flags)
        name = known.name if known else canonical(spelling)
        if name in found:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"{spelled[name]!r} and {spelling!r} are one parameter",
                why=f"both mean {name}",
                remedy="Keep one of them",
                place=place,
            )
        if known is not None:
            for value in _extremes(spec):
                check_value(known, value, place=place)
        found[name], spelled[name] = (spec, known), spelling
    return found


def make_dimensions(
    document: TaskDocument,
    parameters: Mapping[str, tuple[ParameterSpec, CatalogueParameter | None]],
    models: Sequence[ModelFile],
) -> list[AnyDimension]:
    """What is searched: model files, parameters and environment variables with more than one value."""
    made: list[AnyDimension] = []
    if len(models) > 1:
        made.append(choices(MODEL_KEY, [model.name for model in models], ordered=False))
    for name, (spec, known) in parameters.items():
        made += _dimension(name, spec, ordered=known is not None and known.ordered)
    for name, spec in document.runtime.env.items():
        made += _dimension(ENV_PREFIX + name, spec, ordered=False)
    return made


def _dimension(name: str, spec: ParameterSpec, *, ordered: bool) -> list[AnyDimension]:
    match spec:
        case Fixed():
            return []
        case Choices():
            return [choices(name, spec.values, ordered=ordered)]
        case IntRange():
            return [IntDimension(name, spec.low, spec.high, spec.step, spec.log)]
        case FloatRange():
            return [FloatDimension(name, spec.low, spec.high, spec.step, spec.log)]


def _extremes(spec: ParameterSpec) -> tuple[Scalar, ...]:
    match spec:
        case Fixed():
            return (spec.value,)
        case Choices():
            return spec.values
        case IntRange() | FloatRange():
            return (spec.low, spec.high)


def _default_configuration(
    dimensions: Sequence[AnyDimension], catalogue: Catalogue, models: Sequence[ModelFile]
) -> Configuration:
    """The engine's default for each searched parameter; None where the engine decides. The first model file."""
    values: dict[str, Scalar] = {}
    for dimension in dimensions:
        if dimension.name == MODEL_KEY:
            values[dimension.name] = models[0].name
        else:
            parameter = catalogue.find(dimension.name) if not dimension.name.startswith("__") else None
            values[dimension.name] = parameter.default if parameter else None
    return values


def _references(
    document: TaskDocument, catalogue: Catalogue, resolver: Resolver, default: Configuration
) -> tuple[PlannedExperiment, ...]:
    """The document's extra configurations: the baseline with some values changed."""
    planned: list[PlannedExperiment] = []
    for number, reference in enumerate(document.optimization.references):
        place = f"optimization.references.{number}"
        values = dict(default)
        for spelling, value in reference.parameters.items():
            if spelling == MODEL_KEY:
                values[MODEL_KEY] = value
                continue
            known = find_parameter(catalogue, spelling, place=place, allow_unknown=False)
            if known is not None:
                check_value(known, value, place=f"{place}.{spelling}")
                values[known.name] = value
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


def _searched(document: TaskDocument, space: ParameterSpace, count: Count, planned: Sequence[PlannedExperiment]) -> int:
    """Configurations that the search will propose: those planned anyway are measured once."""
    budget = document.optimization.max_iterations
    if count.distinct is None:
        return budget
    in_space = {p.identity for p in planned if space.contains(p.configuration)}
    return max(0, min(budget, count.distinct - len(in_space)))


def _empty(count: Count) -> AutotunerError:
    reasons = "; ".join(f"{number} × {sentence}" for sentence, number in count.excluded.items())
    return AutotunerError(
        ErrorCode.EMPTY_SPACE,
        "no configuration of the search space can be launched",
        why=reasons or "every combination breaks a rule of the engine",
        remedy="Widen the values, or change what the reason names",
        place="parameters",
    )


def _provenance(
    parameters: Mapping[str, tuple[ParameterSpec, CatalogueParameter | None]],
    dimensions: Sequence[AnyDimension],
    catalogue: Catalogue,
    models: Sequence[ModelFile],
) -> dict[str, Provenance]:
    searched = {dimension.name for dimension in dimensions}
    shown = {
        name: Provenance(dump_spec(spec), "document", searched=name in searched)
        for name, (spec, _) in parameters.items()
    }
    if MODEL_KEY in searched:
        shown = {MODEL_KEY: Provenance([model.name for model in models], "document", searched=True), **shown}
    for parameter in catalogue.parameters:
        if parameter.name not in shown:
            shown[parameter.name] = Provenance(parameter.default, "engine default")
    return shown


def _estimate(starts: int, workload: Workload, start_s: float, *, predicted: bool) -> Estimate:
    windows = len(workload.load_points) * workload.repeats
    per_start = 0.02 if predicted else start_s + windows * (workload.limits.window_s + DRAIN_S)
    return Estimate(per_start_s=per_start, starts=starts, total_s=per_start * starts)


def _served_name(model: str) -> str:
    """The name that requests use: the model's own, without folders and file type."""
    name = model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[0] if "." in name else name

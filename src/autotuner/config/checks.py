"""Contradictions: fields that are right each and wrong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from autotuner.config.benchmark import Benchmark
from autotuner.config.document import TaskDocument
from autotuner.config.parameters import Fixed, ParameterSpec, dump_spec
from autotuner.config.problems import Problem
from autotuner.config.scenario import DATASET, parse_traffic
from autotuner.config.search_checks import search_contradictions
from autotuner.config.structured import AGREEING, STRUCTURED, Setting, settings
from autotuner.config.workload import limits, load_points, load_search, scored_points
from autotuner.contracts.engine import canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.load_search import LoadSearch
from autotuner.contracts.values import canonical_json


def contradictions(document: TaskDocument) -> list[Problem]:
    """Everything in the document that cannot hold at once; empty for a document that can run."""
    return [
        *_model(document),
        *_endpoint(document),
        *_runtime(document),
        *_parameters(document),
        *_settings(document),
        *_load(document),
        *_optimization(document),
        *_slo(document),
        *_quality(document),
    ]


def _problem(place: str, why: str, remedy: str) -> Problem:
    return Problem(ErrorCode.CONTRADICTION, place, why, remedy)


def _model(document: TaskDocument) -> Iterator[Problem]:
    # Predictions bring their own model, and somebody else's server already has one.
    if not document.model.files and not document.measures_endpoint and document.simulation is None:
        yield Problem(
            ErrorCode.INVALID_VALUE,
            "model.id_or_path",
            "no model is named, so there is nothing to serve",
            "Give the model's name on the hub, or its path",
        )


def _endpoint(document: TaskDocument) -> Iterator[Problem]:
    url = document.deployment.endpoint_url
    if not document.measures_endpoint:
        if url is not None:
            yield _problem(
                "deployment.endpoint_url",
                f"a running server's address is given and deployment_mode is {document.deployment_mode}",
                "Set deployment_mode: endpoint, or leave the address out",
            )
        return
    if url is None:
        yield _problem(
            "deployment.endpoint_url",
            "deployment_mode is endpoint and no address is given",
            "Set deployment.endpoint_url, such as http://127.0.0.1:8000",
        )
    searched_env = [name for name, spec in document.runtime.env.items() if not isinstance(spec, Fixed)]
    set_here = {
        "presets": bool(document.presets),
        "parameters": bool(document.parameters),
        **{place: getattr(document, place) is not None for place in STRUCTURED},
        "runtime.env": bool(searched_env),
        "model.id_or_path": len(document.model.files) > 1,
        "optimization.references": any(r.parameters for r in document.optimization.references),
    }
    for place, given in set_here.items():
        if given:
            yield _problem(
                place,
                "in deployment_mode endpoint nothing is deployed, so there is nothing to set",
                "Leave it out, or choose a deployment_mode that starts the server",
            )


def _runtime(document: TaskDocument) -> Iterator[Problem]:
    runtime = document.runtime
    if runtime.python is not None and runtime.command is not None:
        yield _problem("runtime.command", "python and command both say what is started", "Keep one of them")
    shared = sorted(set(runtime.server_cores or ()) & set(runtime.client_cores or ()))
    if shared:
        yield _problem(
            "runtime.client_cores",
            f"core {shared[0]} is given to the server and to the client, which would disturb the measurement",
            "Give each its own cores, or leave both out",
        )


def _parameters(document: TaskDocument) -> Iterator[Problem]:
    yield from _spelled_twice("parameters", document.parameters)
    labels: set[str] = set()
    for index, reference in enumerate(document.optimization.references):
        place = f"optimization.references.{index}"
        yield from _spelled_twice(f"{place}.parameters", reference.parameters)
        if reference.label in labels:
            yield _problem(f"{place}.label", f"two references are called {reference.label!r}", "Rename one of them")
        labels.add(reference.label)


def _spelled_twice(place: str, names: Iterable[str]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(canonical(name), name)
        if other != name:
            yield _problem(f"{place}.{name}", f"{other} and {name} are one parameter", "Keep one of the spellings")


def _settings(document: TaskDocument) -> Iterator[Problem]:
    """One setting under two names, or in two blocks, must have one value."""
    first: dict[tuple[str, str], Setting] = {}
    for setting in settings(document):
        other = first.setdefault((setting.group, setting.name), setting)
        if dump_spec(other.spec) != dump_spec(setting.spec):
            yield _problem(
                setting.place,
                f"{other.place} ({_text(other.spec)}) and {setting.place} ({_text(setting.spec)}) are one setting",
                "Keep one of them",
            )
    adapter = document.quantization_config
    for field in AGREEING:
        spec = getattr(adapter, field, None)
        gemm = adapter.gemm_quant_mode if adapter is not None else None
        if spec is not None and (gemm is None or dump_spec(gemm) != dump_spec(spec)):
            said = "not given" if gemm is None else _text(gemm)
            yield _problem(
                f"quantization_config.{field}",
                f"it is {_text(spec)} and gemm_quant_mode is {said}: no engine sets them apart",
                "Set gemm_quant_mode to the same, or leave it out",
            )


def _text(spec: ParameterSpec) -> str:
    return canonical_json(dump_spec(spec))


def _load(document: TaskDocument) -> Iterator[Problem]:
    benchmark = document.benchmark
    broken = [*_dataset(benchmark), *(_levels(benchmark) if benchmark.profile == "levels" else _profile(benchmark))]
    broken += search_contradictions(document)
    yield from broken
    if broken:
        return
    yield from _arrival(benchmark)
    most = benchmark.max_requests_per_iteration
    if most is not None and benchmark.min_requests > most:
        yield _problem(
            "benchmark.min_requests",
            f"min_requests {benchmark.min_requests} is above max_requests_per_iteration {most}",
            "Lower the one or raise the other",
        )
    measure = limits(document)
    if measure.max_window_s < measure.window_s:
        yield _problem(
            "benchmark.max_window",
            f"max_window {measure.max_window_s:g} s is below max_time_per_iteration {measure.window_s:g} s",
            "Raise max_window or lower max_time_per_iteration",
        )
    yield from _points(document)


def _dataset(benchmark: Benchmark) -> Iterator[Problem]:
    scenarios = benchmark.traffic_scenarios
    drawing = [text for text in scenarios if parse_traffic(text).from_dataset]
    if benchmark.dataset is None:
        if drawing:
            yield _problem(
                "benchmark.dataset", f"the scenario {drawing[0]} needs a file of requests", "Set it to the file's path"
            )
        return
    if not drawing:
        yield _problem(
            "benchmark.traffic_scenarios",
            "a dataset is given and no scenario draws from it",
            "Add the scenario dataset, or leave benchmark.dataset out",
        )
    if benchmark.dataset.replay_speed and scenarios != (DATASET,):
        yield _problem(
            "benchmark.dataset.replay_speed",
            "only the dataset's own requests have times at which they can be replayed",
            "Set traffic_scenarios: dataset, or leave replay_speed out",
        )


def _levels(benchmark: Benchmark) -> Iterator[Problem]:
    loads = {
        "num_concurrency": benchmark.num_concurrency,
        "request_rates": benchmark.request_rates,
        "dataset.replay_speed": benchmark.dataset.replay_speed if benchmark.dataset is not None else (),
    }
    given = [name for name, values in loads.items() if values]
    if len(given) > 1:
        yield _problem(
            f"benchmark.{given[1]}",
            f"{' and '.join(given)} are both given, and a load point has one of them"
            if len(given) == 2
            else f"{', '.join(given)} are all given, and a load point has one of them",
            "Keep one of them",
        )
    if not given:
        yield _problem(
            "benchmark.num_concurrency",
            "num_concurrency and request_rates are both empty, so there is no load",
            "Give at least one of them a value",
        )
    if benchmark.max_concurrency is not None:
        yield _problem(
            "benchmark.max_concurrency",
            "it is for the profiles throughput and sweep, and the profile is levels",
            "Set num_concurrency, or another profile",
        )


def _profile(benchmark: Benchmark) -> Iterator[Problem]:
    speeds = benchmark.dataset.replay_speed if benchmark.dataset is not None else ()
    loads = {
        "num_concurrency": bool(benchmark.num_concurrency),
        "request_rates": bool(benchmark.request_rates),
        "dataset.replay_speed": bool(speeds),
        "max_concurrency": benchmark.profile in ("synchronous", "search") and benchmark.max_concurrency is not None,
        "load_per": benchmark.profile != "search" and benchmark.load_per is not None,
    }
    for name, given in loads.items():
        if given:
            yield _problem(
                f"benchmark.{name}",
                f"the profile {benchmark.profile} chooses the load itself",
                f"Leave {name} out, or set profile: levels",
            )


def _arrival(benchmark: Benchmark) -> Iterator[Problem]:
    if benchmark.profile == "search":
        by_rate = benchmark.arrival not in (None, "closed")
    else:
        by_rate = bool(benchmark.request_rates) or benchmark.profile == "sweep"
    if benchmark.dataset is not None and benchmark.dataset.replay_speed:
        if benchmark.arrival is not None:
            yield _problem("benchmark.arrival", "a replay has the times of its dataset", "Leave arrival out")
    elif benchmark.arrival is not None and (benchmark.arrival == "closed") == by_rate:
        right = "constant, poisson or gamma" if by_rate else "closed"
        load = "request_rates" if benchmark.request_rates else "num_concurrency"
        load = load if benchmark.profile == "levels" else f"the profile {benchmark.profile}"
        yield _problem("benchmark.arrival", f"{benchmark.arrival} does not go with {load}", f"Use {right}")
    if benchmark.burstiness is not None and benchmark.arrival != "gamma":
        yield _problem(
            "benchmark.burstiness", "only gamma arrivals have a burstiness", "Set arrival: gamma, or leave it out"
        )


def _points(document: TaskDocument) -> Iterator[Problem]:
    names = [point.name for point in load_points(document)]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        yield _problem("benchmark.request_rates", f"two load points are called {twice}", "Give rates further apart")
    try:
        scored_points(document)
    except AutotunerError as error:
        yield Problem(error.code, error.place or "optimization.score_at", error.why, error.remedy)
    search = load_search(document)
    windows = search.probes if search is not None else len(names) * document.benchmark.repeats
    if document.benchmark.max_requests_per_iteration is None:
        needed = windows * limits(document).window_s
        allowed = document.optimization.phase_budgets.measure
        if needed > allowed:
            yield _problem(
                "optimization.phase_budgets.measure",
                f"the windows of {_these_points(search, names)} take {needed:g} s, above the limit of {allowed:g} s",
                "Raise the limit, or measure fewer load points or for a shorter time",
            )


def _these_points(search: LoadSearch | None, names: list[str]) -> str:
    return f"{len(names)} load points" if search is None else f"{search.probes} probes"


def _optimization(document: TaskDocument) -> Iterator[Problem]:
    chosen = document.optimization
    if "balanced" in chosen.objectives:
        if not chosen.baseline:
            yield _problem(
                "optimization.baseline",
                "the objective balanced compares with the baseline, which is switched off",
                "Set baseline: true, or choose another objective",
            )
        if chosen.balance.latency + chosen.balance.throughput <= 0:
            yield _problem("optimization.balance", "both weights are 0", "Give at least one of them a weight")
    if "minimize_cost" in chosen.objectives and chosen.price_per_gpu_hour is None:
        yield _problem(
            "optimization.price_per_gpu_hour",
            "the objective minimize_cost needs the price of a GPU",
            "Set optimization.price_per_gpu_hour",
        )
    confirm = chosen.confirm
    if confirm.wanted and confirm.most < confirm.starts:
        yield _problem(
            "optimization.confirm.max_starts",
            f"at least {confirm.starts} starts are wanted and at most {confirm.most}",
            "Raise max_starts, or lower starts",
        )


def _slo(document: TaskDocument) -> Iterator[Problem]:
    for metric in ("ttft", "tpot", "latency"):
        targets = getattr(document.slo, metric)
        percentiles = [] if targets is None else [t for t in targets.given().items() if t[0] != "mean"]
        for (low, lower), (high, higher) in pairwise(percentiles):
            if lower.threshold > higher.threshold:
                yield _problem(
                    f"slo.{metric}.{low}.threshold",
                    f"{low} may take {lower.threshold:g} s and {high}, which is never less, {higher.threshold:g} s",
                    f"Swap the two, or leave {low} out",
                )


def _quality(document: TaskDocument) -> Iterator[Problem]:
    quality = document.quality
    place = "quality.limit" if quality.limit is not None else "quality.enabled"
    if quality.enabled is False:
        for name in ("prompts", "limit"):
            if getattr(quality, name) is not None:
                yield _problem(f"quality.{name}", "answers are not compared: enabled is false", "Leave one of them out")
    elif quality.enabled or quality.limit is not None:
        if document.measures_endpoint:
            yield _problem(
                place, "in deployment_mode endpoint there is one configuration, so nothing to compare", "Leave it out"
            )
        elif not document.optimization.baseline:
            yield _problem(
                place,
                "answers are compared with the baseline's, which is switched off",
                "Set optimization.baseline: true, or leave it out",
            )

"""From a document to a plan: looks up the engine, the models and the host, and lets the planner plan."""

from __future__ import annotations

import random
from contextlib import suppress

from autotuner.config.document import TaskDocument
from autotuner.contracts.engine import Engine, Runtime, RuntimeInfo
from autotuner.contracts.errors import AutotunerError
from autotuner.engines.registry import DEFAULT_ENGINE, engine_for_model
from autotuner.engines.registry import engine as engine_named
from autotuner.planning.plan import Plan
from autotuner.planning.planner import make_plan
from autotuner.quality.prompts import describe_prompts
from autotuner.search.registry import STRATEGIES
from autotuner.services.catalogues import shelf
from autotuner.services.clients import check_client, with_client
from autotuner.services.datasets import resolve_dataset
from autotuner.services.energy import check_energy
from autotuner.services.host import host_facts
from autotuner.services.models import resolve_models
from autotuner.services.plugins import InstalledPlugins
from autotuner.services.priors import with_predictions
from autotuner.services.settings import Settings


def engine_of(document: TaskDocument) -> Engine:
    """The engine that a document names, else the one for its model file, else the default."""
    if document.base_runtime is not None:
        return engine_named(document.base_runtime)
    if document.model.files:
        return engine_for_model(document.model.files[0])
    return engine_named(DEFAULT_ENGINE)


def installed_engine_of(document: TaskDocument, settings: Settings) -> tuple[Engine, RuntimeInfo]:
    """The same with the parameters of the version that the document's runtime has, learned ones before our own.

    Where no version can be told (nothing is installed, a command, somebody else's server), those of the newest.
    """
    engine = engine_of(document)
    info = RuntimeInfo(version="")
    held = shelf(settings)
    if engine.own_deployment is not None or engine.name not in held.engines():
        return engine, info
    if not document.measures_endpoint:
        runtime = document.runtime
        with suppress(AutotunerError):  # said when the task is to be started
            info = engine.check_runtime(Runtime(python=runtime.python, command=runtime.command))
    return engine.with_catalogue(held.nearest(engine.name, info.version)), info


def plan_document(document: TaskDocument, settings: Settings) -> Plan:
    """Plan a document on this host. Starts nothing, except that a generated model is made if it is not there yet.

    AutotunerError for unknown names, parameters, values, a missing model, dataset or prompts, an empty space, and
    UNSUPPORTED for a load that the benchmark client cannot produce.
    """
    if document.profiles or document.presets:
        raise ValueError("a document that names profiles or presets is assembled before it is planned")
    engine, info = installed_engine_of(document, settings)
    STRATEGIES.resolve(document.optimization.strategy)
    plugins = InstalledPlugins()
    plugins.deployment(engine.own_deployment or document.deployment_mode)
    client = plugins.client(engine.own_client or document.benchmark.engine)
    dataset = resolve_dataset(document)
    prompts = describe_prompts(document.quality.prompts)
    models = resolve_models(document, engine, settings)
    plan = make_plan(
        document,
        engine=engine,
        models=models,
        # Those of an engine that does not say how many it takes are no measure of anything.
        host=host_facts(gpus=engine.world_size({}) is not None),
        rng=random.Random(document.optimization.seed),
        dataset=dataset,
        prompts=prompts,
        cpu_build=info.cpu_build,
    )
    return with_client(with_predictions(plan), client, settings)


def check_ready(plan: Plan) -> str:
    """The version of the engine that would be started here.

    AutotunerError with the remedy when there is none, or not the benchmark client, or when the objective needs what
    cannot be measured here.
    """
    check_client(plan)
    check_energy(plan)
    if plan.endpoint_url is not None:
        return ""
    return plan.resolver.engine.check_runtime(plan.resolver.runtime).version

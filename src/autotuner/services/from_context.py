"""A task from a few facts: the model, the engine, and profiles for the purpose."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError

from autotuner.config.block import Block
from autotuner.config.document import TaskDocument
from autotuner.config.layers import Layer
from autotuner.config.load import check_part, problems_of
from autotuner.config.problems import DocumentError, Problem, nearest
from autotuner.contracts.errors import ErrorCode
from autotuner.presets.layering import NO_PRESETS, Chosen
from autotuner.services.layering import BASE, Parts, assemble_document
from autotuner.services.planning import engine_of
from autotuner.services.profiles import ProfileBook
from autotuner.services.settings import Settings

REQUEST = "request"
"""Layer of what the request itself says."""

LOCAL, IN_A_CONTAINER = "local", "docker"
"""Deployment modes of an engine that takes no GPUs, and of one that does."""

Name = Annotated[str, Field(min_length=1)]


class ContextRequest(Block):
    """What a task is made from. What is not given is left to weaker layers, or to the engine."""

    task_name: Name | None = Field(None, description="unique name of the task; default: <model>-<profiles>-<n>")
    model_name: Name = Field(description="name on a model hub, or path", examples=["Qwen/Qwen3-0.6B"])
    base_runtime: Name | None = Field(None, description="inference engine; default: the one for the model")
    deployment_mode: Name | None = Field(
        None, description="how the server runs; default: local for an engine that takes no GPUs, else docker"
    )
    profiles: tuple[Name, ...] = Field((), description="profiles, in order", examples=[["low-latency", "production"]])
    presets: tuple[Name | Annotated[int, Field(ge=1)], ...] = Field((), description="stored presets, in order")
    merge_strategy: JsonValue = Field(None, description="how several presets are merged; default union")
    user_overrides: dict[str, JsonValue] = Field(default_factory=dict, description="keys of a task document")
    override_mode: Literal["patch", "replace"] = Field(
        "patch", description="patch changes single keys; replace takes the overrides as the whole configuration"
    )
    slo_config: dict[str, JsonValue] = Field(
        default_factory=dict, description="the block slo, merged over what profiles set"
    )
    total_gpus: int | None = Field(None, ge=1, description="number of GPUs that may be used; caps the world size")
    gpu_type: Name | None = Field(None, description="kind of GPU", examples=["h200_sxm"])
    benchmark_task: Name = Field("text-to-text", description="kind of requests")
    traffic_scenarios: tuple[Name, ...] = Field(
        ("D(100,100)",), description="lengths of prompts and answers, tokens", examples=[["D(100,100)"]]
    )
    num_concurrency: tuple[int, ...] = Field((1, 4), description="requests in flight, one load point each")
    optimization_strategy: Name = Field("bayesian", description="name of the search strategy")
    optimization_objective: Name | tuple[Name, ...] | None = Field(
        None, description="what is optimised; default: as the profiles say, else minimize_latency"
    )


@dataclass(frozen=True)
class ContextTask:
    """The task that came of it."""

    document: TaskDocument
    applied_layers: tuple[str, ...]
    """Names of the layers, the weakest first."""
    generated_config: dict[str, Any]
    """What the layers give, as plain data of a task document."""
    provenance: dict[str, str]
    """Key path → the one layer that set it."""
    warnings: tuple[str, ...]


def read_request(data: object) -> ContextRequest:
    """The request that plain data describe. DocumentError with all unknown keys and wrong values."""
    try:
        return ContextRequest.model_validate(data)
    except ValidationError as error:
        raise DocumentError("the request", problems_of(error, data, unknown=_unknown)) from None


def task_from_context(
    request: ContextRequest,
    book: ProfileBook,
    settings: Settings,
    *,
    presets: Chosen = NO_PRESETS,
    names: Collection[str] = (),
    mode: str | None = None,
) -> ContextTask:
    """Assemble the task of a request.

    ``presets``: the stored presets that it names. ``names``: those of tasks that there are already; the name
    of this one gets the next number. ``mode``: deployment mode where the request gives none. What the request gives
    counts as the document; its defaults are the weakest layer. AutotunerError as of ``assemble_document``.
    """
    if request.presets and presets is NO_PRESETS:
        raise ValueError("the presets of a request are looked up before its task is assembled")
    base: dict[str, Any] = {}
    own: dict[str, Any] = {"model": {"id_or_path": request.model_name}}
    for name, block, key in _PLACES:
        value = getattr(request, name)
        if value is not None:
            target = own if name in request.model_fields_set else base
            target.setdefault(block, {})[key] = list(value) if isinstance(value, tuple) else value
    part = check_part({"model": own["model"], **_given(base_runtime=request.base_runtime)}, name="the request")
    engine = engine_of(part)
    usual = request.deployment_mode or mode or (LOCAL if engine.world_size({}) is None else IN_A_CONTAINER)
    below = [
        Layer(BASE, base),
        Layer(f"deployment:{usual}", {"deployment_mode": usual}),
        Layer(f"engine:{engine.name}", {"base_runtime": engine.name}),
    ]
    own["task_name"] = request.task_name or free_name(request, names)
    made = assemble_document(
        Parts(
            document=own,
            profiles=request.profiles,
            presets=presets,
            own=REQUEST,
            below=below,
            overrides=request.user_overrides,
            replace=request.override_mode == "replace",
            slo_config=request.slo_config,
        ),
        book,
        settings,
        name="the request",
    )
    return ContextTask(made.document, made.applied_layers, made.data, dict(made.provenance), made.warnings)


def free_name(request: ContextRequest, names: Collection[str]) -> str:
    """``<model>-<profiles>-<n>`` with the least n, from 1, whose name no task has. The model without its folders."""
    stem = name_stem(request)
    number = 1
    while f"{stem}-{number}" in names:
        number += 1
    return f"{stem}-{number}"


def name_stem(request: ContextRequest) -> str:
    """What ``free_name`` begins with."""
    model = PurePosixPath(request.model_name.rstrip("/")).name.replace(":", "-")
    return "-".join([model.removesuffix(".gguf"), *dict.fromkeys(request.profiles)])[:240]


_PLACES = (
    ("benchmark_task", "benchmark", "task"),
    ("traffic_scenarios", "benchmark", "traffic_scenarios"),
    ("num_concurrency", "benchmark", "num_concurrency"),
    ("optimization_strategy", "optimization", "strategy"),
    ("optimization_objective", "optimization", "objective"),
    ("total_gpus", "system_config", "total_gpus"),
    ("gpu_type", "system_config", "gpu_type"),
)
"""Field of a request → block and key of a task document."""


def _given(**keys: object) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def _unknown(path: list[str]) -> Problem:
    meant = nearest(path[-1], ContextRequest.model_fields)
    known = ", ".join(ContextRequest.model_fields)
    remedy = f"Did you mean {meant}? If not, leave it out" if meant else f"Use one of {known}"
    return Problem(ErrorCode.UNKNOWN_KEY, ".".join(path), f"{path[-1]!r:.80} is not a key of the request", remedy)

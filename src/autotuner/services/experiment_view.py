"""Experiments as they are shown: what is stored of one, what its score is counted in, and how its starts went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from pydantic_core import to_json

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, Phase
from autotuner.contracts.listing import ExperimentItem, ExperimentLine, ExperimentLines, ExperimentQuery, TaskFacts
from autotuner.contracts.server_metrics import GpuFigures
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentStatus, MeasurementRow
from autotuner.contracts.values import Frozen, Scalar
from autotuner.services.report.json_export import finite
from autotuner.services.score_units import Direction, score_units
from autotuner.store.columns import NON_FINITE_KEY, decode_json
from autotuner.store.sql_store import SqlStore

OWN = frozenset({AttemptReason.FIRST, AttemptReason.RETRY, AttemptReason.RESUME})
NO_TASK = TaskFacts("", {})
"""Of a task that was purged meanwhile."""


class ExperimentShown(Frozen):
    """An experiment as lists show it."""

    id: int = Field(description="number in the store")
    experiment_id: int = Field(description="number within its task; 0 is the baseline")
    task_id: int = Field(description="number of its task")
    task_name: str = Field(description="name of its task")
    origin: ExperimentOrigin = Field(description="who asked for it")
    label: str | None = Field(None, description="name of a reference")
    status: ExperimentStatus = Field(description="its state")
    parameters: dict[str, Scalar] = Field(description="parameter → value; null: left to the engine")
    metrics: dict[str, Any] | None = Field(
        None, description="figures by name, without those of single measurements; null: nothing was measured"
    )
    objective_score: float | None = Field(None, description="in natural units, without penalties")
    direction: Literal["minimize", "maximize"] | None = Field(
        None, description="whether a smaller or a greater score is better"
    )
    unit: str | None = Field(None, description="unit of the score; null: it depends on what will be measured")
    slo_violation: bool | None = Field(None, description="whether it breaks a hard SLO; null: it was not judged")
    slo: dict[str, Any] | None = Field(None, description="verdict per SLO")
    error: Failure | None = Field(None, description="why it has no figures, if so")
    elapsed_s: float | None = Field(
        None, description="how long its own server starts took that have ended, seconds; null: none has"
    )
    created_at: datetime = Field(description="when it was asked for, UTC")
    finished_at: datetime | None = Field(None, description="when it ended, UTC; null: it has not")


class AttemptShown(Frozen):
    """A server start as it is shown."""

    id: int = Field(description="number in the store")
    number: int = Field(description="number within the experiment, from 1")
    reason: AttemptReason = Field(description="why the server was started")
    block: int | None = Field(None, description="of a confirmation: number of the interleaved round")
    status: AttemptStatus = Field(description="its state")
    command: tuple[str, ...] = Field((), description="arguments of the server; host, port and key by stand-ins")
    engine_version: str | None = Field(None, description="version of the engine that answered")
    phase_seconds: dict[Phase, float] = Field(default_factory=dict, description="seconds per phase")
    peak_rss_bytes: int | None = Field(None, description="most memory that the server held, bytes")
    error: Failure | None = Field(None, description="why it failed, if so")
    host: dict[str, Any] = Field(default_factory=dict, description="where it ran: host name, CPU, cores, versions")
    started_at: datetime = Field(description="UTC")
    finished_at: datetime | None = Field(None, description="UTC; null: it has not ended")


class ExperimentDetails(ExperimentShown):
    """An experiment with its server starts."""

    gpu_info: tuple[GpuFigures, ...] | None = Field(
        None, description="GPUs that its own start used, as last read; null: none was seen"
    )
    attempts: tuple[AttemptShown, ...] = Field((), description="its server starts, in order")
    phase_seconds: dict[Phase, float] = Field(
        default_factory=dict, description="seconds per phase of its own last start that ended well, else of the last"
    )


class ExperimentComparison(Frozen):
    """Experiments side by side. Every list has one entry for each, in the order in which they were asked for."""

    same_task: bool = Field(description="False: they were measured for different tasks, maybe under other loads")
    experiments: tuple[ExperimentShown, ...] = Field(description="the experiments")
    parameters: dict[str, tuple[Scalar, ...]] = Field(description="values of the parameters that are not all equal")
    metrics: dict[str, tuple[float | None, ...]] = Field(description="plain figures by name; null: it has none")


async def shown(store: SqlStore, items: Sequence[ExperimentItem]) -> list[ExperimentShown]:
    """Experiments of a list."""
    facts = await store.facts_of([item.task_id for item in items])
    took = await store.seconds_of([item.id for item in items], OWN)
    return [ExperimentShown(**_fields(item, facts.get(item.task_id, NO_TASK), took.get(item.id))) for item in items]


async def list_json(store: SqlStore, query: ExperimentQuery) -> bytes:
    """``Page[ExperimentShown]`` as JSON. What is stored as JSON is handed on as it is: to read and write the figures of
    50 experiments takes longer than all else of a request. AutotunerError: NOT_FOUND, INVALID_VALUE.
    """
    found = await store.experiment_lines(query, OWN)
    units = {task_id: score_units(task.optimization) for task_id, task in found.facts_of.items()}
    items = b",".join(_line_json(line, found, units.get(line.task_id, (None, None))) for line in found.lines)
    rest = to_json({"total": found.total, "total_exact": found.total_exact, "page": query.page, "size": query.size})
    return b'{"items":[' + items + b"]," + rest[1:]


def _line_json(line: ExperimentLine, page: ExperimentLines, units: tuple[Direction | None, str | None]) -> bytes:
    task, (direction, unit) = page.facts_of.get(line.task_id, NO_TASK), units
    if direction is not None and unit is None and line.metrics is not None:  # the figures decide
        direction, unit = score_units(task.optimization, _object(line.metrics))
    plain = to_json(
        {
            "id": line.id,
            "experiment_id": line.number,
            "task_id": line.task_id,
            "task_name": task.name,
            "elapsed_s": page.seconds_of.get(line.id),
            "origin": line.origin,
            "label": line.label,
            "status": line.status,
            "objective_score": line.objective_score,
            "direction": direction,
            "unit": unit,
            "slo_violation": line.slo_violation,
            "error": None if line.failure is None else Failure.model_validate(_object(line.failure)),
            "created_at": line.created_at,
            "finished_at": line.finished_at,
        },
        inf_nan_mode="null",
    )
    stored = {"parameters": line.parameters, "metrics": line.metrics, "slo": line.slo}
    return plain[:-1] + b"".join(f',"{key}":{_shown_json(text)}'.encode() for key, text in stored.items()) + b"}"


def _shown_json(stored: str | None) -> str:
    """What is stored as JSON, with null for what JSON has no number for."""
    if stored is None:
        return "null"
    return json.dumps(finite(decode_json(stored))) if NON_FINITE_KEY in stored else stored


def _object(stored: str) -> dict[str, Any]:
    value = decode_json(stored)
    if not isinstance(value, dict):
        raise TypeError("not the JSON of an object")
    return value


async def details(store: SqlStore, experiment_id: int) -> ExperimentDetails:
    """One experiment. AutotunerError(NOT_FOUND)."""
    parts = await store.experiment_parts(experiment_id)
    ended = [one for one in parts.attempts if one.reason in OWN and one.finished_at is not None]
    own = _own(parts.attempts)
    return ExperimentDetails(
        **_fields(parts.item, parts.task, sum(sum(one.phase_seconds.values()) for one in ended) if ended else None),
        gpu_info=_gpus(own, parts.measurements),
        attempts=tuple(attempt_shown(attempt) for attempt in parts.attempts),
        phase_seconds={} if own is None else dict(own.phase_seconds),
    )


async def compared(store: SqlStore, ids: Sequence[int]) -> ExperimentComparison:
    """Some experiments side by side. AutotunerError(NOT_FOUND)."""
    experiments = await shown(store, await store.get_experiments(ids))
    parameters = _columns([experiment.parameters for experiment in experiments])
    figures = [
        {name: value for name, value in (experiment.metrics or {}).items() if _is_figure(value)}
        for experiment in experiments
    ]
    return ExperimentComparison(
        same_task=len({experiment.task_id for experiment in experiments}) == 1,
        experiments=tuple(experiments),
        parameters={name: row for name, row in parameters.items() if any(_differ(row[0], value) for value in row)},
        metrics=_columns(figures),
    )


def attempt_shown(attempt: AttemptRow) -> AttemptShown:
    """One server start."""
    command = None if attempt.job is None else attempt.job.command
    return AttemptShown(
        id=attempt.id,
        number=attempt.number,
        reason=attempt.reason,
        block=attempt.block,
        status=attempt.status,
        command=() if command is None else command.argv,
        engine_version=attempt.engine_version,
        phase_seconds=attempt.phase_seconds,
        peak_rss_bytes=attempt.peak_rss_bytes,
        error=attempt.failure,
        host=_finite(attempt.host) or {},
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
    )


def _fields(item: ExperimentItem, task: TaskFacts, took_s: float | None) -> dict[str, Any]:
    """What every view of an experiment has."""
    direction, unit = score_units(task.optimization, item.metrics)
    score = finite(item.objective_score)
    return {
        **item.model_dump(include={"id", "task_id", "origin", "label", "status", "created_at", "finished_at"}),
        "experiment_id": item.number,
        "task_name": task.name,
        "elapsed_s": took_s,
        "parameters": _finite(item.parameters) or {},
        "metrics": _finite(item.metrics),
        "objective_score": score,
        "direction": direction,
        "unit": unit,
        "slo_violation": None if item.slo is None else item.slo.get("slo_violation"),
        "slo": _finite(item.slo),
        "error": item.failure,
    }


def _own(attempts: Sequence[AttemptRow]) -> AttemptRow | None:
    """The start that gave the experiment its figures, else the last one of its own."""
    own = [attempt for attempt in attempts if attempt.reason in OWN]
    good = [attempt for attempt in own if attempt.status in (AttemptStatus.SUCCESS, AttemptStatus.PRUNED)]
    chosen = good or own
    return chosen[-1] if chosen else None


def _gpus(own: AttemptRow | None, measured: Sequence[MeasurementRow]) -> tuple[GpuFigures, ...] | None:
    seen = {
        gpu.index: gpu
        for row in measured
        if own is not None and row.attempt_id == own.id
        for gpu in row.measurement.gpus
    }
    return tuple(seen[index] for index in sorted(seen)) or None


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: tuple(row.get(name) for row in rows) for name in names}


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _differ(one: object, other: object) -> bool:
    return one != other or isinstance(one, bool) != isinstance(other, bool)


def _finite(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Like ``finite``, which walks through all of it; to write it as JSON and to look into that takes a third of it."""
    try:
        text = b"" if value is None else to_json(value)
    except ValueError:  # a lone surrogate, for instance
        text = b"NaN"
    made = finite(value) if b"NaN" in text or b"Infinity" in text else value
    return made if isinstance(made, dict) else None

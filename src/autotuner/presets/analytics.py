"""What came of a preset: the tasks and experiments that used it, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from pydantic import Field

from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, ParameterSpec, same_value
from autotuner.contracts.search import Direction
from autotuner.contracts.store import ExperimentStatus
from autotuner.contracts.values import Frozen, Scalar


class UsedExperiment(Frozen):
    """An experiment that had values of a preset."""

    status: ExperimentStatus
    score: float | None = Field(None, description="in natural units; None: it has none")
    winner: bool = False


class PresetUse(Frozen):
    """A task that used a preset."""

    task: str
    model: str
    engine: str
    gpu_type: str | None
    objective: str
    unit: str
    direction: Direction
    experiments: tuple[UsedExperiment, ...]


class ObjectiveResult(Frozen):
    """Results under one objective."""

    objective: str = Field(description="what was optimised")
    unit: str = Field(description="unit of the scores")
    direction: Direction = Field(description="whether a small or a large score is good")
    experiments: int = Field(description="successful ones that have a score")
    best: float = Field(description="best score")
    median: float = Field(description="median of the scores")


class PresetAnalytics(Frozen):
    """What came of a preset."""

    preset: str = Field(description="slug")
    tasks: int = Field(description="tasks that used it")
    experiments: int = Field(description="those with its values, whatever became of them")
    succeeded: int = Field(description="of these experiments")
    failed: int = Field(description="of these experiments")
    success_rate: float | None = Field(description="share of those that succeeded or failed; null: there are none")
    results: tuple[ObjectiveResult, ...] = Field(description="by objective and unit")
    task_names: tuple[str, ...] = Field(description="of the tasks that used it")


def used(parameters: Mapping[str, Scalar], gives: Mapping[str, ParameterSpec]) -> bool:
    """Whether an experiment has what a preset gave: of each parameter that is searched one of its values."""
    return bool(gives) and all(name not in parameters or _has(spec, parameters[name]) for name, spec in gives.items())


def summarise(preset: str, uses: Sequence[PresetUse]) -> PresetAnalytics:
    """The figures of all uses."""
    experiments = [one for use in uses for one in use.experiments]
    succeeded = sum(one.status is ExperimentStatus.SUCCESS for one in experiments)
    failed = sum(one.status is ExperimentStatus.FAILED for one in experiments)
    return PresetAnalytics(
        preset=preset,
        tasks=len(uses),
        experiments=len(experiments),
        succeeded=succeeded,
        failed=failed,
        success_rate=succeeded / (succeeded + failed) if succeeded + failed else None,
        results=tuple(_results(uses)),
        task_names=tuple(use.task for use in uses),
    )


def _results(uses: Sequence[PresetUse]) -> list[ObjectiveResult]:
    """By objective and unit: scores of different ones cannot be compared."""
    scores: dict[tuple[str, str, Direction], list[float]] = {}
    for use in uses:
        found = [e.score for e in use.experiments if e.status is ExperimentStatus.SUCCESS and e.score is not None]
        scores.setdefault((use.objective, use.unit, use.direction), []).extend(found)
    return [
        ObjectiveResult(
            objective=objective,
            unit=unit,
            direction=direction,
            experiments=len(found),
            best=min(found) if direction == "minimize" else max(found),
            median=median(found),
        )
        for (objective, unit, direction), found in scores.items()
        if found
    ]


def _has(spec: ParameterSpec, value: Scalar) -> bool:
    match spec:
        case Fixed():
            return same_value(spec.value, value)
        case Choices():
            return any(same_value(one, value) for one in spec.values)
        case IntRange() | FloatRange():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and spec.low <= float(value or 0) <= spec.high

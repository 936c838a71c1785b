"""Fully measured grids: kept in a file, so that a later search can be placed between random search and the optimum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.result import ExperimentSummary, GridComparison, TaskResult
from autotuner.contracts.search import SearchSpace
from autotuner.contracts.store import ExperimentOrigin, ExperimentStatus
from autotuner.contracts.values import MODEL_KEY, Frozen, Scalar, canonical_json
from autotuner.scoring.regret import fraction_of_optimum, place_in_grid, random_search_best
from autotuner.services.report.wording import figure_of, model_name, one_line, plain

GRID_VERSION: Literal[1] = 1

GRID_METRICS = (
    "mean_ttft",
    "p90_ttft",
    "mean_tpot",
    "mean_e2e_latency",
    "mean_output_throughput",
    "mean_total_throughput",
    "requests_per_second",
)
"""Aggregated metrics kept for each point, as far as they were measured. Seconds, tokens/s, requests/s."""

_FINISHED = (ExperimentStatus.SUCCESS, ExperimentStatus.FAILED)


class GridPoint(Frozen):
    """One configuration of a grid."""

    parameters: dict[str, Scalar] = Field(description="model files by their display value")
    also: dict[str, Scalar] | None = Field(
        None, description="other values that start the same server, as its experiment had them (engine defaults)"
    )
    score: float | None = Field(description="natural units; null: it failed")
    eligible: bool = Field(description="measured, and no hard SLO violated")
    metrics: dict[str, float] = Field(default_factory=dict)


class Grid(Frozen):
    """A space of which every configuration was measured."""

    version: Literal[1] = GRID_VERSION
    made_at: datetime
    host: dict[str, Any] = Field(description="cpu_model, cores and what else is known")
    engine: str
    engine_version: str | None
    model: str = Field(description="display value")
    objective: str
    direction: Literal["minimize", "maximize"]
    scored_at: tuple[str, ...]
    slo_sentences: tuple[str, ...]
    parameters: dict[str, tuple[Scalar, ...]] = Field(description="name → values, in the order of the document")
    points: tuple[GridPoint, ...] = Field(min_length=1)


def grid_from_result(result: TaskResult, space: SearchSpace, *, made_at: datetime) -> Grid:
    """The grid that a finished task measured: every valid, distinct configuration of ``space``.

    A configuration that failed is a point without a score. Experiments outside the space (references, a baseline of
    engine defaults) are left out. AutotunerError(NO_RESULT) when the task measured predictions, or a configuration is
    missing or not finished; (UNSUPPORTED) for a space with a continuous parameter.
    """
    if result.predicted:
        raise _no_grid("its figures are predictions", "measure on a real server")
    if space.grid_size is None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "the task cannot become a grid",
            why="a continuous parameter has no list of values",
            remedy="give every parameter a list or a step",
        )
    names = {dimension.name for dimension in space.dimensions}
    found = {space.identity(s.parameters): s for s in result.experiments if set(s.parameters) == names}
    points: list[GridPoint] = []
    missing = 0
    for configuration in space.enumerate():
        summary = found.get(space.identity(configuration))
        if summary is None or summary.status not in _FINISHED:
            missing += 1
        else:
            points.append(_point(configuration, summary))
    if missing:
        total = missing + len(points)
        raise _no_grid(f"{missing} of {total} configurations are not measured", "resume it with the strategy grid")
    if all(point.score is None for point in points):
        raise _no_grid("every configuration failed", "read the failures and mend the task first")
    values: dict[str, tuple[Scalar, ...]] = {}
    for dimension in space.dimensions:
        listed = (dimension.value(index) for index in range(dimension.size or 0))
        values[dimension.name] = tuple(_shown(dimension.name, value) for value in listed)
    return Grid(
        made_at=made_at,
        host=result.host,
        engine=result.engine,
        engine_version=result.engine_version,
        model=model_name(result.model),
        objective=result.objective,
        direction=result.direction,
        scored_at=result.scored_at,
        slo_sentences=result.slo_sentences,
        parameters=values,
        points=tuple(points),
    )


def grid_text(grid: Grid) -> str:
    """The grid as a file's text: JSON, indented."""
    return grid.model_dump_json(indent=1) + "\n"


def read_grid(text: str, *, place: str | None = None) -> Grid:
    """A grid from a file's text; ``place``: the file's name. AutotunerError(INVALID_DOCUMENT) for anything else."""
    try:
        return Grid.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise AutotunerError(
            ErrorCode.INVALID_DOCUMENT,
            "the file is not a grid",
            why=f"{where}: {first['msg']}",
            remedy=f"use a file of version {GRID_VERSION} that a task with the strategy grid wrote",
            place=place,
        ) from error


def why_not(grid: Grid, result: TaskResult) -> str | None:
    """Why the task cannot be compared with the grid, in one sentence; None when it can."""
    if result.predicted:
        return "No comparison with the grid: this task's figures are predictions."
    cpu = plain(grid.host.get("cpu_model"))
    here = plain(result.host.get("cpu_model"))
    pairs = (
        ("the CPU", cpu, here),
        ("the engine", grid.engine, result.engine),
        ("the engine's version", grid.engine_version or "unknown", result.engine_version or "unknown"),
        ("the model", grid.model, model_name(result.model)),
        ("the objective", grid.objective, result.objective),
        ("the workload", ", ".join(grid.scored_at), ", ".join(result.scored_at)),
        ("the list of SLOs", "; ".join(grid.slo_sentences) or "none", "; ".join(result.slo_sentences) or "none"),
    )
    for what, there, now in pairs:
        # Model files that are searched are compared as a parameter, below.
        if there != now and not (what == "the model" and MODEL_KEY in grid.parameters):
            return f"No comparison with the grid, {what} differs: {one_line(now)} here, {one_line(there)} in the grid."
    listed = {name: {_identity(value) for value in values} for name, values in grid.parameters.items()}
    for summary in _searched(result):
        if set(summary.parameters) != set(listed):
            names = ", ".join(sorted(set(summary.parameters) ^ set(listed)))
            return f"No comparison with the grid: not both have the parameters {one_line(names)}."
        for name, value in summary.parameters.items():
            if _identity(_shown(name, value)) not in listed[name]:
                shown = one_line(f"{name}={_shown(name, value)}")
                return f"No comparison with the grid: it does not hold {shown}."
    return None


def compare(grid: Grid, result: TaskResult) -> GridComparison:
    """Where winner, baseline and references stand in the grid, judged by the grid's own figures alone.

    Random search is given as many configurations as the task searched (those of the baseline and of references that
    lie in the grid are not its choice and do not count). Its quantiles are exact, over all possible draws without
    replacement (``draws`` 0); a draw without any eligible configuration counts as a fraction of 0. Shares are of the
    best eligible score. AutotunerError(NO_RESULT) when nothing in the grid is eligible, (CONFLICT) when ``why_not``
    has a reason.
    """
    reason = why_not(grid, result)
    if reason is not None:
        raise AutotunerError(
            ErrorCode.CONFLICT, "grid and task do not fit", why=reason.rstrip("."), remedy="measure a grid of this task"
        )
    scores = {_name(p.parameters): p.score if p.eligible else None for p in grid.points}
    names = {_name(values): _name(p.parameters) for p in grid.points for values in (p.also, p.parameters) if values}
    eligible = [p for p in grid.points if p.eligible and p.score is not None]
    if not eligible:
        raise AutotunerError(
            ErrorCode.NO_RESULT,
            "there is nothing to compare with",
            why="no configuration of the grid keeps the hard SLOs",
            remedy="measure a grid with other SLOs",
        )
    sign = 1 if grid.direction == "maximize" else -1
    best = max(eligible, key=lambda point: sign * (point.score or 0.0))
    best_score = best.score or 0.0

    def name_of(summary: ExperimentSummary | None) -> str | None:
        return names.get(_name(_display(summary.parameters))) if summary else None

    winner = name_of(result.winner)
    place = place_in_grid(scores, winner, grid.direction) if winner is not None else None
    budget = min(max(1, len(_searched(result))), len(scores))
    draws = random_search_best(list(scores.values()), budget, grid.direction)

    def share(score: float | None) -> float:
        return 0.0 if score is None else fraction_of_optimum(score, best_score, grid.direction)

    def place_of(summary: ExperimentSummary | None) -> float | None:
        name = name_of(summary)
        score = scores[name] if name is not None else None
        return None if score is None else share(score)

    return GridComparison(
        host=_host(grid),
        points=len(grid.points),
        feasible=len(eligible),
        best_score=best_score,
        best_parameters=best.parameters,
        winner_score=place.score if place else None,
        winner_fraction=place.fraction if place else None,
        winner_rank=place.rank if place else None,
        baseline_fraction=place_of(result.baseline),
        reference_fractions={s.label or f"#{s.number}": place_of(s) for s in result.references},
        budget=budget,
        draws=0,
        random_median_fraction=share(draws.median),
        random_low_fraction=share(draws.unlucky),
        random_high_fraction=share(draws.lucky),
    )


def _point(configuration: Mapping[str, Scalar], summary: ExperimentSummary) -> GridPoint:
    values = {name: figure_of(summary.metrics, name) for name in GRID_METRICS}
    score = summary.score if summary.status is ExperimentStatus.SUCCESS else None
    parameters, own = _display(configuration), _display(summary.parameters)
    return GridPoint(
        parameters=parameters,
        also=own if _name(own) != _name(parameters) else None,
        score=score,
        eligible=summary.eligible and score is not None,
        metrics={name: value for name, value in values.items() if value is not None},
    )


def _searched(result: TaskResult) -> list[ExperimentSummary]:
    return [s for s in result.experiments if s.origin is ExperimentOrigin.SEARCH]


def _shown(name: str, value: Scalar) -> Scalar:
    return model_name(value) if name == MODEL_KEY and isinstance(value, str) else value


def _display(parameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {name: _shown(name, value) for name, value in parameters.items()}


def _identity(value: Scalar) -> str:
    """Tells True from 1, but not 1 from 1.0."""
    return canonical_json(float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _name(parameters: Mapping[str, Scalar]) -> str:
    return canonical_json({name: _identity(value) for name, value in parameters.items()})


def _host(grid: Grid) -> str:
    known: Iterable[str] = (
        plain(grid.host["cpu_model"]) if "cpu_model" in grid.host else "",
        f"{plain(grid.host['cores'])} cores" if "cores" in grid.host else "",
        f"{grid.engine} {grid.engine_version or ''}".strip(),
        f"measured on {grid.made_at:%Y-%m-%d}",
    )
    return ", ".join(text for text in known if text)


def _no_grid(why: str, remedy: str) -> AutotunerError:
    return AutotunerError(ErrorCode.NO_RESULT, "the task cannot become a grid", why=why, remedy=remedy)

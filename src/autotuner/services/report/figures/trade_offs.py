"""Plots of several objectives: each configuration with its uncertainty, and the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from autotuner.contracts.findings import ParetoPoint, ParetoSet
from autotuner.contracts.result import TaskResult
from autotuner.services.report.figures.figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Figure,
    Spec,
    axis_scale,
    labelled,
    plot_text,
    titles_of,
)
from autotuner.services.report.findings_text import PLACES, front_role, place_text
from autotuner.services.report.wording import one_line, with_unit

MAX_PAIRS = 3
WIDE = 20
"""An axis whose largest value is so many times its smallest one is logarithmic."""

_MARKS: tuple[tuple[str, str, Spec], ...] = (
    ("behind", PLACES["behind"], {"color": GREY, "size": 7}),
    ("unclear", PLACES["unclear"], {"color": ORANGE, "size": 10, "symbol": "circle-open", "line": {"width": 2}}),
    ("front", PLACES["front"], {"color": GREEN, "size": 11}),
    ("violating", "cannot win", {"color": RED, "size": 8, "symbol": "x-thin-open"}),
    ("measured", "noise unknown", {"color": BLUE, "size": 9}),
)


def trade_off_figures(result: TaskResult) -> list[Figure]:
    """A plot per pair of objectives, at most three; nothing with one objective."""
    found = result.pareto
    if found is None or not found.points:
        return []
    pairs = list(combinations(range(len(found.objectives)), 2))[:MAX_PAIRS]
    return [_pair(result, found, index, x, y) for index, (x, y) in enumerate(pairs)]


def _pair(result: TaskResult, found: ParetoSet, index: int, x: int, y: int) -> Figure:
    titles = titles_of(result)
    scales = {k: axis_scale([p.values[k] for p in found.points], found.objectives[k].unit) for k in (x, y)}
    kinds = {k: _axis([p.values[k] for p in found.points]) for k in (x, y)}
    front = sorted((p for p in found.points if p.on_front), key=lambda p: p.values[x])
    traces: list[Spec] = []
    if len(front) > 1 and len(found.objectives) == 2:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "measured front",
                "x": [p.values[x] * scales[x][0] for p in front],
                "y": [p.values[y] * scales[y][0] for p in front],
                "line": {"color": GREY, "width": 1, "dash": "dot"},
                "hoverinfo": "skip",
            }
        )
    for kind, name, marker in _MARKS:
        members = [p for p in found.points if _kind(p) == kind]
        if members:
            traces.append(_points(found, members, titles, (x, y), scales, name, marker))
    for number, name, symbol in (
        (result.baseline.number if result.baseline else None, "baseline", "square-open"),
        (result.winner.number if result.winner else None, "best by the first objective", "star"),
    ):
        members = [p for p in found.points if p.experiment == number]
        if members:
            mark: Spec = {"color": GREY if name == "baseline" else GREEN, "size": 16, "symbol": symbol}
            traces.append(_points(found, members, titles, (x, y), scales, name, mark, bars=False))
    layout: Spec = {
        "height": 420,
        "xaxis": {"title": {"text": _title(result, found, x, scales[x][1])}, "type": kinds[x]},
        "yaxis": {"title": {"text": _title(result, found, y, scales[y][1])}, "type": kinds[y]},
        "annotations": [
            {
                "x": _place(p.values[x] * scales[x][0], kinds[x]),
                "y": _place(p.values[y] * scales[y][0], kinds[y]),
                "text": f"#{p.experiment}" + (" knee" if p.knee else ""),
                "showarrow": False,
                "yshift": 16,
                "font": {"size": 11},
            }
            for p in front
            if p.knee or p.best_in
        ],
    }
    labels = f"{one_line(found.objectives[x].label)} and {one_line(found.objectives[y].label)}"
    summary = f"Measured configurations by {labels}; bars: {found.confidence:.0%} intervals".replace("%", " %")
    return Figure(f"plot-trade-off-{index}", labels, summary, tuple(traces), layout)


def _axis(values: Sequence[float]) -> Literal["linear", "log"]:
    """Logarithmic where the front would be lost among values that are far worse."""
    return "log" if min(values) > 0 and max(values) > WIDE * min(values) else "linear"


def _place(value: float, kind: Literal["linear", "log"]) -> float:
    """Where an annotation stands: plotly wants the logarithm of it."""
    return math.log10(value) if kind == "log" else value


def _kind(point: ParetoPoint) -> str:
    if not point.eligible:
        return "violating"
    return point.place or "measured"


def _title(result: TaskResult, found: ParetoSet, axis: int, unit: str) -> str:
    objective = found.objectives[axis]
    better = "less is better" if objective.direction == "minimize" else "more is better"
    return labelled(result, plot_text(f"{objective.label}, {unit} ({better})"))


def _points(
    found: ParetoSet,
    members: Sequence[ParetoPoint],
    titles: dict[int, str],
    axes: tuple[int, int],
    scales: dict[int, tuple[float, str]],
    name: str,
    marker: Spec,
    *,
    bars: bool = True,
) -> Spec:
    trace: Spec = {"type": "scatter", "mode": "markers", "name": name, "marker": marker, "hoverinfo": "text"}
    for letter, axis in zip("xy", axes, strict=True):
        factor = scales[axis][0]
        trace[letter] = [p.values[axis] * factor for p in members]
        if bars and any(p.low is not None and p.high is not None for p in members):
            trace[f"error_{letter}"] = {
                "type": "data",
                "symmetric": False,
                "array": [((p.high or p.values)[axis] - p.values[axis]) * factor for p in members],
                "arrayminus": [(p.values[axis] - (p.low or p.values)[axis]) * factor for p in members],
                "thickness": 1,
                "width": 3,
                "color": marker["color"],
            }
    trace["hovertext"] = [_hover(found, p, titles) for p in members]
    return trace


def _hover(found: ParetoSet, point: ParetoPoint, titles: dict[int, str]) -> str:
    lines = [titles.get(point.experiment, f"#{point.experiment}")]
    lines += [
        plot_text(f"{objective.label}: {with_unit(value, objective.unit)}")
        for objective, value in zip(found.objectives, point.values, strict=True)
    ]
    role = front_role(found, point)
    return "<br>".join([*lines, place_text(point), *([plot_text(role)] if role else [])])

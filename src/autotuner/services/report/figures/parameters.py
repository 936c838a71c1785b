"""Plots of the parameters: parallel coordinates, and scores by the values of each.

Parallel coordinates are drawn as ordinary lines, not as plotly's own trace: that needs WebGL and compiles code at run
time, which the report's content security policy forbids, and it does not print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.values import Scalar
from autotuner.services.report.figures.figure import (
    BLUE,
    GREY,
    MAX_TICKS,
    SCALE,
    Figure,
    Spec,
    hover_text,
    plot_text,
    score_scale,
    score_unit,
    scored_of,
    upwards,
    vertical,
)
from autotuner.services.report.wording import parameter_name, parameter_value, with_unit

MAX_AXES = 12


def parallel_figure(result: TaskResult) -> Figure | None:
    """One line per measured experiment through its parameters to its score; colour is the score."""
    scored = scored_of(result)
    names = varied_parameters(scored)[:MAX_AXES]
    scores = [s.score for s in scored if s.score is not None]
    if not names or len(scored) < 2 or min(scores) == max(scores):
        return None
    places = {name: _places([s.parameters.get(name) for s in scored]) for name in names}
    low, high = min(scores), max(scores)
    lines: list[list[ExperimentSummary]] = [[] for _ in SCALE]
    for summary in scored:
        share = ((summary.score or 0.0) - low) / (high - low)
        lines[min(int((share if upwards(result) else 1 - share) * len(SCALE)), len(SCALE) - 1)].append(summary)
    winner = result.winner.number if result.winner else None
    traces: list[Spec] = []
    for color, members in zip(SCALE, lines, strict=True):
        for wide in (False, True):
            chosen = [s for s in members if (s.number == winner) is wide]
            if chosen:
                traces.append(_threads(result, chosen, names, places, (low, high), color, wide=wide))
    traces.append(_axis_labels(names, places, (low, high), result.unit))
    columns = range(len(names) + 1)
    layout: Spec = {
        "height": 380,
        "margin": {"l": 24, "r": 24, "t": 40, "b": 8},
        "showlegend": False,
        "xaxis": {
            "tickvals": list(columns),
            "ticktext": [*(plot_text(parameter_name(name)) for name in names), score_unit(result)],
            "side": "top",
            "showgrid": False,
            "zeroline": False,
            "range": [-0.3, len(names) + 0.5],
            "automargin": True,
        },
        "yaxis": {"visible": False, "range": [-0.06, 1.06]},
        "shapes": [vertical(float(column)) for column in columns],
    }
    title = "Parallel coordinates"
    return Figure("plot-parallel", title, "A line per experiment; bright is good", tuple(traces), layout)


def value_figures(result: TaskResult) -> list[Figure]:
    """Scores of all experiments by the values of each varied parameter."""
    scored = scored_of(result)
    factor = score_scale(result)[0]
    found: list[Figure] = []
    for index, name in enumerate(varied_parameters(scored)[:MAX_AXES]):
        places = _places([s.parameters.get(name) for s in scored])
        traces: list[Spec] = []
        for value in sorted(places, key=places.__getitem__):
            own = [s for s in scored if _key(s.parameters.get(name)) == value]
            label = plot_text(parameter_value(name, own[0].parameters.get(name)))
            traces.append(
                {
                    "type": "box",
                    "x": [label] * len(own),
                    "y": [(s.score or 0.0) * factor for s in own],
                    "boxpoints": "all",
                    "jitter": 0.4,
                    "pointpos": 0,
                    "fillcolor": "rgba(138,143,152,0.15)",
                    "line": {"width": 1, "color": GREY},
                    "marker": {"color": BLUE, "size": 6, "opacity": 0.8},
                    "hoveron": "points",
                    "hoverinfo": "text",
                    "hovertext": [hover_text(result, s) for s in own],
                }
            )
        layout: Spec = {
            "height": 300,
            "showlegend": False,
            "xaxis": {"type": "category", "title": {"text": plot_text(parameter_name(name))}, "automargin": True},
            "yaxis": {"title": {"text": score_unit(result)}},
        }
        title = parameter_name(name)
        found.append(Figure(f"plot-values-{index}", title, f"Score by value of {title}", tuple(traces), layout))
    return found


def varied_parameters(summaries: Sequence[ExperimentSummary]) -> list[str]:
    """Names of the parameters with more than one value, in the order in which they occur."""
    values: dict[str, set[tuple[str, Scalar]]] = {}
    for summary in summaries:
        for name, value in summary.parameters.items():
            values.setdefault(name, set()).add(_key(value))
    return [name for name, found in values.items() if len(found) > 1]


def _key(value: Scalar) -> tuple[str, Scalar]:
    """Tells True from 1, but not 1 from 1.0."""
    if isinstance(value, bool) or value is None:
        return (type(value).__name__, value)
    return ("number", float(value)) if isinstance(value, int | float) else ("text", value)


def _places(values: Sequence[Scalar]) -> dict[tuple[str, Scalar], float]:
    """Positions of the values on an axis from 0 to 1, evenly spread: numbers in order, then text in order."""

    def order(key: tuple[str, Scalar]) -> tuple[int, float, str]:
        kind, value = key
        numeric = float(value) if isinstance(value, int | float) else 0.0
        return (0 if kind == "NoneType" else 1 if kind == "bool" else 2 if kind == "number" else 3, numeric, str(value))

    keys = sorted({_key(value) for value in values}, key=order)
    return {key: (index / (len(keys) - 1) if len(keys) > 1 else 0.5) for index, key in enumerate(keys)}


def _threads(
    result: TaskResult,
    summaries: Sequence[ExperimentSummary],
    names: Sequence[str],
    places: Mapping[str, Mapping[tuple[str, Scalar], float]],
    span: tuple[float, float],
    color: str,
    *,
    wide: bool,
) -> Spec:
    """Lines of one colour as one trace, with gaps between them."""
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for summary in summaries:
        hover = hover_text(result, summary)
        heights = [places[name][_key(summary.parameters.get(name))] for name in names]
        heights.append(((summary.score or 0.0) - span[0]) / (span[1] - span[0]))
        x += [*range(len(heights)), None]
        y += [*heights, None]
        texts += [hover] * (len(heights) + 1)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": x,
        "y": y,
        "line": {"color": color, "width": 5 if wide else 1.5},
        "opacity": 1.0 if wide else 0.7,
        "marker": {"size": 8 if wide else 4, "color": color},
        "hoverinfo": "text",
        "hovertext": texts,
    }


def _axis_labels(
    names: Sequence[str],
    places: Mapping[str, Mapping[tuple[str, Scalar], float]],
    span: tuple[float, float],
    unit: str,
) -> Spec:
    x: list[float] = []
    y: list[float] = []
    texts: list[str] = []
    for column, name in enumerate(names):
        ticks = sorted(places[name].items(), key=lambda item: item[1])
        step = max(1, -(-len(ticks) // MAX_TICKS))
        for (_, value), height in ticks[::step]:
            x.append(column + 0.03)
            y.append(height)
            texts.append(plot_text(parameter_value(name, value)))
    for height, value in ((0.0, span[0]), (1.0, span[1])):
        x.append(len(names) + 0.03)
        y.append(height)
        texts.append(plot_text(with_unit(value, unit)))
    return {
        "type": "scatter",
        "mode": "text",
        "x": x,
        "y": y,
        "text": texts,
        "textposition": "middle right",
        "textfont": {"size": 11},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }

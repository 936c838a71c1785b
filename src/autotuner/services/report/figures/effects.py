"""Plots of what single parameters do: importance, and slices through the best configuration."""

from __future__ import annotations

from autotuner.contracts.findings import Slice
from autotuner.contracts.result import TaskResult
from autotuner.services.report.figures.figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Figure,
    Spec,
    labelled,
    plot_text,
    score_scale,
    score_unit,
    titles_of,
)
from autotuner.services.report.wording import parameter_name, parameter_value, percent, with_unit

MAX_SLICES = 12


def importance_figure(result: TaskResult) -> Figure | None:
    """The share of each parameter; nothing where the model does not explain the scores."""
    found = result.importance
    if found is None or not found.parameters:
        return None
    shown = found.parameters
    names = [plot_text(parameter_name(entry.parameter)) for entry in shown]
    trace: Spec = {
        "type": "bar",
        "orientation": "h",
        "x": [entry.share * 100 for entry in shown],
        "y": names,
        "marker": {"color": [BLUE if entry.seen else GREY for entry in shown]},
        "error_x": {"type": "data", "array": [entry.spread * 100 for entry in shown], "thickness": 1.5, "width": 4},
        "hoverinfo": "text",
        "hovertext": [
            f"{name}: {percent(entry.share)}" + ("" if entry.seen else ", not told from nothing")
            for name, entry in zip(names, shown, strict=True)
        ],
    }
    layout: Spec = {
        "height": 110 + 32 * len(shown),
        "xaxis": {"title": {"text": labelled(result, "share of the importance, %")}, "rangemode": "tozero"},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
    }
    summary = "Importance of each parameter; bars: one standard error"
    return Figure("plot-importance", "Importance of the parameters", summary, (trace,), layout)


def slice_figures(result: TaskResult) -> list[Figure]:
    """The score by each parameter alone, the others as in the best configuration: measured, and modelled."""
    return [_slice(result, index, found) for index, found in enumerate(result.slices[:MAX_SLICES])]


def _slice(result: TaskResult, index: int, found: Slice) -> Figure:
    factor = score_scale(result)[0]
    titles = titles_of(result)
    labels = [plot_text(parameter_value(found.parameter, point.value)) for point in found.points]
    traces: list[Spec] = []
    modelled = [
        (label, p.modelled, p.low, p.high)
        for label, p in zip(labels, found.points, strict=True)
        if p.modelled is not None and p.low is not None and p.high is not None
    ]
    if modelled:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "expected by the model",
                "x": [label for label, *_ in modelled],
                "y": [middle * factor for _, middle, _, _ in modelled],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [(high - middle) * factor for _, middle, _, high in modelled],
                    "arrayminus": [(middle - low) * factor for _, middle, low, _ in modelled],
                    "thickness": 1,
                    "width": 3,
                    "color": ORANGE,
                },
                "line": {"color": ORANGE, "dash": "dash", "width": 1.5},
                "marker": {"color": ORANGE, "size": 5},
                "hoverinfo": "text",
                "hovertext": [
                    f"{label}: {plot_text(with_unit(middle, result.unit))} expected, from "
                    f"{plot_text(with_unit(low, result.unit))} to {plot_text(with_unit(high, result.unit))}"
                    for label, middle, low, high in modelled
                ],
            }
        )
    measured = [
        (label, p.measured, p.experiment)
        for label, p in zip(labels, found.points, strict=True)
        if p.measured is not None
    ]
    if measured:
        best = plot_text(parameter_value(found.parameter, found.best))
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "measured",
                "x": [label for label, _, _ in measured],
                "y": [score * factor for _, score, _ in measured],
                "marker": {"size": 10, "color": [GREEN if label == best else BLUE for label, _, _ in measured]},
                "hoverinfo": "text",
                "hovertext": [
                    f"{titles.get(number or 0, '')}: {plot_text(with_unit(score, result.unit))}"
                    for _, score, number in measured
                ],
            }
        )
    layout: Spec = {
        "height": 300,
        "showlegend": bool(modelled),
        "xaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": labels,
            "title": {"text": plot_text(parameter_name(found.parameter))},
            "automargin": True,
        },
        "yaxis": {"title": {"text": score_unit(result)}},
    }
    title = parameter_name(found.parameter)
    summary = f"Score by {title}, the other parameters as in the best configuration"
    return Figure(f"plot-slice-{index}", title, summary, tuple(traces), layout)

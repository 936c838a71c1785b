"""Plots over the load: throughput and latency of the chosen configuration and of the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.findings import LoadCurve, LoadCurvePoint
from autotuner.contracts.result import TaskResult
from autotuner.services.report.figures.figure import (
    BLUE,
    GREY,
    RED,
    Figure,
    Spec,
    axis_scale,
    labelled,
    plot_text,
    titles_of,
)
from autotuner.services.report.wording import with_unit

CURVES: tuple[tuple[str, str, str, str | None], ...] = (
    ("output_throughput", "output throughput", "tokens/s", None),
    ("mean_ttft", "time to first token, mean", "s", "mean TTFT"),
    ("p90_ttft", "time to first token, p90", "s", "p90 TTFT"),
    ("mean_tpot", "time per output token, mean", "s", "mean TPOT"),
    ("mean_e2e_latency", "latency, mean", "s", "mean latency"),
    ("goodput", "goodput", "requests/s", None),
)
"""What is drawn: figure, label, unit, and the SLO whose limit stands in it."""

_DASHES = ("solid", "dash", "dot", "dashdot")


def load_figures(result: TaskResult) -> list[Figure]:
    """One plot per figure, a line per configuration and scenario; nothing where there was one load alone."""
    curves = [curve for curve in result.load_curves if len(curve.points) > 1]
    if not curves:
        return []
    made = [_figure(result, curves, index, *curve) for index, curve in enumerate(CURVES)]
    return [figure for figure in made if figure is not None]


def _figure(
    result: TaskResult, curves: Sequence[LoadCurve], index: int, name: str, label: str, unit: str, slo: str | None
) -> Figure | None:
    titles = titles_of(result)
    values = [p.figures[name] for curve in curves for p in curve.points if name in p.figures]
    factor, shown_unit = axis_scale(values, unit)
    baseline = result.baseline.number if result.baseline else None
    scenarios = list(dict.fromkeys(scenario(p) for curve in curves for p in curve.points))
    traces: list[Spec] = []
    for curve in curves:
        for order, kind in enumerate(scenarios):
            own = [p for p in curve.points if scenario(p) == kind and name in p.figures and load(p) is not None]
            if len(own) < 2:
                continue
            title = titles.get(curve.experiment, f"#{curve.experiment}")
            color = GREY if curve.experiment == baseline else BLUE
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": plot_text(f"{title} {kind}") if len(scenarios) > 1 else title,
                    "x": [load(p) for p in own],
                    "y": [p.figures[name] * factor for p in own],
                    "line": {"color": color, "width": 2, "dash": _DASHES[order % len(_DASHES)]},
                    "marker": {"color": color, "size": 7},
                    "hoverinfo": "text",
                    "hovertext": [
                        f"{title}, {plot_text(p.load_point)}: {plot_text(with_unit(p.figures[name], unit))}"
                        for p in own
                    ],
                }
            )
    if not traces:
        return None
    closed = any(p.concurrency is not None for curve in curves for p in curve.points)
    shown = result.winner or result.nearest or result.baseline
    limits = [line.threshold for line in shown.slo if line.name == slo] if shown is not None else []
    layout: Spec = {
        "height": 300,
        "xaxis": {"title": {"text": "requests in flight" if closed else "requests per second"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": labelled(result, plot_text(shown_unit))}, "rangemode": "tozero"},
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": limit * factor,
                "y1": limit * factor,
                "line": {"color": RED, "dash": "dash", "width": 1.5},
            }
            for limit in limits
        ],
    }
    summary = f"{label} by load" + ("; dashed: the limit" if limits else "")
    return Figure(f"plot-load-{index}", label[0].upper() + label[1:], summary, tuple(traces), layout)


def load(point: LoadCurvePoint) -> float | None:
    """Where a point stands on the axis of loads."""
    return point.concurrency if point.concurrency is not None else point.request_rate


def scenario(point: LoadCurvePoint) -> str:
    """The scenario in the name of a load point."""
    return point.load_point.rpartition("@")[0] or point.load_point

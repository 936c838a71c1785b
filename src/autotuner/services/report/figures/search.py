"""Plots of the search: scores in their order, against what the SLOs limit, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.attempt import Phase
from autotuner.contracts.result import TaskResult
from autotuner.services.report.figures.figure import (
    BLUE,
    GREEN,
    GREY,
    MAX_TICKS,
    ORANGE,
    PURPLE,
    RED,
    TEAL,
    Figure,
    Spec,
    axis_scale,
    hover_text,
    labelled,
    plot_text,
    points,
    score_label,
    score_scale,
    scored_of,
    upwards,
    vertical,
)
from autotuner.services.report.wording import experiment_title, figure_of, one_line, winner_name

PHASES: Mapping[Phase, str] = {
    Phase.QUEUE: GREY,
    Phase.DEPLOY: PURPLE,
    Phase.LOAD: ORANGE,
    Phase.QUALITY: GREEN,
    Phase.WARM_UP: TEAL,
    Phase.MEASURE: BLUE,
    Phase.TEARDOWN: RED,
}
MAX_SLO_PLOTS = 4


def history_figure(result: TaskResult) -> Figure | None:
    """Score by experiment with the best so far, the baseline's level, and what violated an SLO or failed."""
    scored = scored_of(result)
    if not scored:
        return None
    eligible = [s for s in scored if s.eligible]
    violating = [s for s in scored if not s.eligible]
    failed = [s for s in result.experiments if s.score is None and s.failure is not None]
    traces: list[Spec] = [
        points(result, "keeps the hard SLOs", eligible, {"color": BLUE, "size": 9}),
        points(result, "violates a hard SLO", violating, {"color": ORANGE, "size": 9, "symbol": "diamond-open"}),
    ]
    factor = score_scale(result)[0]
    best: list[float] = []
    for summary in eligible:
        value = (summary.score or 0.0) * factor
        best.append(value if not best else max(best[-1], value) if upwards(result) else min(best[-1], value))
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [s.number for s in eligible] + [result.experiments[-1].number] * bool(best),
            "y": best + best[-1:],
            "line": {"color": GREEN, "width": 2, "shape": "hv"},
            "hoverinfo": "skip",
        }
    )
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "failed",
            "x": [s.number for s in failed],
            "y": [0.03] * len(failed),
            "yaxis": "y2",
            "marker": {"color": RED, "size": 10, "symbol": "x"},
            "hoverinfo": "text",
            "hovertext": [hover_text(result, s) for s in failed],
        }
    )
    shapes: list[Spec] = []
    if result.baseline is not None and result.baseline.score is not None:
        shapes.append(
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": result.baseline.score * factor,
                "y1": result.baseline.score * factor,
                "line": {"color": GREY, "dash": "dash", "width": 1.5},
            }
        )
    layout: Spec = {
        "xaxis": {"title": {"text": "experiment"}, "dtick": 1 if len(result.experiments) <= MAX_TICKS else None},
        "yaxis": {"title": {"text": score_label(result)}},
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "shapes": shapes,
    }
    shown = tuple(trace for trace in traces if trace["x"])
    summary_text = "Score by experiment; dashed: the baseline"
    return Figure("plot-history", "History", summary_text, shown, layout)


def slo_figures(result: TaskResult) -> list[Figure]:
    """Score against the metric of each SLO, with its limit; against the mean TTFT when there is none."""
    scored = scored_of(result)
    limits: dict[str, tuple[float, str]] = {}
    for summary in scored:
        for line in summary.slo:
            limits.setdefault(line.name, (line.threshold, line.unit))
    found: list[Figure] = []
    for index, (name, (threshold, unit)) in enumerate(list(limits.items())[:MAX_SLO_PLOTS]):
        actual = {s.number: line.actual for s in scored for line in s.slo if line.name == name}
        if unit == "share" and not any(actual.values()):
            continue
        found.append(_scatter(result, f"plot-slo-{index}", one_line(name), unit, actual, threshold))
    if not limits:
        ttft = {s.number: figure_of(s.metrics, "mean_ttft") for s in scored}
        found.append(_scatter(result, "plot-slo-0", "mean TTFT", "s", ttft, None))
    return [figure for figure in found if figure.data]


def phases_figure(result: TaskResult) -> Figure | None:
    """Where the time of each experiment went, of its first successful start."""
    timed = [s for s in result.experiments if s.phase_seconds]
    if not timed:
        return None
    titles = [plot_text(experiment_title(s)) for s in timed]
    traces: list[Spec] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": phase.value.replace("_", " "),
            "y": titles,
            "x": [s.phase_seconds.get(phase, 0.0) for s in timed],
            "marker": {"color": color},
            "hoverinfo": "x+name",
        }
        for phase, color in PHASES.items()
        if any(s.phase_seconds.get(phase) for s in timed)
    ]
    layout: Spec = {
        "barmode": "stack",
        "height": 140 + 18 * len(timed),
        "xaxis": {"title": {"text": "seconds"}},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
    }
    title = "Time of each first start"
    return Figure("plot-phases", title, "Seconds by phase and experiment", tuple(traces), layout)


def _scatter(
    result: TaskResult, name: str, label: str, unit: str, actual: Mapping[int, float | None], limit: float | None
) -> Figure:
    kinds: tuple[tuple[str, bool, Spec], ...] = (
        ("keeps the hard SLOs", True, {"color": BLUE, "size": 9}),
        ("violates a hard SLO", False, {"color": ORANGE, "size": 9, "symbol": "diamond-open"}),
    )
    scored = [s for s in scored_of(result) if actual.get(s.number) is not None]
    values = {s.number: actual[s.number] or 0.0 for s in scored}
    factor, shown_unit = axis_scale([*values.values(), limit], unit)
    traces = [
        {**points(result, title, members, marker), "x": [values[s.number] * factor for s in members]}
        for title, eligible, marker in kinds
        if (members := [s for s in scored if s.eligible is eligible])
    ]
    baseline = result.baseline.number if result.baseline else None
    chosen = None if result.winner is None or result.winner.number == baseline else result.winner
    for summary, title, symbol, color in (
        (chosen, winner_name(result), "star", GREEN),
        (result.baseline, "baseline", "square", GREY),
    ):
        if summary is not None and summary.number in values:
            marker: Spec = {"color": color, "size": 14, "symbol": symbol}
            traces.append({**points(result, title, [summary], marker), "x": [values[summary.number] * factor]})
    shapes = (
        [] if limit is None else [{**vertical(limit * factor), "line": {"color": RED, "dash": "dash", "width": 1.5}}]
    )
    layout: Spec = {
        "xaxis": {"title": {"text": labelled(result, plot_text(f"{label}, {shown_unit}"))}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": score_label(result)}},
        "shapes": shapes,
    }
    return Figure(name, f"{one_line(result.objective_label)} and {label}", "Dashed: the limit", tuple(traces), layout)

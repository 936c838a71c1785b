"""The plots of a report, as plotly specifications: plain data, so that neither plotly nor a browser is needed here.

Parallel coordinates are drawn as ordinary lines, not as plotly's own trace: that needs WebGL and compiles code at run
time, which the report's content security policy forbids, and it does not print.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotuner.contracts.attempt import Phase
from autotuner.contracts.result import ExperimentSummary, GridComparison, TaskResult
from autotuner.contracts.values import Scalar
from autotuner.services.report.wording import (
    PREDICTED,
    experiment_title,
    figure_of,
    one_line,
    parameter_name,
    parameter_value,
    parameters_text,
    percent,
    signed_percent,
    with_unit,
)

Spec = dict[str, object]

# Middle tones: readable on a light and on a dark page.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY, TEAL = (
    "#3b82c4",
    "#d9822b",
    "#2f9e6e",
    "#d1495b",
    "#8a63d2",
    "#8a8f98",
    "#1b9aaa",
)
SERIES = (BLUE, ORANGE, PURPLE, TEAL, RED, GREEN)
SCALE = ("#3f4788", "#31688e", "#26828e", "#35a37a", "#7ab648", "#c9a227")
"""From the worst to the best score."""
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
MAX_AXES = 12
MAX_TICKS = 12


@dataclass(frozen=True)
class Figure:
    """One plot. ``name`` is its element's id; ``summary`` says what it shows to somebody who does not see it."""

    name: str
    title: str
    summary: str
    data: tuple[Spec, ...]
    layout: Spec

    def spec(self) -> Spec:
        """What the page's script hands to plotly."""
        return {"data": list(self.data), "layout": self.layout}


def plot_text(text: str) -> str:
    """User text for a plot, which reads a little HTML itself."""
    return html.escape(one_line(text), quote=False)


def gain_figure(result: TaskResult) -> Figure | None:
    """Confirmed gain of each finalist with its interval."""
    gains = result.finalists or ((result.gain,) if result.gain else ())
    if not gains:
        return None
    titles = _titles(result)
    names = [titles.get(gain.experiment, f"#{gain.experiment}") for gain in gains]
    trace: Spec = {
        "type": "scatter",
        "mode": "markers",
        "x": [gain.gain * 100 for gain in gains],
        "y": names,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [((gain.high if gain.high is not None else gain.gain) - gain.gain) * 100 for gain in gains],
            "arrayminus": [(gain.gain - (gain.low if gain.low is not None else gain.gain)) * 100 for gain in gains],
            "thickness": 2,
            "width": 8,
            "color": BLUE,
        },
        "marker": {"size": 11, "color": [GREEN if gain.significant else GREY for gain in gains]},
        "hoverinfo": "text",
        "hovertext": [f"{name}: {signed_percent(gain.gain)}" for name, gain in zip(names, gains, strict=True)],
    }
    layout: Spec = {
        "height": 150 + 40 * len(gains),
        "xaxis": {"title": {"text": _label(result, "gain over the baseline, %")}, "zeroline": False},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "shapes": [_vertical(0.0)],
    }
    return Figure("plot-gain", "Gain over the baseline", "Gain of each finalist with its interval", (trace,), layout)


def starts_figure(result: TaskResult) -> Figure | None:
    """Score of every confirmation start, a line per experiment, paired by block."""
    points = [point for point in result.confirmation if point.score is not None]
    if not points:
        return None
    titles = _titles(result)
    baseline = result.baseline.number if result.baseline else None
    traces: list[Spec] = []
    for index, number in enumerate(sorted({point.experiment for point in points}, key=lambda n: (n != baseline, n))):
        own = sorted((point for point in points if point.experiment == number), key=lambda point: point.block)
        color = GREY if number == baseline else SERIES[(index - 1) % len(SERIES)]
        title = titles.get(number, f"#{number}")
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": title,
                "x": [point.block for point in own],
                "y": [point.score for point in own],
                "line": {"color": color, "width": 2},
                "marker": {"size": 8, "color": color},
                "hoverinfo": "text",
                "hovertext": [f"{title}, block {p.block}: {plot_text(with_unit(p.score, result.unit))}" for p in own],
            }
        )
    layout: Spec = {
        "xaxis": {"title": {"text": "block (one start of each)"}, "dtick": 1},
        "yaxis": {"title": {"text": _score_label(result)}},
    }
    return Figure("plot-starts", "Confirmation starts", "Score of each start, by block", tuple(traces), layout)


def grid_figure(result: TaskResult) -> Figure | None:
    """Where winner, baseline and references stand between nothing and the optimum, with random search's band."""
    grid = result.grid
    if grid is None:
        return None
    places = grid_places(grid)
    low, high = grid.random_low_fraction, grid.random_high_fraction
    shapes: list[Spec] = [_vertical(100.0)]
    if low is not None and high is not None:
        band: Spec = {"type": "rect", "xref": "x", "yref": "paper", "x0": low * 100, "x1": high * 100, "y0": 0, "y1": 1}
        shapes.append({**band, "fillcolor": ORANGE, "opacity": 0.18, "line": {"width": 0}, "layer": "below"})
    if grid.random_median_fraction is not None:
        line = _vertical(grid.random_median_fraction * 100)
        shapes.append({**line, "line": {"color": ORANGE, "dash": "dash", "width": 2}})
    known = [(name, share) for name, share in places if share is not None]
    trace: Spec = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [share * 100 for _, share in known],
        "y": [plot_text(name) for name, _ in known],
        "text": [percent(share) for _, share in known],
        "textposition": "top center",
        "cliponaxis": False,
        "marker": {"size": 13, "color": [GREEN, *[GREY] * len(known)][: len(known)]},
        "hoverinfo": "x+y",
    }
    layout: Spec = {
        "height": 170 + 45 * len(known),
        "xaxis": {"title": {"text": _label(result, "% of the optimum; band: random search, 5th to 95th percentile")}},
        "yaxis": {"type": "category", "range": [len(known) - 0.6, -0.8], "automargin": True},
        "shapes": shapes,
    }
    return Figure("plot-grid", "Against the measured grid", "Scores as a share of the optimum", (trace,), layout)


def grid_places(grid: GridComparison) -> list[tuple[str, float | None]]:
    """Name and share of the optimum of everything placed in the grid."""
    return [
        ("winner", grid.winner_fraction),
        ("random search", grid.random_median_fraction),
        ("baseline", grid.baseline_fraction),
        *((one_line(label), share) for label, share in grid.reference_fractions.items()),
    ]


def history_figure(result: TaskResult) -> Figure | None:
    """Score by experiment with the best so far, the baseline's level, and what violated an SLO or failed."""
    scored = _scored(result)
    if not scored:
        return None
    eligible = [s for s in scored if s.eligible]
    violating = [s for s in scored if not s.eligible]
    failed = [s for s in result.experiments if s.score is None and s.failure is not None]
    traces: list[Spec] = [
        _points(result, "keeps the hard SLOs", eligible, {"color": BLUE, "size": 9}),
        _points(result, "violates a hard SLO", violating, {"color": ORANGE, "size": 9, "symbol": "diamond-open"}),
    ]
    best: list[float] = []
    for summary in eligible:
        value = summary.score if summary.score is not None else 0.0
        best.append(value if not best else max(best[-1], value) if _up(result) else min(best[-1], value))
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
            "hovertext": [_hover(result, s) for s in failed],
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
                "y0": result.baseline.score,
                "y1": result.baseline.score,
                "line": {"color": GREY, "dash": "dash", "width": 1.5},
            }
        )
    layout: Spec = {
        "xaxis": {"title": {"text": "experiment"}, "dtick": 1 if len(result.experiments) <= MAX_TICKS else None},
        "yaxis": {"title": {"text": _score_label(result)}},
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "shapes": shapes,
    }
    shown = tuple(trace for trace in traces if trace["x"])
    summary_text = "Score by experiment; dashed: the baseline"
    return Figure("plot-history", "History", summary_text, shown, layout)


def slo_figures(result: TaskResult) -> list[Figure]:
    """Score against the metric of each SLO, with its limit; against the mean TTFT when there is none."""
    scored = _scored(result)
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


def parallel_figure(result: TaskResult) -> Figure | None:
    """One line per measured experiment through its parameters to its score; colour is the score."""
    scored = _scored(result)
    names = varied_parameters(scored)[:MAX_AXES]
    scores = [s.score for s in scored if s.score is not None]
    if not names or len(scored) < 2 or min(scores) == max(scores):
        return None
    places = {name: _places([s.parameters.get(name) for s in scored]) for name in names}
    low, high = min(scores), max(scores)
    lines: list[list[ExperimentSummary]] = [[] for _ in SCALE]
    for summary in scored:
        share = ((summary.score or 0.0) - low) / (high - low)
        lines[min(int((share if _up(result) else 1 - share) * len(SCALE)), len(SCALE) - 1)].append(summary)
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
            "ticktext": [*(plot_text(parameter_name(name)) for name in names), _score_label(result)],
            "side": "top",
            "showgrid": False,
            "zeroline": False,
            "range": [-0.3, len(names) + 0.5],
            "automargin": True,
        },
        "yaxis": {"visible": False, "range": [-0.06, 1.06]},
        "shapes": [_vertical(float(column)) for column in columns],
    }
    title = "Parallel coordinates"
    return Figure("plot-parallel", title, "A line per experiment; bright is good", tuple(traces), layout)


def slice_figures(result: TaskResult) -> list[Figure]:
    """Scores by the values of each varied parameter."""
    scored = _scored(result)
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
                    "y": [s.score for s in own],
                    "boxpoints": "all",
                    "jitter": 0.4,
                    "pointpos": 0,
                    "fillcolor": "rgba(138,143,152,0.15)",
                    "line": {"width": 1, "color": GREY},
                    "marker": {"color": BLUE, "size": 6, "opacity": 0.8},
                    "hoveron": "points",
                    "hoverinfo": "text",
                    "hovertext": [_hover(result, s) for s in own],
                }
            )
        layout: Spec = {
            "height": 300,
            "showlegend": False,
            "xaxis": {"type": "category", "title": {"text": plot_text(parameter_name(name))}, "automargin": True},
            "yaxis": {"title": {"text": _score_label(result)}},
        }
        title = parameter_name(name)
        found.append(Figure(f"plot-slice-{index}", title, f"Score by value of {title}", tuple(traces), layout))
    return found


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


def varied_parameters(summaries: Sequence[ExperimentSummary]) -> list[str]:
    """Names of the parameters with more than one value, in the order in which they occur."""
    values: dict[str, set[tuple[str, Scalar]]] = {}
    for summary in summaries:
        for name, value in summary.parameters.items():
            values.setdefault(name, set()).add(_key(value))
    return [name for name, found in values.items() if len(found) > 1]


def _scored(result: TaskResult) -> list[ExperimentSummary]:
    """Experiments with a score that can be drawn."""
    return [s for s in result.experiments if s.score is not None and math.isfinite(s.score)]


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
        hover = _hover(result, summary)
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


def _scatter(
    result: TaskResult, name: str, label: str, unit: str, actual: Mapping[int, float | None], limit: float | None
) -> Figure:
    kinds: tuple[tuple[str, bool, Spec], ...] = (
        ("keeps the hard SLOs", True, {"color": BLUE, "size": 9}),
        ("violates a hard SLO", False, {"color": ORANGE, "size": 9, "symbol": "diamond-open"}),
    )
    scored = [s for s in _scored(result) if actual.get(s.number) is not None]
    traces = [
        {**_points(result, title, members, marker), "x": [actual[s.number] for s in members]}
        for title, eligible, marker in kinds
        if (members := [s for s in scored if s.eligible is eligible])
    ]
    for summary, title, symbol, color in (
        (result.winner, "winner", "star", GREEN),
        (result.baseline, "baseline", "square", GREY),
    ):
        if summary is not None and summary.score is not None and actual.get(summary.number) is not None:
            marker: Spec = {"color": color, "size": 14, "symbol": symbol}
            traces.append({**_points(result, title, [summary], marker), "x": [actual[summary.number]]})
    shapes = [] if limit is None else [{**_vertical(limit), "line": {"color": RED, "dash": "dash", "width": 1.5}}]
    layout: Spec = {
        "xaxis": {"title": {"text": _label(result, plot_text(f"{label}, {unit}"))}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": _score_label(result)}},
        "shapes": shapes,
    }
    return Figure(name, f"{one_line(result.objective_label)} and {label}", "Dashed: the limit", tuple(traces), layout)


def _points(result: TaskResult, title: str, summaries: Sequence[ExperimentSummary], marker: Spec) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": title,
        "x": [s.number for s in summaries],
        "y": [s.score for s in summaries],
        "marker": marker,
        "hoverinfo": "text",
        "hovertext": [_hover(result, s) for s in summaries],
    }


def _hover(result: TaskResult, summary: ExperimentSummary) -> str:
    lines = [plot_text(experiment_title(summary))]
    if summary.score is not None:
        lines.append(plot_text(with_unit(summary.score, result.unit)) + (f" ({PREDICTED})" if result.predicted else ""))
    if summary.failure is not None:
        lines.append(plot_text(f"{summary.failure.kind.value}: {summary.failure.diagnosis}")[:200])
    if summary.slo_reason:
        lines.append(plot_text(summary.slo_reason))
    lines += [plot_text(parameters_text({name: value})) for name, value in summary.parameters.items()]
    return "<br>".join(lines)


def _titles(result: TaskResult) -> dict[int, str]:
    known = [*result.experiments, *result.references, *(s for s in (result.baseline, result.winner) if s)]
    return {s.number: plot_text(experiment_title(s)) for s in known}


def _up(result: TaskResult) -> bool:
    return result.direction == "maximize"


def _label(result: TaskResult, text: str) -> str:
    return f"{text} ({PREDICTED})" if result.predicted else text


def _score_label(result: TaskResult) -> str:
    unit = "" if result.unit in result.objective_label else f", {result.unit}"
    return _label(result, plot_text(f"{result.objective_label}{unit}"))


def _vertical(x: float) -> Spec:
    place: Spec = {"type": "line", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1}
    return {**place, "line": {"color": GREY, "width": 1}, "layer": "below"}

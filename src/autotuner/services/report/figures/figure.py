"""What every plot is made of: its type, its colours, and the words on it."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.report.wording import (
    PREDICTED,
    experiment_title,
    one_line,
    parameters_text,
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


def scored_of(result: TaskResult) -> list[ExperimentSummary]:
    """Experiments with a score that can be drawn."""
    return [s for s in result.experiments if s.score is not None and math.isfinite(s.score)]


def points(result: TaskResult, title: str, summaries: Sequence[ExperimentSummary], marker: Spec) -> Spec:
    """Experiments as marks: number against score."""
    factor = score_scale(result)[0]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": title,
        "x": [s.number for s in summaries],
        "y": [(s.score or 0.0) * factor for s in summaries],
        "marker": marker,
        "hoverinfo": "text",
        "hovertext": [hover_text(result, s) for s in summaries],
    }


def hover_text(result: TaskResult, summary: ExperimentSummary) -> str:
    """What is shown beside an experiment that is pointed at."""
    lines = [plot_text(experiment_title(summary))]
    if summary.score is not None:
        lines.append(plot_text(with_unit(summary.score, result.unit)) + (f" ({PREDICTED})" if result.predicted else ""))
    if summary.failure is not None:
        lines.append(plot_text(f"{summary.failure.kind.value}: {summary.failure.diagnosis}")[:200])
    if summary.slo_reason:
        lines.append(plot_text(summary.slo_reason))
    lines += [plot_text(parameters_text({name: value})) for name, value in summary.parameters.items()]
    return "<br>".join(lines)


def titles_of(result: TaskResult) -> dict[int, str]:
    """Titles of all experiments by number."""
    known = [*result.experiments, *result.references, *(s for s in (result.baseline, result.winner) if s)]
    return {s.number: plot_text(experiment_title(s)) for s in known}


def upwards(result: TaskResult) -> bool:
    """Whether a higher score is better."""
    return result.direction == "maximize"


def labelled(result: TaskResult, text: str) -> str:
    """The text of an axis, marked where its figures are predictions."""
    return f"{text} ({PREDICTED})" if result.predicted else text


def score_label(result: TaskResult) -> str:
    """The label of an axis that shows the score."""
    unit = score_scale(result)[1]
    unit = "" if unit in result.objective_label else f", {unit}"
    return labelled(result, plot_text(f"{result.objective_label}{unit}"))


def score_unit(result: TaskResult) -> str:
    """The same for a small plot, whose text says what the score is."""
    return labelled(result, plot_text(score_scale(result)[1] or result.objective_label))


def vertical(x: float) -> Spec:
    """A thin line across the plot."""
    place: Spec = {"type": "line", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1}
    return {**place, "line": {"color": GREY, "width": 1}, "layer": "below"}


def axis_scale(values: Sequence[float | None], unit: str) -> tuple[float, str]:
    """By what the values of an axis are multiplied, and the unit they have then: as tables show them.

    Seconds become milliseconds where all are below one, shares become per cent.
    """
    known = [abs(value) for value in values if value is not None and math.isfinite(value)]
    if unit == "s" and known and max(known) < 1:
        return 1000.0, "ms"
    return (100.0, "%") if unit == "share" else (1.0, unit)


def score_scale(result: TaskResult) -> tuple[float, str]:
    """``axis_scale`` of the scores, the same in every plot of a report."""
    return axis_scale([s.score for s in result.experiments], result.unit)

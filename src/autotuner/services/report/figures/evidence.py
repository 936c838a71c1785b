"""Plots of the evidence: confirmed gains, the starts behind them, the measured grid."""

from __future__ import annotations

from autotuner.contracts.result import GridComparison, TaskResult
from autotuner.services.report.figures.figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SERIES,
    Figure,
    Spec,
    labelled,
    plot_text,
    score_label,
    score_scale,
    titles_of,
    vertical,
)
from autotuner.services.report.wording import one_line, percent, signed_percent, with_unit


def gain_figure(result: TaskResult) -> Figure | None:
    """Confirmed gain of each finalist with its interval."""
    gains = result.finalists or ((result.gain,) if result.gain else ())
    if not gains:
        return None
    titles = titles_of(result)
    names = [titles.get(gain.experiment, f"#{gain.experiment}") for gain in gains]
    trace: Spec = {
        "type": "scatter",
        "mode": "markers",
        "x": [gain.gain * 100 for gain in gains],
        "y": names,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [
                ((gain.gain if gain.high is None or gain.vague else gain.high) - gain.gain) * 100 for gain in gains
            ],
            "arrayminus": [
                (gain.gain - (gain.gain if gain.low is None or gain.vague else gain.low)) * 100 for gain in gains
            ],
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
        "xaxis": {"title": {"text": labelled(result, "gain over the baseline, %")}, "zeroline": False},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "shapes": [vertical(0.0)],
    }
    return Figure("plot-gain", "Gain over the baseline", "Gain of each finalist with its interval", (trace,), layout)


def starts_figure(result: TaskResult) -> Figure | None:
    """Score of every confirmation start, a line per experiment, paired by block."""
    points = [point for point in result.confirmation if point.score is not None]
    if not points:
        return None
    titles = titles_of(result)
    baseline = result.baseline.number if result.baseline else None
    factor = score_scale(result)[0]
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
                "y": [(point.score or 0.0) * factor for point in own],
                "line": {"color": color, "width": 2},
                "marker": {"size": 8, "color": color},
                "hoverinfo": "text",
                "hovertext": [f"{title}, block {p.block}: {plot_text(with_unit(p.score, result.unit))}" for p in own],
            }
        )
    layout: Spec = {
        "xaxis": {"title": {"text": "block (one start of each)"}, "dtick": 1},
        "yaxis": {"title": {"text": score_label(result)}},
    }
    return Figure("plot-starts", "Confirmation starts", "Score of each start, by block", tuple(traces), layout)


def grid_figure(result: TaskResult) -> Figure | None:
    """Where winner, baseline and references stand between nothing and the optimum, with random search's band."""
    grid = result.grid
    if grid is None:
        return None
    places = grid_places(grid)
    low, high = grid.random_low_fraction, grid.random_high_fraction
    shapes: list[Spec] = [vertical(100.0)]
    if low is not None and high is not None:
        band: Spec = {"type": "rect", "xref": "x", "yref": "paper", "x0": low * 100, "x1": high * 100, "y0": 0, "y1": 1}
        shapes.append({**band, "fillcolor": ORANGE, "opacity": 0.18, "line": {"width": 0}, "layer": "below"})
    if grid.random_median_fraction is not None:
        line = vertical(grid.random_median_fraction * 100)
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
        "xaxis": {"title": {"text": labelled(result, "% of the optimum; band: random search, 5th to 95th percentile")}},
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

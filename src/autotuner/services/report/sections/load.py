"""Throughput and latency over the loads that were measured."""

from __future__ import annotations

from autotuner.contracts.result import TaskResult
from autotuner.services.report import figures
from autotuner.services.report.figures.load import CURVES
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import Plot, predicted_mark, section, table
from autotuner.services.report.wording import experiment_title, one_line, with_unit


def load_curve(result: TaskResult, plot: Plot) -> Html | None:
    """Curves of the chosen configuration and of the baseline; nothing where one load alone was measured."""
    if not result.load_curves:
        return None
    titles = {s.number: experiment_title(s) for s in (result.winner, result.nearest, result.baseline) if s is not None}
    known = {name for curve in result.load_curves for point in curve.points for name in point.figures}
    columns = [(name, label, unit) for name, label, unit, _ in CURVES if name in known]
    head = tag(
        "tr",
        tag("th", "configuration"),
        tag("th", "load"),
        tag("th", "windows", class_="figure"),
        [tag("th", label, class_="figure") for _, label, _ in columns],
    )
    rows = [
        tag(
            "tr",
            tag("th", titles.get(curve.experiment, f"#{curve.experiment}"), scope="row"),
            tag("td", one_line(point.load_point)),
            tag("td", str(point.windows), class_="figure"),
            [tag("td", with_unit(point.figures.get(name), unit), class_="figure") for name, _, unit in columns],
        )
        for curve in result.load_curves
        for point in curve.points
    ]
    starts = ", ".join(
        f"{titles.get(curve.experiment, f'#{curve.experiment}')}: {curve.starts} "
        + ("start" if curve.starts == 1 else "starts")
        for curve in result.load_curves
    )
    drawn = [plot(figure) for figure in figures.load_figures(result)]
    parts: list[Child] = [
        tag("p", f"Means over all windows ({starts}). ", predicted_mark(result), class_="note"),
        tag("div", drawn, class_="trio") if any(drawn) else None,
        tag("details", tag("summary", "Figures at each load"), table(head, rows)) if any(drawn) else table(head, rows),
    ]
    return section("Load curve", parts)

"""Several objectives: the trade-offs, and how sure they are."""

from __future__ import annotations

from autotuner.contracts.result import TaskResult
from autotuner.services.report import figures
from autotuner.services.report.findings_text import front_role, front_sentence, place_text, score_range, shown_points
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import Plot, predicted_mark, section, table
from autotuner.services.report.wording import (
    experiment_title,
    one_line,
    parameter_name,
    parameter_value,
    percent,
)

MOST_BEHIND = 10


def trade_offs(result: TaskResult, plot: Plot) -> Html | None:
    """The Pareto front; nothing with one objective."""
    found = result.pareto
    if found is None:
        return None
    summaries = {s.number: s for s in result.experiments}
    shown = shown_points(found, MOST_BEHIND)
    names = list(
        dict.fromkeys(n for p in shown if p.experiment in summaries for n in summaries[p.experiment].parameters)
    )
    titles = ["configuration", "stands for", *(one_line(o.label) for o in found.objectives), "place", "starts"]
    figure = range(2, 2 + len(found.objectives))
    head = tag(
        "tr",
        [tag("th", title, scope="col", class_="figure" if i in figure else None) for i, title in enumerate(titles)],
        [tag("th", parameter_name(name), scope="col") for name in names],
    )
    rows = []
    for point in shown:
        summary = summaries.get(point.experiment)
        tone = {"front": "good", "unclear": "warn"}.get(point.place or "", "bad" if not point.eligible else None)
        rows.append(
            tag(
                "tr",
                tag("th", experiment_title(summary) if summary else f"#{point.experiment}", scope="row"),
                tag("td", front_role(found, point)),
                [tag("td", score_range(found, point, axis), class_="figure") for axis in range(len(found.objectives))],
                tag("td", place_text(point), class_=f"{tone} line" if tone else "line"),
                tag("td", str(point.starts), class_="figure"),
                [
                    tag("td", parameter_value(n, summary.parameters[n]) if summary and n in summary.parameters else "")
                    for n in names
                ],
                class_="best" if point.on_front else None,
            )
        )
    noises = [f"{one_line(o.label)} {percent(o.noise)}" for o in found.objectives if o.noise is not None]
    left = len(found.points) - len(shown) + found.left_out
    plots = [plot(made) for made in figures.trade_off_figures(result)]
    parts: list[Child] = [
        tag("p", front_sentence(found), " ", predicted_mark(result)),
        tag("p", f"Noise from start to start: {', '.join(noises)}.", class_="note") if noises else None,
        tag("div", plots, class_="pair" if len(plots) > 1 else None) if any(plots) else None,
        table(head, rows),
        tag("p", f"{left} more {'is' if left == 1 else 'are'} not listed.", class_="note") if left else None,
    ]
    return section("Trade-offs", parts)

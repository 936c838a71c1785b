"""How the search went: its history, its parameters, its time, and every experiment."""

from __future__ import annotations

from autotuner.contracts.result import TaskResult
from autotuner.services.report import figures
from autotuner.services.report.findings_text import slo_tone, slo_word
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import Plot, figure_cell, row, section, table, value_cell
from autotuner.services.report.wording import (
    PREDICTED,
    counted,
    duration,
    ended_early,
    experiment_title,
    figure_of,
    measuring_text,
    parameter_name,
    percent,
    shown_metrics,
    winner_name,
    with_unit,
)


def history(result: TaskResult, plot: Plot) -> Html | None:
    """How the search went: scores in their order, and against what the SLOs limit."""
    wide = [plot(figures.history_figure(result)), *(plot(figure) for figure in figures.slo_figures(result))]
    return section("Search", [tag("div", wide, class_="pair")]) if any(wide) else None


def time_spent(result: TaskResult, plot: Plot) -> Html | None:
    """Seconds by phase, over all attempts and by experiment."""
    total = sum(result.phase_seconds.values())
    if not total:
        return None
    rows = [
        row(phase.value.replace("_", " "), [duration(seconds), percent(seconds / total)])
        for phase, seconds in result.phase_seconds.items()
    ]
    head = tag("tr", tag("th", "phase"), tag("th", "time", class_="figure"), tag("th", "share", class_="figure"))
    starts = counted(result.attempts, "server start")
    caption = f"{starts}; {duration(result.elapsed_s)} from start to end of the task"
    measuring = measuring_text(result.measuring)
    parts: list[Child] = [table(head, rows, caption=caption), plot(figures.phases_figure(result))]
    parts += [tag("p", f"{measuring}.")] if measuring else []
    return section("Where the time went", parts)


def experiments(result: TaskResult) -> Html | None:
    """Every experiment in one table."""
    if not result.experiments:
        return None
    names = list(dict.fromkeys(name for s in result.experiments for name in s.parameters))
    metrics = shown_metrics(result.experiments)
    headers = ["experiment", "status", f"score, {result.unit}" + (f" ({PREDICTED})" if result.predicted else "")]
    headers += ["SLOs", *(parameter_name(name) for name in names), *(label for _, label, _ in metrics)]
    first_figure = 4 + len(names)
    head = tag(
        "tr",
        [
            tag("th", title, scope="col", class_="figure" if i == 2 or i >= first_figure else None)
            for i, title in enumerate(headers)
        ],
    )
    winner = result.winner.number if result.winner else None
    baseline = result.baseline.number if result.baseline else None
    mark = f" ({winner_name(result)})" if winner != baseline else ""
    rows: list[Html] = []
    for s in result.experiments:
        cells: list[Child] = [
            tag(
                "th",
                experiment_title(s) + mark * (s.number == winner),
                scope="row",
                data_sort=s.number,
            ),
            tag(
                "td",
                s.failure.kind.value if s.failure else s.status.value,
                class_="bad" if s.failure else None,
                title=ended_early(s) or None,
            ),
            figure_cell(s.score, with_unit(s.score, result.unit)),
            tag("td", slo_word(s), class_=slo_tone(s), title=s.slo_reason),
        ]
        cells += [value_cell(name, s) for name in names]
        for metric, _, unit in metrics:
            value = figure_of(s.metrics, metric)
            cells.append(figure_cell(value, with_unit(value, unit)))
        rows.append(tag("tr", cells, class_="best" if s.number == winner else None))
    counts = ", ".join(f"{count} {status}" for status, count in result.counts.items() if count)
    return section("Experiments", [table(head, rows, caption=counts or None, sortable=True)])

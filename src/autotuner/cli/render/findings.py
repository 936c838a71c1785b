"""Trade-offs, importance and differences on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.report.findings_text import (
    change_text,
    clear_text,
    comparison_basis,
    front_role,
    front_sentence,
    importance_lines,
    importance_sentence,
    metric_name,
    metric_value,
    place_text,
    score_range,
    shown_points,
)
from autotuner.services.report.wording import PREDICTED, chosen_title, experiment_title, one_line, parameters_text

MOST_BEHIND = 3
"""So many configurations behind the front are listed with it."""


def comparison_tables(result: TaskResult) -> list[Table]:
    """Every metric of the chosen configuration against the baseline, and against the best of the search."""
    summaries = {s.number: s for s in (*result.experiments, *filter(None, (result.winner, result.baseline)))}
    tables: list[Table] = []
    for found in result.comparisons:
        if not found.metrics:
            continue
        own, other = summaries.get(found.experiment), summaries.get(found.other)
        table = Table(show_edge=False, pad_edge=False, header_style="bold", title_justify="left", title_style="")
        table.title = Text(f"Figures {comparison_basis(found)}{_mark(result)}")
        own_title = chosen_title(result, own) if own else f"#{found.experiment}"
        other_title = experiment_title(other) if other else f"#{found.other}"
        if found.other_is == "best of the search":
            other_title += " (best of the search)"
        for index, header in enumerate(("", own_title, other_title, "difference", "")):
            table.add_column(Text(one_line(header)), justify="right" if 0 < index < 4 else "left", overflow="fold")
        for d in found.metrics:
            cells = (metric_name(d.metric), metric_value(d.metric, d.own), metric_value(d.metric, d.other))
            style = "" if d.clear else "dim"
            table.add_row(*map(Text, cells), Text(change_text(d)), Text(clear_text(d), style=style))
        tables.append(table)
    return tables


def trade_off_table(result: TaskResult) -> tuple[Text, Table] | None:
    """The front, what cannot be told from it, and a few more; None with one objective."""
    found = result.pareto
    if found is None:
        return None
    summaries = {s.number: s for s in result.experiments}
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    shown = shown_points(found, MOST_BEHIND)
    varied = _varied([summaries[p.experiment] for p in shown if p.experiment in summaries])
    named = "parameters that differ" if varied else ""
    headers = ("trade-offs", *(one_line(o.label) for o in found.objectives), "place", "stands for", named)
    for index, header in enumerate(headers):
        figure = 0 < index <= len(found.objectives)
        table.add_column(Text(header), justify="right" if figure else "left", overflow="fold")
    styles = {"front": "green", "unclear": "yellow"}
    for point in shown:
        summary = summaries.get(point.experiment)
        table.add_row(
            Text(experiment_title(summary) if summary else f"#{point.experiment}"),
            *(Text(score_range(found, point, axis)) for axis in range(len(found.objectives))),
            Text(place_text(point), style=styles.get(point.place or "", "")),
            Text(front_role(found, point)),
            Text(parameters_text({n: v for n, v in summary.parameters.items() if n in varied}) if summary else ""),
        )
    return Text(front_sentence(found) + _mark(result)), table


def importance_text(result: TaskResult) -> Text | None:
    """The importance of the parameters in two lines, or why there is none."""
    found = result.importance
    if found is None:
        return None
    if found.note is not None:
        return Text(importance_sentence(found), style="dim")
    lines = ", ".join(importance_lines(found))
    text = Text(f"Parameter importance{_mark(result)}: {lines}\n")
    return text.append(importance_sentence(found), style="dim")


def _mark(result: TaskResult) -> str:
    return f" ({PREDICTED})" if result.predicted else ""


def _varied(summaries: Sequence[ExperimentSummary]) -> set[str]:
    """Parameters that have not the same value in all of them."""
    names = {name for summary in summaries for name in summary.parameters}
    return {name for name in names if len({repr(s.parameters.get(name, "absent")) for s in summaries}) > 1}

"""The winner beside the baseline: parameters, figures, commands."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.report.markup import Child, Html, group, tag
from autotuner.services.report.sections.parts import predicted_mark, row, section, table
from autotuner.services.report.wording import (
    MISSING,
    command_line,
    experiment_title,
    figure_of,
    gain_of,
    one_line,
    parameter_name,
    parameter_value,
    score_text,
    shown_metrics,
    signed_percent,
    slo_status,
    with_unit,
)


def comparison(result: TaskResult) -> Html | None:
    """The winner (or, when nothing keeps the SLOs, the nearest) beside baseline and references."""
    chosen = result.winner or result.nearest
    columns = [s for s in (chosen, result.baseline, *result.references) if s is not None]
    columns = list({s.number: s for s in columns}.values())
    if not columns:
        return None
    name = "Winner" if result.winner else "Nearest to the SLOs"
    titles = [
        f"{name} {experiment_title(s)}" if chosen and s.number == chosen.number else experiment_title(s)
        for s in columns
    ]
    rows: list[Html] = [row("score", [score_text(result, s.score) for s in columns])]
    baseline = result.baseline.score if result.baseline else None
    shares = [gain_of(s.score, baseline, result.direction) for s in columns]
    rows.append(row("against the baseline (one start)", [signed_percent(share) for share in shares]))
    for metric, label, unit in shown_metrics(columns, server=True):
        rows.append(row(label, [with_unit(figure_of(s.metrics, metric), unit) for s in columns]))
    for slo in dict.fromkeys(line.name for s in columns for line in s.slo):
        lines = [next((line for line in s.slo if line.name == slo), None) for s in columns]
        rows.append(row(f"SLO {one_line(slo)}", [slo_status(line) if line else MISSING for line in lines]))
    head = tag("tr", tag("th", "figure"), [tag("th", title, class_="figure") for title in titles])
    parts: list[Child] = []
    if chosen is not None and chosen.slo_reason:
        parts.append(tag("p", chosen.slo_reason, class_="banner"))
    parts += [_differences(result), _parameters(columns, titles)]
    parts += [tag("h3", "Figures ", predicted_mark(result)), table(head, rows)]
    if any(s.argv for s in columns):
        parts.append(tag("h3", "Commands"))
        parts += [_command(s, title) for s, title in zip(columns, titles, strict=True) if s.argv]
    return section(f"{name} beside the baseline" if result.baseline else name, parts)


def _differences(result: TaskResult) -> Html | None:
    if not result.differences:
        return None
    head = tag("tr", tag("th", "parameter"), tag("th", "baseline"), tag("th", "winner"))
    rows = [
        row(parameter_name(name), [parameter_value(name, old), parameter_value(name, new)], figure=False)
        for name, (old, new) in result.differences.items()
    ]
    return group(tag("h3", "What differs"), table(head, rows))


def _parameters(columns: Sequence[ExperimentSummary], titles: Sequence[str]) -> Html | None:
    names = list(dict.fromkeys(name for s in columns for name in s.parameters))
    if not names:
        return None
    head = tag("tr", tag("th", "parameter"), [tag("th", title) for title in titles])
    rows = [
        row(
            parameter_name(name),
            [parameter_value(name, s.parameters[name]) if name in s.parameters else MISSING for s in columns],
            figure=False,
        )
        for name in names
    ]
    return tag("details", tag("summary", "All parameters"), table(head, rows))


def _command(summary: ExperimentSummary, title: str) -> Html:
    identifier = f"command-{summary.number}"
    button = tag("button", "Copy", class_="copy", type="button", data_copy=identifier, hidden=True)
    return group(tag("p", title, " ", button), tag("pre", command_line(summary.argv), id=identifier))

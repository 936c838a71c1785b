"""The chosen configuration beside the baseline: parameters, figures, commands."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.findings import Comparison
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.report.findings_text import (
    change_text,
    clear_text,
    comparison_basis,
    metric_name,
    metric_value,
)
from autotuner.services.report.markup import Child, Html, group, tag
from autotuner.services.report.sections.parts import predicted_mark, row, section, table
from autotuner.services.report.wording import (
    MISSING,
    SERVER_METRICS,
    chosen_title,
    command_line,
    figure_of,
    gain_of,
    one_line,
    parameter_name,
    parameter_value,
    percent,
    score_text,
    shown_metrics,
    signed_percent,
    slo_status,
    winner_name,
    with_unit,
)

_TONES = {True: "good", False: None, None: None}


def comparison(result: TaskResult) -> Html | None:
    """The chosen configuration beside baseline and references."""
    chosen = result.winner or result.nearest
    columns = shown_columns(result)
    if not columns:
        return None
    titles = [chosen_title(result, s) for s in columns]
    parts: list[Child] = []
    if chosen is not None and chosen.slo_reason:
        parts.append(tag("p", chosen.slo_reason, class_="banner"))
    parts += [_against(result, found) for found in result.comparisons] or [_differences(result)]
    parts += [_parameters(columns, titles), _figures(result, columns, titles)]
    if any(s.argv for s in columns):
        parts.append(tag("h3", "Commands"))
        parts += [_command(s, title) for s, title in zip(columns, titles, strict=True) if s.argv]
    return section(_title(result), parts)


def server_figures(result: TaskResult) -> Html | None:
    """What servers and their GPUs told of themselves in the starts of the search."""
    columns = shown_columns(result)
    shown = [entry for entry in shown_metrics(columns, server=True) if entry in SERVER_METRICS]
    if not shown:
        return None
    rows = [row(label, [with_unit(figure_of(s.metrics, name), unit) for s in columns]) for name, label, unit in shown]
    head = tag("tr", tag("th", "figure"), [tag("th", chosen_title(result, s), class_="figure") for s in columns])
    return section("What the server told", [table(head, rows, caption="While it was measured, one start each")])


def shown_columns(result: TaskResult) -> list[ExperimentSummary]:
    """The chosen configuration, the baseline and the references, each once."""
    columns = [s for s in (result.winner or result.nearest, result.baseline, *result.references) if s is not None]
    return list({s.number: s for s in columns}.values())


def _title(result: TaskResult) -> str:
    if result.winner is None:
        name = "Nearest to the SLOs" if result.nearest else "Baseline"
    elif result.baseline is not None and result.baseline.number == result.winner.number:
        return "Baseline"
    else:
        word = winner_name(result)
        name = word[0].upper() + word[1:]
    return f"{name} beside the baseline" if result.baseline and name != "Baseline" else name


def _against(result: TaskResult, found: Comparison) -> Html:
    """What was set differently, and what came of it."""
    summaries = {s.number: s for s in (*shown_columns(result), *result.experiments)}
    own, other = summaries.get(found.experiment), summaries.get(found.other)
    own_title = chosen_title(result, own) if own else f"#{found.experiment}"
    other_title = chosen_title(result, other) if other else f"#{found.other}"
    if found.other_is == "best of the search":
        heading = f"Against {other_title}, which the search measured as best"
    else:
        heading = f"Against {other_title}"
    settings = [
        row(parameter_name(name), [parameter_value(name, value), parameter_value(name, old)], figure=False)
        for name, (old, value) in found.parameters.items()
    ]
    options = [
        row("only in its command", [", ".join(options) or MISSING for options in _commands(found)], figure=False)
    ]
    metrics = [
        tag(
            "tr",
            tag("th", metric_name(d.metric), scope="row"),
            tag("td", metric_value(d.metric, d.own), class_="figure"),
            tag("td", metric_value(d.metric, d.other), class_="figure"),
            tag("td", change_text(d), class_="figure"),
            tag("td", percent(d.noise), class_="figure"),
            tag("td", clear_text(d), class_=_TONES[d.clear]),
        )
        for d in found.metrics
    ]
    names = (own_title, other_title, "difference", "noise", "")
    return group(
        tag("h3", heading, " ", predicted_mark(result)),
        table(
            tag("tr", tag("th", "set differently"), tag("th", own_title), tag("th", other_title)),
            settings + (options if any(_commands(found)) else []),
        )
        if settings or any(_commands(found))
        else tag("p", "Both have the same parameters.", class_="note"),
        table(
            tag("tr", tag("th", "figure"), [tag("th", name, class_="figure" if name else None) for name in names]),
            metrics,
            caption=f"Figures {comparison_basis(found)}"
            + ("; an interval holds for its line alone" if any(d.low is not None for d in found.metrics) else ""),
        )
        if metrics
        else None,
    )


def _commands(found: Comparison) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return found.arguments_added, found.arguments_removed


def _figures(result: TaskResult, columns: Sequence[ExperimentSummary], titles: Sequence[str]) -> Html:
    """Every figure of the start that the search measured."""
    rows: list[Html] = [row("score", [score_text(result, s.score) for s in columns])]
    baseline = result.baseline.score if result.baseline else None
    shares = [gain_of(s.score, baseline, result.direction) for s in columns]
    if baseline is not None and len(columns) > 1:
        rows.append(row("against the baseline", [signed_percent(share) for share in shares]))
    for metric, label, unit in shown_metrics(columns):
        rows.append(row(label, [with_unit(figure_of(s.metrics, metric), unit) for s in columns]))
    for slo in dict.fromkeys(line.name for s in columns for line in s.slo):
        lines = [next((line for line in s.slo if line.name == slo), None) for s in columns]
        rows.append(row(f"SLO {one_line(slo)}", [slo_status(line) if line else MISSING for line in lines]))
    head = tag("tr", tag("th", "figure"), [tag("th", title, class_="figure") for title in titles])
    return group(
        tag("h3", "Figures of the search, one start each ", predicted_mark(result)),
        table(head, rows),
    )


def _differences(result: TaskResult) -> Html | None:
    if not result.differences:
        return None
    head = tag("tr", tag("th", "parameter"), tag("th", "baseline"), tag("th", winner_name(result)))
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

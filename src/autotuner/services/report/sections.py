"""The parts of the HTML report: each function makes one section of a result, or nothing when there is none to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from autotuner.contracts.result import ExperimentSummary, FailureCount, GainFigure, GridComparison, SloLine, TaskResult
from autotuner.services.report import figures
from autotuner.services.report.figures import Figure
from autotuner.services.report.markup import Child, Html, group, tag
from autotuner.services.report.wording import (
    MISSING,
    PREDICTED,
    command_line,
    duration,
    experiment_title,
    failure_title,
    figure_of,
    gain_of,
    gain_text,
    model_name,
    one_line,
    parameter_name,
    parameter_value,
    parameters_text,
    percent,
    phase_name,
    plain,
    quality_lines,
    score_text,
    shown_metrics,
    signed_percent,
    slo_status,
    verdict_of,
    verification_rows,
    verification_sentence,
    with_unit,
)

Plot = Callable[[Figure | None], Html | None]
"""Places a plot; nothing when plots are not available."""


def verdict(result: TaskResult) -> Html:
    """Headline and what was tuned."""
    facts = [
        f"model {model_name(result.model)}",
        f"{result.engine} {result.engine_version or ''}".strip(),
        f"{result.deployment_mode} deployment",
        f"objective {result.objective_label}" + (f" at {', '.join(result.scored_at)}" if result.scored_at else ""),
        f"{len(result.experiments)} experiments, {result.attempts} server starts, {duration(result.elapsed_s)}",
        f"status {result.status.value}",
    ]
    return tag(
        "header",
        tag("h1", f"inference-autotuner · {one_line(result.task_name)} "),
        tag("p", result.headline, " ", _predicted(result), class_="headline"),
        tag("p", " · ".join(facts), class_="facts"),
        tag("p", f"Stopped: {result.stop_reason}", class_="note") if result.stop_reason else None,
        tag(
            "p",
            "These figures are predictions of a model of the hardware; no server was measured.",
            class_="banner",
        )
        if result.predicted
        else None,
        [tag("p", warning, class_="banner") for warning in result.warnings],
    )


def evidence(result: TaskResult, plot: Plot) -> Html:
    """Why the verdict holds: the confirmed gain, the starts behind it, SLOs at their worst, and the noise."""
    parts: list[Child] = []
    if result.gain is not None:
        claim = f"Gain of the winner over the baseline: {gain_text(result.gain)}. "
        parts.append(tag("p", claim, _predicted(result)))
    elif result.winner is None:
        parts.append(tag("p", "There is no winner whose gain could be confirmed."))
    else:
        parts.append(tag("p", "The gain was not confirmed by repeated starts; figures below are of one start each."))
    if result.noise is not None:
        noise = f"Noise: the score varies by {percent(result.noise)} (standard deviation) from start to start."
        parts.append(tag("p", noise))
    parts += [
        tag("p", f"Against {label}: {signed_percent(gain)} (one start each, without interval).")
        for label, gain in result.reference_gains.items()
    ]
    parts += [tag("p", f"{line}.") for line in quality_lines(result)]
    both = [plot(figures.gain_figure(result)), plot(figures.starts_figure(result))]
    if any(both):
        parts.append(tag("div", both, class_="pair"))
    finalists = result.finalists or ((result.gain,) if result.gain else ())
    if finalists:
        parts.append(_finalists(result, finalists))
    if result.confirmation:
        parts.append(_blocks(result))
    worst = [(f"#{gain.experiment}", line) for gain in finalists for line in gain.worst_slo]
    caption = "SLOs at their worst over all confirmation starts"
    if not worst and result.winner is not None:
        worst = [(experiment_title(result.winner), line) for line in result.winner.slo]
        caption = "SLOs of the winner"
    if worst:
        parts.append(_slo_table(caption, worst))
    return _section("Evidence", parts)


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
    rows: list[Html] = [_row("score", [score_text(result, s.score) for s in columns])]
    baseline = result.baseline.score if result.baseline else None
    shares = [gain_of(s.score, baseline, result.direction) for s in columns]
    rows.append(_row("against the baseline (one start)", [signed_percent(share) for share in shares]))
    for metric, label, unit in shown_metrics(columns, server=True):
        rows.append(_row(label, [with_unit(figure_of(s.metrics, metric), unit) for s in columns]))
    for slo in dict.fromkeys(line.name for s in columns for line in s.slo):
        lines = [next((line for line in s.slo if line.name == slo), None) for s in columns]
        rows.append(_row(f"SLO {one_line(slo)}", [slo_status(line) if line else MISSING for line in lines]))
    head = tag("tr", tag("th", "figure"), [tag("th", title, class_="figure") for title in titles])
    parts: list[Child] = []
    if chosen is not None and chosen.slo_reason:
        parts.append(tag("p", chosen.slo_reason, class_="banner"))
    parts += [_differences(result), _parameters(columns, titles)]
    parts += [tag("h3", "Figures ", _predicted(result)), _table(head, rows)]
    if any(s.argv for s in columns):
        parts.append(tag("h3", "Commands"))
        parts += [_command(s, title) for s, title in zip(columns, titles, strict=True) if s.argv]
    return _section(f"{name} beside the baseline" if result.baseline else name, parts)


def verified(result: TaskResult) -> Html | None:
    """The winner with other clients, beside the task's own; no figure of it is in a score."""
    if not result.verifications:
        return None
    parts: list[Child] = []
    for made in result.verifications:
        parts.append(tag("p", verification_sentence(made)))
        if made.figures:
            titles = ("figure", made.own_client, made.client, "difference", "agree")
            head = tag("tr", [tag("th", title, class_="figure" if n else None) for n, title in enumerate(titles)])
            rows = [
                _row(name, [*cells, verdict_of(figure)])
                for (name, *cells), figure in zip(verification_rows(made), made.figures, strict=True)
            ]
            parts.append(_table(head, rows))
    return _section("The winner with another client", parts)


def grid(result: TaskResult, plot: Plot) -> Html | None:
    """Where the search came out against a fully measured grid."""
    if result.grid is None:
        return _section("Against the full grid", [tag("p", result.grid_note)]) if result.grid_note else None
    found = result.grid
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", percent(share), class_="figure"), tag("td", note))
        for name, share in figures.grid_places(found)
        for note in (_note(found, name),)
    ]
    head = tag("tr", tag("th", ""), tag("th", "share of the optimum", class_="figure"), tag("th", ""))
    parts: list[Child] = [
        tag("p", f"Grid: {one_line(found.host)}; {found.points} configurations, {found.feasible} keep the hard SLOs."),
        tag(
            "p",
            f"Best of the grid: {score_text(result, found.best_score)} with {parameters_text(found.best_parameters)}.",
        ),
        _table(head, rows),
        plot(figures.grid_figure(result)),
        tag("p", result.grid_note, class_="note") if result.grid_note else None,
    ]
    return _section("Against the full grid", parts)


def history(result: TaskResult, plot: Plot) -> Html | None:
    """How the search went, and what it learnt of the parameters."""
    wide = [plot(figures.history_figure(result)), *(plot(figure) for figure in figures.slo_figures(result))]
    parallel = plot(figures.parallel_figure(result))
    slices = [plot(figure) for figure in figures.slice_figures(result)]
    parts: list[Child] = [
        tag("div", wide, class_="pair") if any(wide) else None,
        parallel,
        tag("h3", "By value of each parameter") if any(slices) else None,
        tag("div", slices, class_="trio") if any(slices) else None,
    ]
    return _section("Search", parts) if any(parts) else None


def time_spent(result: TaskResult, plot: Plot) -> Html | None:
    """Seconds by phase, over all attempts and by experiment."""
    total = sum(result.phase_seconds.values())
    if not total:
        return None
    rows = [
        _row(phase.value.replace("_", " "), [duration(seconds), percent(seconds / total)])
        for phase, seconds in result.phase_seconds.items()
    ]
    head = tag("tr", tag("th", "phase"), tag("th", "time", class_="figure"), tag("th", "share", class_="figure"))
    caption = f"{result.attempts} server starts; {duration(result.elapsed_s)} from start to end of the task"
    return _section("Where the time went", [_table(head, rows, caption=caption), plot(figures.phases_figure(result))])


def experiments(result: TaskResult) -> Html | None:
    """Every experiment in one table."""
    if not result.experiments:
        return None
    names = list(dict.fromkeys(name for s in result.experiments for name in s.parameters))
    metrics = shown_metrics(result.experiments)
    headers = ["experiment", "status", f"score, {result.unit}" + (f" ({PREDICTED})" if result.predicted else "")]
    headers += ["hard SLOs", *(parameter_name(name) for name in names), *(label for _, label, _ in metrics)]
    first_figure = 4 + len(names)
    head = tag(
        "tr",
        [
            tag("th", title, scope="col", class_="figure" if i == 2 or i >= first_figure else None)
            for i, title in enumerate(headers)
        ],
    )
    winner = result.winner.number if result.winner else None
    rows: list[Html] = []
    for s in result.experiments:
        kept = "kept" if s.eligible else "violated" if s.score is not None else MISSING
        tone = "good" if s.eligible else "bad" if s.score is not None else None
        cells: list[Child] = [
            tag("th", experiment_title(s) + " (winner)" * (s.number == winner), scope="row", data_sort=s.number),
            tag("td", s.failure.kind.value if s.failure else s.status.value, class_="bad" if s.failure else None),
            _figure_cell(s.score, with_unit(s.score, result.unit)),
            tag("td", kept, class_=tone, title=s.slo_reason),
        ]
        cells += [_value_cell(name, s) for name in names]
        for metric, _, unit in metrics:
            value = figure_of(s.metrics, metric)
            cells.append(_figure_cell(value, with_unit(value, unit)))
        rows.append(tag("tr", cells, class_="best" if s.number == winner else None))
    counts = ", ".join(f"{count} {status}" for status, count in result.counts.items() if count)
    return _section("Experiments", [_table(head, rows, caption=counts or None, sortable=True)])


def failures(result: TaskResult) -> Html | None:
    """What failed, why, and what to do."""
    failed = [s for s in result.experiments if s.failure is not None]
    if not failed and not result.failures:
        return None
    kinds = Counter(s.failure.kind.value for s in failed if s.failure is not None)
    parts: list[Child] = [
        tag(
            "p", ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common()) or "Every failure was made good."
        ),
        _failed_starts(result.failures),
    ]
    for s in failed:
        if s.failure is None:
            continue
        parts.append(tag("h3", f"{experiment_title(s)}: {failure_title(s.failure)}"))
        parts.append(tag("p", s.failure.diagnosis))
        parts.append(tag("p", f"What to do: {s.failure.hint}"))
        parts.append(tag("p", parameters_text(s.parameters), class_="note"))
        if s.failure.log_tail:
            parts.append(tag("details", tag("summary", "End of the server's log"), tag("pre", s.failure.log_tail)))
    return _section("Failures", parts)


def _failed_starts(counts: Sequence[FailureCount]) -> Html | None:
    if not counts:
        return None
    names = ("class", "phase", "starts", "configurations", "made good by a later try", "such as", "what to do")
    rows = [
        tag(
            "tr",
            tag("th", count.kind.value, scope="row"),
            tag("td", phase_name(count.phase)),
            [tag("td", str(n), class_="figure") for n in (count.starts, count.experiments, count.recovered)],
            tag("td", count.example),
            tag("td", count.hint),
        )
        for count in counts
    ]
    return _table(tag("tr", [tag("th", name, scope="col") for name in names]), rows, caption="Failed starts")


def setting(result: TaskResult) -> Html:
    """SLOs, host and versions."""
    facts = {one_line(str(key)).replace("_", " "): plain(value) for key, value in result.host.items()}
    rows = [_row(name, [value], figure=False) for name, value in facts.items()]
    engine = f"{result.engine} {result.engine_version or '(version unknown)'}"
    rows = [_row("engine", [engine], figure=False), _row("model", [result.model], figure=False), *rows]
    if result.slo_sentences:
        rows.insert(0, _row("SLO", ["; ".join(result.slo_sentences)], figure=False))
    return _section("Host and versions", [_table(tag("tr", tag("th", ""), tag("th", "")), rows)])


def _section(title: str, parts: Sequence[Child]) -> Html:
    return tag("section", tag("h2", title), parts, id=title.lower().replace(" ", "-"))


def _predicted(result: TaskResult) -> Html | None:
    return tag("span", PREDICTED, class_="predicted") if result.predicted else None


def _table(head: Html, rows: Sequence[Html], *, caption: str | None = None, sortable: bool = False) -> Html:
    table = tag(
        "table",
        tag("caption", caption) if caption else None,
        tag("thead", head),
        tag("tbody", list(rows)),
        class_="sortable" if sortable else None,
    )
    return tag("div", table, class_="scroll", tabindex="0" if sortable else None)


def _row(name: str, cells: Sequence[str], *, figure: bool = True) -> Html:
    return tag(
        "tr", tag("th", name, scope="row"), [tag("td", cell, class_="figure" if figure else None) for cell in cells]
    )


def _figure_cell(value: float | None, text: str) -> Html:
    return tag("td", text, class_="figure", data_sort="" if value is None else repr(value))


def _value_cell(name: str, summary: ExperimentSummary) -> Html:
    if name not in summary.parameters:
        return tag("td", MISSING, data_sort="")
    value = summary.parameters[name]
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return tag("td", parameter_value(name, value), data_sort=repr(value) if numeric else None)


def _finalists(result: TaskResult, finalists: Sequence[GainFigure]) -> Html:
    names = ("gain", "interval", "pairs", "significant", "hard SLOs in every start")
    head = tag("tr", tag("th", "finalist"), [tag("th", name, class_="figure") for name in names])
    titles = {s.number: experiment_title(s) for s in result.experiments}
    rows = [
        _row(
            titles.get(gain.experiment, f"#{gain.experiment}"),
            [
                signed_percent(gain.gain),
                MISSING if gain.low is None else f"{signed_percent(gain.low)} to {signed_percent(gain.high)}",
                str(gain.pairs),
                "yes" if gain.significant else "no",
                "kept" if gain.eligible else "violated",
            ],
        )
        for gain in finalists
    ]
    return _table(head, rows, caption="Gain over the baseline, from paired starts")


def _blocks(result: TaskResult) -> Html:
    numbers = sorted({point.experiment for point in result.confirmation})
    scores = {(point.block, point.experiment): point.score for point in result.confirmation}
    head = tag("tr", tag("th", "block"), [tag("th", f"#{number}", class_="figure") for number in numbers])
    rows = [
        _row(str(block), [score_text(result, scores.get((block, number))) for number in numbers])
        for block in sorted({point.block for point in result.confirmation})
    ]
    return tag("details", tag("summary", "Score of every confirmation start"), _table(head, rows))


def _slo_table(caption: str, lines: Sequence[tuple[str, SloLine]]) -> Html:
    head = tag(
        "tr",
        tag("th", "SLO"),
        tag("th", "experiment"),
        tag("th", "limit", class_="figure"),
        tag("th", "worst", class_="figure"),
        tag("th", "kind"),
        tag("th", "verdict"),
    )
    rows = []
    for title, line in lines:
        tone = "good" if line.met else "bad" if line.violated else "warn"
        rows.append(
            tag(
                "tr",
                tag("th", one_line(line.name), scope="row"),
                tag("td", title),
                tag("td", with_unit(line.threshold, line.unit), class_="figure"),
                tag("td", with_unit(line.actual, line.unit), class_="figure"),
                tag("td", "hard" if line.hard else "soft"),
                tag("td", slo_status(line), class_=tone),
            )
        )
    return _table(head, rows, caption=caption)


def _differences(result: TaskResult) -> Html | None:
    if not result.differences:
        return None
    head = tag("tr", tag("th", "parameter"), tag("th", "baseline"), tag("th", "winner"))
    rows = [
        _row(parameter_name(name), [parameter_value(name, old), parameter_value(name, new)], figure=False)
        for name, (old, new) in result.differences.items()
    ]
    return group(tag("h3", "What differs"), _table(head, rows))


def _parameters(columns: Sequence[ExperimentSummary], titles: Sequence[str]) -> Html | None:
    names = list(dict.fromkeys(name for s in columns for name in s.parameters))
    if not names:
        return None
    head = tag("tr", tag("th", "parameter"), [tag("th", title) for title in titles])
    rows = [
        _row(
            parameter_name(name),
            [parameter_value(name, s.parameters[name]) if name in s.parameters else MISSING for s in columns],
            figure=False,
        )
        for name in names
    ]
    return tag("details", tag("summary", "All parameters"), _table(head, rows))


def _command(summary: ExperimentSummary, title: str) -> Html:
    identifier = f"command-{summary.number}"
    button = tag("button", "Copy", class_="copy", type="button", data_copy=identifier, hidden=True)
    return group(tag("p", title, " ", button), tag("pre", command_line(summary.argv), id=identifier))


def _note(found: GridComparison, name: str) -> str:
    if name == "winner" and found.winner_rank is not None:
        return f"rank {found.winner_rank} of {found.feasible}"
    if name == "random search":
        over = f"median of {found.draws} draws" if found.draws else "median over all possible draws"
        return (
            f"{over} of {found.budget} configurations; 5th to 95th percentile "
            f"{percent(found.random_low_fraction)} to {percent(found.random_high_fraction)}"
        )
    return ""

"""A task's result on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotuner.cli.render.findings import comparison_tables, importance_text, trade_off_table
from autotuner.contracts.result import ExperimentSummary, FailureCount, TaskResult
from autotuner.services.report.answers import quality_lines
from autotuner.services.report.findings_text import slo_tone, slo_word
from autotuner.services.report.wording import (
    MISSING,
    PREDICTED,
    chosen_title,
    counted,
    duration,
    experiment_title,
    failure_count_text,
    figure_of,
    gain_of,
    gain_text,
    load_text,
    measuring_text,
    model_name,
    noise_text,
    one_line,
    parameter_name,
    parameter_value,
    parameters_text,
    percent,
    score_text,
    shown_metrics,
    signed_percent,
    slo_status,
    slo_text,
    verification_sentence,
    with_unit,
)

_STYLES = {"good": "green", "warn": "yellow", "bad": "red", None: ""}
TOP = 5
"""So many experiments are listed."""


def result_tables(result: TaskResult, *, files: Mapping[str, str] | None = None) -> RenderableType:
    """Verdict, evidence, then the detail: differences, trade-offs, importance, grid, experiments, failures, time.

    ``files``: what they are → where they lie. Texts of users are shown as they are: neither rich markup nor terminal
    escapes in them act.
    """
    parts: list[RenderableType] = [_verdict(result)]
    if lines := [*_evidence(result), *_loads(result), *_slos(result), *quality_lines(result)]:
        parts.append(Text("\n".join(lines)))
    chosen = result.winner or result.nearest
    columns = _distinct([chosen, result.baseline, *result.references])
    compared = comparison_tables(result)
    if columns:
        titles = [chosen_title(result, s) for s in columns]
        figures = not compared or bool(result.references)
        parts.append(_side_by_side(columns, titles, result, figures=figures))
    parts += compared
    parts += trade_off_table(result) or ()
    parts += [text for text in (importance_text(result),) if text is not None]
    if grid := _grid(result):
        parts.append(Text("\n".join(grid)))
    if result.verifications:
        parts.append(Text("\n".join(f"Verified: {verification_sentence(made)}" for made in result.verifications)))
    top = _best(result)
    if len(top) > 1:
        parts.append(_top(result, top))
    failed = Counter(s.failure.kind.value for s in result.experiments if s.failure)
    if failed:
        parts.append(Text("Failed: " + ", ".join(f"{count} × {kind}" for kind, count in failed.most_common())))
    if result.failures:
        parts.append(Text("\n".join(failure_lines(result.failures))))
    parts.append(Text(_time(result), style="dim"))
    measuring = measuring_text(result.measuring)
    parts += [Text(measuring, style="dim")] if measuring else []
    parts += [Text(f"Warning: {one_line(warning)}", style="yellow") for warning in result.warnings]
    if files:
        table = Table.grid(padding=(0, 2))
        for what, where in files.items():
            table.add_row(Text(one_line(what)), Text(one_line(where), overflow="fold"))
        parts.append(table)
    spaced: list[RenderableType] = [parts[0]]
    for part in parts[1:]:
        spaced += [Text(""), part]
    return Group(*spaced)


def failure_lines(counts: Sequence[FailureCount]) -> list[str]:
    """Failed starts by class and phase: how many, an example, what to do."""
    return [
        line
        for count in counts
        for line in (
            f"Failed starts: {failure_count_text(count)}",
            f"  {one_line(count.example)}",
            f"  What to do: {one_line(count.hint)}",
        )
    ]


def compare_tables(
    summaries: Sequence[ExperimentSummary], *, objective_label: str = "score", unit: str = ""
) -> RenderableType:
    """Experiments side by side: the parameters that differ, the score, the figures and the SLOs."""
    columns = _distinct(summaries)
    names = dict.fromkeys(name for s in columns for name in s.parameters)
    table = _table("", *(experiment_title(s) for s in columns))
    for name in names:
        cells = [parameter_value(name, s.parameters[name]) if name in s.parameters else MISSING for s in columns]
        if len(set(cells)) > 1:
            _add(table, parameter_name(name), cells)
    same = [name for name in names if len({repr(s.parameters.get(name, "absent")) for s in columns}) == 1]
    table.add_section()
    marks = [f" ({PREDICTED})" if s.metrics.get("predicted") is True else "" for s in columns]
    scores = [with_unit(s.score, unit) + mark for s, mark in zip(columns, marks, strict=True)]
    _add(table, objective_label, scores)
    _figures(table, columns, but=objective_label, server=True)
    if not same or len(columns) < 2:
        return table
    shared = parameters_text({name: columns[0].parameters[name] for name in same})
    return Group(table, Text(f"The same in all: {shared}", style="dim"))


def _verdict(result: TaskResult) -> Text:
    text = Text(one_line(result.headline), style="bold")
    if result.predicted:
        text.append(f"  [{PREDICTED}]", style="bold yellow")
    facts = f"{one_line(result.task_name)}: {one_line(result.engine)} {one_line(result.engine_version or '')}".rstrip()
    facts += f", {one_line(model_name(result.model))}, {one_line(result.objective_label)}"
    facts += f" at {one_line(', '.join(result.scored_at))}" if result.scored_at else ""
    text.append(f"\n{facts}", style="not bold dim")
    if result.stop_reason:
        text.append(f"\nStopped: {one_line(result.stop_reason)}", style="not bold dim")
    return text


def _distinct(summaries: Sequence[ExperimentSummary | None]) -> list[ExperimentSummary]:
    found: dict[int, ExperimentSummary] = {}
    for summary in summaries:
        if summary is not None:
            found.setdefault(summary.number, summary)
    return list(found.values())


def _table(*headers: str) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for index, header in enumerate(headers):
        table.add_column(Text(one_line(header)), justify="right" if index else "left", overflow="fold")
    return table


def _add(table: Table, name: str, cells: Sequence[str]) -> None:
    table.add_row(Text(one_line(name)), *(Text(cell) for cell in cells))


def _side_by_side(
    columns: Sequence[ExperimentSummary], titles: Sequence[str], result: TaskResult, *, figures: bool
) -> Table:
    table = _table("", *titles)
    _add(table, result.objective_label, [score_text(result, s.score) for s in columns])
    baseline = result.baseline.score if result.baseline else None
    if baseline is not None and len(columns) > 1:
        gains = [signed_percent(gain_of(s.score, baseline, result.direction)) for s in columns]
        _add(table, "against the baseline, one start", gains)
    table.add_section()
    for name in dict.fromkeys(name for s in columns for name in s.parameters):
        cells = [parameter_value(name, s.parameters[name]) if name in s.parameters else MISSING for s in columns]
        _add(table, parameter_name(name), cells)
    table.add_section()
    _figures(table, columns, but=result.objective_label, only_slo=not figures)
    return table


def _figures(
    table: Table, columns: Sequence[ExperimentSummary], *, but: str, server: bool = False, only_slo: bool = False
) -> None:
    """Figures (with ``server`` also its own) and SLOs; ``but``: the one that stands above already."""
    for metric, label, unit in () if only_slo else shown_metrics(columns, server=server):
        if label != but:
            _add(table, label, [with_unit(figure_of(s.metrics, metric), unit) for s in columns])
    for slo in dict.fromkeys(line.name for s in columns for line in s.slo):
        lines = [next((line for line in s.slo if line.name == slo), None) for s in columns]
        _add(table, f"SLO {slo}", [slo_status(line) if line else MISSING for line in lines])


def _evidence(result: TaskResult) -> list[str]:
    lines: list[str] = []
    if result.gain is not None:
        name = chosen_title(result, result.winner) if result.winner else f"#{result.gain.experiment}"
        lines.append(
            f"Evidence: {name} against the baseline {gain_text(result.gain)}"
            + (f" ({PREDICTED})" if result.predicted else "")
        )
    elif result.finalists:
        lines += [f"Evidence: #{gain.experiment} against the baseline {gain_text(gain)}" for gain in result.finalists]
    elif result.winner is not None:
        lines.append("Evidence: not confirmed by repeated starts")
    lines += [f"Ruled out when started again: #{out.experiment}, {one_line(out.reason)}" for out in result.ruled_out]
    noise = noise_text(result)
    if noise is not None:
        lines.append(f"Noise: {noise}")
    lines += [
        f"Against {one_line(label)}: {signed_percent(gain)}, one start each"
        for label, gain in result.reference_gains.items()
    ]
    return lines


def _loads(result: TaskResult) -> list[str]:
    """What a search for the highest load found for the winner (or the nearest) and the baseline."""
    shown = _distinct([result.winner or result.nearest, result.baseline])
    return [
        f"Highest load meeting the SLO, {experiment_title(summary)}: {text}"
        for summary in shown
        if (text := load_text(summary.metrics)) is not None
    ]


def _slos(result: TaskResult) -> list[str]:
    if result.gain is not None and result.gain.worst_slo:
        return [f"SLO, worst start: {slo_text(line)}" for line in result.gain.worst_slo]
    chosen = result.winner or result.nearest
    return [f"SLO: {slo_text(line)}" for line in chosen.slo] if chosen else []


def _grid(result: TaskResult) -> list[str]:
    grid = result.grid
    if grid is None:
        return [one_line(result.grid_note)] if result.grid_note else []
    rank = f", rank {grid.winner_rank} of {grid.feasible}" if grid.winner_rank is not None else ""
    over = f"median of {grid.draws} draws" if grid.draws else "median over all draws"
    best = f"best {score_text(result, grid.best_score)} with {parameters_text(grid.best_parameters)}"
    band = f"5th to 95th percentile {percent(grid.random_low_fraction)} to {percent(grid.random_high_fraction)}"
    chance = f"{percent(grid.random_median_fraction)} ({over}; {band})"
    lines = [
        f"Grid of {grid.points} ({one_line(grid.host)}): {best}",
        f"Winner at {percent(grid.winner_fraction)} of the optimum{rank}",
        f"Random search with {grid.budget} configurations at {chance}",
    ]
    others = {"baseline": grid.baseline_fraction, **grid.reference_fractions}
    placed = [f"{one_line(name)} at {percent(share)}" for name, share in others.items() if share is not None]
    if placed:
        lines.append("Of the optimum: " + ", ".join(placed))
    if result.grid_note:
        lines.append(one_line(result.grid_note))
    return lines


def _best(result: TaskResult) -> list[ExperimentSummary]:
    sign = -1 if result.direction == "maximize" else 1

    def order(summary: ExperimentSummary) -> tuple[bool, float]:
        value = summary.penalised_score if summary.penalised_score is not None else summary.score
        return (not summary.eligible, sign * (value or 0.0))

    return sorted((s for s in result.experiments if s.score is not None), key=order)[:TOP]


def _top(result: TaskResult, top: Sequence[ExperimentSummary]) -> Table:
    table = _table("best experiments", result.objective_label, "SLOs")
    table.add_column(Text("parameters"), overflow="fold")
    for s in top:
        kept = Text(slo_word(s), style=_STYLES[slo_tone(s)])
        score = Text(score_text(result, s.score))
        table.add_row(Text(experiment_title(s)), score, kept, Text(parameters_text(s.parameters)))
    return table


def _time(result: TaskResult) -> str:
    starts = counted(result.attempts, "server start")
    text = f"{counted(len(result.experiments), 'experiment')}, {starts} in {duration(result.elapsed_s)}"
    spent = [(p.value.replace("_", " "), seconds) for p, seconds in result.phase_seconds.items() if seconds]
    return text + (": " if spent else "") + ", ".join(f"{name} {duration(seconds)}" for name, seconds in spent)

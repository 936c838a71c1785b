"""One experiment in full on the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from autotuner.cli.output import table
from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.services.report.answers import answers_text
from autotuner.services.report.wording import (
    command_line,
    duration,
    experiment_title,
    failure_title,
    figure_of,
    parameter_name,
    parameter_value,
    score_text,
    shown_metrics,
    slo_text,
    visible,
    with_unit,
)


def experiment_view(summary: ExperimentSummary, result: TaskResult) -> list[RenderableType]:
    """Its state, parameters, figures, SLOs, failure with the end of the server's log, and command."""
    shown = shown_metrics([summary], server=True)
    figures = [(label, with_unit(figure_of(summary.metrics, name), unit)) for name, label, unit in shown]
    spent = (f"{phase.value.replace('_', ' ')} {duration(s)}" for phase, s in summary.phase_seconds.items() if s)
    rows = [
        (experiment_title(summary), summary.status.value),
        *((parameter_name(name), parameter_value(name, value)) for name, value in summary.parameters.items()),
        (result.objective_label, score_text(result, summary.score)),
        *figures,
        *(("SLO", slo_text(line)) for line in summary.slo),
        ("answers", answers_text(summary.answers) if summary.answers is not None else ""),
        ("server starts", str(summary.attempts)),
        ("time", ", ".join(spent)),
    ]
    parts: list[RenderableType] = [table(("", ""), [row for row in rows if row[1]])]
    if summary.failure is not None:
        failure = summary.failure
        parts.append(Text(visible(f"\n{failure_title(failure)}: {failure.diagnosis}\nWhat to do: {failure.hint}")))
        if failure.log_tail:
            parts.append(Text(visible(f"\n{failure.log_tail.rstrip()}"), style="dim"))
    if summary.argv:
        parts.append(Text(visible(f"\n{command_line(summary.argv)}")))
    return parts

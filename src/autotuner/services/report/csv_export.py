"""The experiments as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
import math

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.values import MODEL_KEY
from autotuner.services.report.wording import command_line, model_name

Cell = str | int | float | bool | None

# A spreadsheet takes a cell that begins like this for a formula and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def render_csv(result: TaskResult) -> str:
    """One row per experiment (RFC 4180, a header line).

    Columns: number, origin, label, status, predicted, score, penalised_score, eligible, slo_reason, attempts,
    elapsed_s, failure, failure_phase, diagnosis, hint; then ``parameter.*``, ``metric.*`` (plain figures),
    ``slo.*.actual``, ``slo.*.threshold``, ``slo.*.met``, ``seconds.*`` per phase; last the command. Text that a
    spreadsheet would run as a formula gets an apostrophe in front; numbers stay as they are, what is missing is empty.
    """
    rows = [_row(result, summary) for summary in result.experiments]
    header = list(_row_start(result, None)) if not rows else list(dict.fromkeys(name for row in rows for name in row))
    groups = ("parameter.", "metric.", "slo.", "seconds.", "command")
    header.sort(key=lambda name: next((i for i, group in enumerate(groups, 1) if name.startswith(group)), 0))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(row.get(name)) for name in header] for row in rows)
    return out.getvalue()


def _row_start(result: TaskResult, summary: ExperimentSummary | None) -> dict[str, Cell]:
    failure = summary.failure if summary else None
    return {
        "number": summary.number if summary else None,
        "origin": summary.origin.value if summary else None,
        "label": summary.label if summary else None,
        "status": summary.status.value if summary else None,
        "predicted": result.predicted,
        "score": summary.score if summary else None,
        "penalised_score": summary.penalised_score if summary else None,
        "eligible": summary.eligible if summary else None,
        "slo_reason": summary.slo_reason if summary else None,
        "attempts": summary.attempts if summary else None,
        "elapsed_s": summary.elapsed_s if summary else None,
        "failure": failure.kind.value if failure else None,
        "failure_phase": failure.phase.value if failure and failure.phase else None,
        "diagnosis": failure.diagnosis if failure else None,
        "hint": failure.hint if failure else None,
    }


def _row(result: TaskResult, summary: ExperimentSummary) -> dict[str, Cell]:
    row = _row_start(result, summary)
    for name, value in summary.parameters.items():
        shown = model_name(value) if name == MODEL_KEY and isinstance(value, str) else value
        row[f"parameter.{name}"] = shown
    for name, figure in summary.metrics.items():
        if figure is None or isinstance(figure, str | int | float):
            row[f"metric.{name}"] = figure
    for line in summary.slo:
        row[f"slo.{line.name}.actual"] = line.actual
        row[f"slo.{line.name}.threshold"] = line.threshold
        row[f"slo.{line.name}.met"] = line.met if line.actual is not None else None
    for phase, seconds in summary.phase_seconds.items():
        row[f"seconds.{phase.value}"] = seconds
    row["command"] = command_line(summary.argv)
    return row


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value) if math.isfinite(value) else ""

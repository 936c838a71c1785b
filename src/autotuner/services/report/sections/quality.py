"""Whether the answers are still the baseline's."""

from __future__ import annotations

from autotuner.contracts.result import ExperimentSummary, TaskResult
from autotuner.contracts.store import ExperimentOrigin
from autotuner.services.report.answers import asked_text, limits_text, quality_lines
from autotuner.services.report.markup import Child, Html, tag
from autotuner.services.report.sections.parts import figure_cell, section, table
from autotuner.services.report.wording import MISSING, experiment_title, number, one_line, percent


def quality(result: TaskResult) -> Html | None:
    """The quality guard's figures of every configuration that it asked; None without a guard."""
    found = result.quality
    if found is None:
        return None
    asked = f"Each configuration was asked {asked_text(found)}; {limits_text(found)}."
    parts: list[Child] = [tag("p", asked), *(tag("p", f"{line}.") for line in quality_lines(result))]
    told = [summary for summary in result.experiments if summary.answers is not None]
    if told:
        names = (f"{_unit(told)} that agree", "distance, nats")
        head = tag(
            "tr",
            tag("th", "experiment"),
            [tag("th", name, class_="figure") for name in names],
            tag("th", "against the baseline"),
        )
        parts.append(table(head, [_row(summary) for summary in told], sortable=True))
    return section("Answers", parts)


def _unit(told: list[ExperimentSummary]) -> str:
    units = {summary.answers.unit for summary in told if summary.answers is not None and summary.answers.unit}
    return " or ".join(sorted(units)) or "tokens"


def _row(summary: ExperimentSummary) -> Html:
    answers = summary.answers
    agreement = None if answers is None else answers.agreement
    distance = None if answers is None else answers.distance
    return tag(
        "tr",
        tag("th", experiment_title(summary), scope="row"),
        figure_cell(agreement, MISSING if agreement is None else percent(agreement)),
        figure_cell(distance, MISSING if distance is None else number(distance, 3)),
        tag("td", _verdict(summary)),
    )


def _verdict(summary: ExperimentSummary) -> str:
    answers = summary.answers
    if answers is None or answers.agreement is None:
        why = "no reason is known" if answers is None or answers.failure is None else one_line(answers.failure)
        return f"not judged: {why}"
    if summary.origin is ExperimentOrigin.BASELINE:
        return "the most that its own passes differ"
    return "differs" if answers.differs else "no more than an unchanged setting"

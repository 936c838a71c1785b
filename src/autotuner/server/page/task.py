"""One task: what it came to, its experiments, its log."""

from __future__ import annotations

from autotuner.contracts.listing import ExperimentItem, Page, TaskSummary
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import ExperimentStatus
from autotuner.server.page.frame import table
from autotuner.server.page.tasks import progress_text, state_text
from autotuner.services.report.markup import Child, Html, group, tag
from autotuner.services.report.wording import (
    MISSING,
    duration,
    failure_title,
    model_name,
    number,
    one_line,
    parameters_text,
    winner_name,
    with_unit,
)

ACTIONS = {
    "start": ("Start", frozenset({"pending", "failed", "cancelled"})),
    "pause": ("Pause", frozenset({"running"})),
    "resume": ("Resume", frozenset({"paused"})),
    "cancel": ("Cancel", frozenset({"running", "paused", "queued"})),
    "retry": ("Retry failed experiments", frozenset({"completed", "failed"})),
}
"""Call of the API → what its button says, and in which states it is there."""


def task_view(task: TaskSummary, result: TaskResult | None, experiments: Page[ExperimentItem]) -> Html:
    """The part of the page that is renewed while it is looked at."""
    state = state_text(task)
    facts: list[tuple[str, Child]] = [
        ("Status", tag("span", state, class_=f"state {state}")),
        ("Experiments", progress_text(task.experiments)),
        ("Engine", task.engine or MISSING),
        ("Model", MISSING if task.model is None else model_name(task.model)),
        ("Objective", task.objective or MISSING),
        ("Time", duration(task.elapsed_s)),
    ]
    return group(
        tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in facts]),
        _actions(state, failed=bool(task.experiments.get(ExperimentStatus.FAILED))),
        _verdict(result),
        tag("p", one_line(f"{task.error.get('what', '')}: {task.error.get('why', '')}"), class_="banner")
        if task.error
        else None,
        _links(task.id) if result is not None else None,
        _experiments(result, experiments),
    )


def heading(task: TaskSummary) -> Html:
    """The title, and what changes by the second."""
    return tag(
        "header",
        tag("h1", one_line(task.name)),
        tag(
            "p",
            tag("progress", id="progress", max=100, value=0, hidden=True, aria_label="Progress of the task"),
            " ",
            tag("span", "", id="progress-text"),
            " ",
            tag("span", "", id="fresh", aria_live="polite"),
            class_="note",
        ),
        tag("div", id="said", role="alert"),
    )


def log(task: TaskSummary) -> Html:
    """Where the end of the servers' log appears."""
    return tag(
        "section",
        tag("h2", "Log of the servers"),
        tag("pre", "", id="log", tabindex=0, aria_label="Last lines of the log", data_task=task.id),
    )


def _actions(state: str, *, failed: bool) -> Html:
    buttons = [
        tag("button", words, id=f"do-{name}", data_action=name)
        for name, (words, states) in ACTIONS.items()
        if state in states and (failed or name != "retry")
    ]
    return tag("p", [(button, " ") for button in buttons], class_="actions")


def _verdict(result: TaskResult | None) -> Child:
    if result is None:
        return None
    chosen = result.winner or result.nearest
    figures: list[tuple[str, str]] = []
    if chosen is not None:
        figures.append((winner_name(result).capitalize(), f"#{chosen.number}: {parameters_text(chosen.parameters)}"))
        figures.append((result.objective_label, with_unit(chosen.score, result.unit)))
    if result.baseline is not None:
        figures.append(("Baseline", with_unit(result.baseline.score, result.unit)))
    return tag(
        "section",
        tag("h2", "Result"),
        tag("p", result.headline, class_="headline"),
        tag("p", "These figures are predictions; no server was measured.", class_="banner")
        if result.predicted
        else None,
        tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in figures]),
        [tag("p", warning, class_="note") for warning in result.warnings],
    )


def _links(task_id: int) -> Html:
    there = (
        ("Report", "report?format=html"),
        ("CSV", "report?format=csv&download=true"),
        ("JSON", "report?format=json&download=true"),
        ("Files that start the winner", "deploy"),
    )
    return tag(
        "ul",
        [tag("li", tag("a", words, href=f"/api/tasks/{task_id}/{path}")) for words, path in there],
        class_="links",
    )


def _experiments(result: TaskResult | None, found: Page[ExperimentItem]) -> Html:
    heads = ("#", "Status", "Configuration", "Score", "SLO", "Failure")
    rows = [_row(one, "" if result is None else result.unit) for one in found.items]
    if not rows:
        return tag("p", "No experiment has begun yet.", class_="note")
    more = f"The first {len(rows)} of {found.total}." if found.total > len(rows) else ""
    return tag("section", tag("h2", "Experiments"), table("Experiments by number", heads, rows), tag("p", more))


def _row(one: ExperimentItem, unit: str) -> Html:
    kept = MISSING if one.slo is None else ("missed" if one.slo.get("slo_violation") else "kept")
    score = with_unit(one.objective_score, unit) if unit else number(one.objective_score)
    return tag(
        "tr",
        tag("th", str(one.number), scope="row"),
        tag("td", tag("span", one.status.value, class_=f"state {one.status.value}")),
        tag("td", one_line(one.label or "") or parameters_text(one.parameters)),
        tag("td", score, class_="figure"),
        tag("td", kept),
        tag("td", "" if one.failure is None else f"{failure_title(one.failure)}: {one.failure.diagnosis}"),
    )

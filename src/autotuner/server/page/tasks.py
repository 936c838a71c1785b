"""The list of tasks, and the form that makes one."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.listing import Page, TaskSummary
from autotuner.contracts.store import ExperimentStatus
from autotuner.server.page.frame import table
from autotuner.services.report.markup import Html, group, tag
from autotuner.services.report.wording import MISSING, duration, model_name, number, one_line

EXAMPLE = """\
task_name: my-first-task
model: {id_or_path: tiny}
parameters: {n_ubatch: [16, 32]}
"""


def task_list(found: Page[TaskSummary]) -> Html:
    """The part of the page that is renewed while it is looked at."""
    heads = ("Task", "Status", "Experiments", "Best", "Engine", "Model", "Time")
    if not found.items:
        return tag("p", "There is no task yet. Make one below, or with ", tag("code", "autotuner run"), ".")
    more = None
    if found.total > len(found.items):
        more = tag("p", f"The newest {len(found.items)} of {found.total} tasks.", class_="note")
    return group(table("Tasks, the newest first", heads, [_row(task) for task in found.items]), more)


def new_task_form() -> Html:
    """A text field for a document as YAML."""
    return tag(
        "section",
        tag("h2", "New task"),
        tag(
            "form",
            tag("label", "Task document (YAML)", for_="document"),
            tag("textarea", EXAMPLE, id="document", rows=10, spellcheck="false", required=True),
            tag("button", "Create and start", type="submit"),
            tag("div", id="said", role="alert"),
            id="new-task",
        ),
        tag("noscript", tag("p", "Making a task here needs JavaScript.")),
    )


def state_text(task: TaskSummary) -> str:
    """The status in words."""
    if task.queued_at is not None and task.status.value == "pending":
        return "queued"
    return task.status.value


def progress_text(experiments: Mapping[ExperimentStatus, int]) -> str:
    """How many experiments have which outcome."""
    said = [f"{count} {status.value}" for status, count in experiments.items() if count]
    return ", ".join(said) or MISSING


def _row(task: TaskSummary) -> Html:
    state = state_text(task)
    return tag(
        "tr",
        tag("th", tag("a", one_line(task.name), href=f"/tasks/{task.id}"), scope="row"),
        tag("td", tag("span", state, class_=f"state {state}")),
        tag("td", progress_text(task.experiments)),
        tag("td", number(task.best_score), class_="figure"),
        tag("td", task.engine or MISSING),
        tag("td", MISSING if task.model is None else model_name(task.model)),
        tag("td", duration(task.elapsed_s), class_="figure"),
    )


def heading() -> Html:
    """The title and the line that says how fresh the page is."""
    return tag(
        "header",
        tag("h1", "Tasks"),
        tag("p", tag("span", "", id="fresh", aria_live="polite"), class_="note"),
    )

"""``autotuner plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.options import profile_option, set_option
from autotuner.cli.output import say_json, show
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.config.document import TaskDocument


@click.command(short_help="Show what a task would do, and start nothing.")
@click.argument("task_file", metavar="TASK.yaml")
@profile_option
@set_option
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, help="Show so many commands.")
@click.option("--all", "every", is_flag=True, help="List the parameters left at the engine's defaults too.")
@shared_options()
@pass_state
def plan(
    state: State, task_file: str, profiles: tuple[str, ...], sets: tuple[str, ...], limit: int, every: bool
) -> None:
    """Show what a task would do, and start nothing.

    It is the plan that `autotuner run` follows: every parameter and where its value comes from (the document, a
    profile, the engine), how many configurations there are and why some are excluded, the experiments, the load, the
    commands, the time.

    \b
    Examples:
      autotuner plan task.yaml
      autotuner plan task.yaml --set parameters.n_threads=[1,2] --limit 20 --json

    Exit codes: 0 the task is sound, 2 it is not, and the message says why.
    """
    from autotuner.services.documents import read_document

    document = read_document(task_file, sets=sets, profiles=profiles, settings=state.settings())
    show_plan(document, state, commands=limit, every=every)


def show_plan(document: TaskDocument, state: State, *, commands: int, every: bool) -> None:
    """Plan a document and print the plan."""
    from autotuner.services.plan_summary import summarise_plan
    from autotuner.services.planning import plan_document

    summary = summarise_plan(plan_document(document, state.settings()), commands=commands)
    if state.json:
        say_json(summary.model_dump(mode="json"))
        return
    from autotuner.cli.render.plan import plan_view

    show(*plan_view(summary, every=every))

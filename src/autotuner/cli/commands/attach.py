"""``autotuner attach``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.services.tasks import RunOutcome


@click.command(short_help="Watch a task that runs elsewhere.")
@click.argument("task", required=False)
@shared_options()
@pass_state
def attach(state: State, task: str | None) -> None:
    """Watch TASK (name or number; default: the newest one that runs) while another process runs it.

    Shows what `autotuner run` shows, from now on until the task ends, and then the result. Ctrl-C only stops the
    watching.

    \b
    Examples:
      autotuner run task.yaml --detach
      autotuner attach

    Exit codes: 0 done or stopped watching, 2 the task failed or nobody runs it, 130 it was cancelled.
    """
    from autotuner.cli.running import end_if_cancelled, show_outcome

    names: list[str] = []
    try:
        outcome = wait_for(_follow(state, task, names))
    except KeyboardInterrupt:
        command = state.command("attach", *names)
        if state.json:
            click.echo(json.dumps({"type": "detached", "attach": command}))
        else:
            say(f"The task goes on without being watched. To watch it again: {' '.join(command)}", err=True)
        return
    end_if_cancelled(outcome.task, state)
    show_outcome(outcome, state, None)


async def _follow(state: State, name: str | None, names: list[str]) -> RunOutcome:
    """Watch until the task has ended; ``names`` gets its name as soon as that is known."""
    from autotuner.cli.running import observer_of
    from autotuner.contracts.store import TaskStatus
    from autotuner.services.attachment import follow, stored_error, task_to_watch
    from autotuner.services.queries import task_result
    from autotuner.services.requests import FINAL
    from autotuner.services.stored import open_stored
    from autotuner.services.tasks import RunOutcome

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await task_to_watch(store, settings, name)
        names.append(found.name)
        watched = found.status not in FINAL
        if watched:
            with ExitStack() as stack:
                found = await follow(store, settings, found, observer_of(state, stack))
        if found.status is TaskStatus.FAILED:
            raise stored_error(found)
        result = await task_result(store, found, settings)
        return RunOutcome(found, result, fresh=watched, folder=settings.folder_of(found))

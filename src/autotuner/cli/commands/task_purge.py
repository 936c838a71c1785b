"""``autotuner task purge``: remove deleted tasks for ever."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command()
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Only what was deleted more than so many days ago.",
)
@shared_options()
@pass_state
def purge(state: State, older_than: int) -> None:
    """Remove deleted tasks for ever, with their experiments, archived runs and files.

    A running `autotuner serve` does the same once a day with 30 days.

    \b
    Example:
      autotuner task purge --older-than 7

    Exit codes: 0, or 2 when the database or a folder cannot be written.
    """
    wait_for(_purge(state, older_than))


async def _purge(state: State, older_than: int) -> None:
    from datetime import timedelta

    from autotuner.services.task_runs import purge_deleted
    from autotuner.store.sql_store import open_store

    settings = state.settings()
    async with open_store(settings.database, create=False, busy_timeout_s=settings.database_timeout_s) as store:
        gone = await purge_deleted(store, settings, older_than=timedelta(days=older_than))
    if state.json:
        say_json({"removed": [{"id": task.id, "name": task.name} for task in gone]})
        return
    for task in gone:
        say(f"Removed the task {task.name!r} (number {task.id}).")
    if not gone:
        say("There is nothing to remove.")

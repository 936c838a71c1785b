"""``autotuner logs``."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Show the logs of the servers that a task started.")
@click.argument("task", required=False)
@click.option("--experiment", type=click.IntRange(min=0), metavar="N", help="All server starts of this experiment.")
@click.option(
    "--tail", type=click.IntRange(min=0), default=50, show_default=True, metavar="N", help="Last N lines; 0: all."
)
@shared_options()
@pass_state
def logs(state: State, task: str | None, experiment: int | None, tail: int) -> None:
    """Show the log of the last server that TASK started (default: the newest task), or of one experiment's servers.

    \b
    Examples:
      autotuner logs
      autotuner logs mytask --experiment 3 --tail 0

    Exit codes: 0, or 2 when there is no such task or no log.
    """
    wait_for(_logs(state, task, experiment, tail))


async def _logs(state: State, task: str | None, experiment: int | None, tail: int) -> None:
    import asyncio

    from autotuner.services.queries import named_task
    from autotuner.services.server_logs import read_logs
    from autotuner.services.stored import open_stored

    async with open_stored(state.settings()) as store:
        found = await named_task(store, task)
        shown = await read_logs(store, found, experiment=experiment)
    if experiment is None:
        shown = shown[-1:]
    texts = [(log, await asyncio.to_thread(log.path.read_text, "utf-8", "replace")) for log in shown]
    entries = []
    for log, text in texts:
        lines = text.splitlines()
        entries.append((log, lines[-tail:] if tail else lines))
    if state.json:
        say_json(
            [
                {
                    "experiment": log.experiment,
                    "attempt": log.attempt.number,
                    "reason": log.attempt.reason.value,
                    "status": log.attempt.status.value,
                    "path": str(log.path),
                    "lines": lines,
                }
                for log, lines in entries
            ]
        )
        return
    for log, lines in entries:
        attempt = log.attempt
        say(
            f"== experiment {log.experiment}, start {attempt.number} ({attempt.reason.value}): {attempt.status.value}"
            f", {log.path}"
        )
        for line in lines:
            say(line)

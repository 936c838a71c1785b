"""``autotuner deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.contracts.attempt import AttemptJob


@click.command(short_help="Write the files that start the winner.")
@click.argument("task", required=False)
@click.option("--experiment", type=click.IntRange(min=0), metavar="N", help="This experiment instead of the winner.")
@click.option("--format", "kind", type=click.Choice(("shell", "systemd")), default="shell", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("-o", "--output", metavar="FILE", help="Write a file; default: print it.")
@shared_options()
@pass_state
def deploy(
    state: State, task: str | None, experiment: int | None, kind: str, host: str, port: int, output: str | None
) -> None:
    """Write what starts the winner of TASK (default: the newest) exactly as it was measured.

    \b
    Examples:
      autotuner deploy -o serve.sh && ./serve.sh
      autotuner deploy mytask --format systemd --port 9000 -o /etc/systemd/system/llm.service

    Prints a shell script or a systemd unit, or the path with -o. Keys are never written into it.

    Exit codes: 0, or 2 when there is no winner or the file cannot be written.
    """
    from pathlib import Path

    from autotuner.services.deploy_files import shell_command, systemd_unit
    from autotuner.services.writing import write_file

    name, job = wait_for(_winner(state, task, experiment))
    text = (shell_command if kind == "shell" else systemd_unit)(job, host=host, port=port)
    path: str | None = None
    if output is not None:
        write_file(Path(output), text, executable=kind == "shell")
        path = str(Path(output).absolute())
    if state.json:
        say_json({"task": name, "experiment": job.experiment_number, "format": kind, "path": path, "text": text})
    else:
        say(path or text.rstrip("\n"))


async def _winner(state: State, task: str | None, experiment: int | None) -> tuple[str, AttemptJob]:
    """The task's name, and the job that started its winner."""
    from autotuner.services.queries import named_task, task_result, winning_job
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, task)
        result = await task_result(store, found, settings)
        return found.name, await winning_job(store, found, result, experiment=experiment)

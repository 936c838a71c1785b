"""``autotuner report``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.contracts.result import TaskResult
    from autotuner.contracts.store import TaskRecord

FORMATS = ("html", "json", "csv", "grid")


@click.command(short_help="Write a task's report: HTML, JSON, CSV or grid.")
@click.argument("task", required=False)
@click.option("--format", "kind", type=click.Choice(FORMATS), default="html", show_default=True, help="What to write.")
@click.option("-o", "--output", metavar="FILE", help="Where; - is stdout. Default: the task's own folder.")
@click.option("--grid", metavar="FILE", help="Place the winner in this fully measured grid.")
@shared_options()
@pass_state
def report(state: State, task: str | None, kind: str, output: str | None, grid: str | None) -> None:
    """Write the report of TASK (name or number; default: the newest) and print where it is.

    html is one page that works without a network; json is everything; csv has one row per experiment; grid is the
    measured grid of a task that tried every configuration, for `--grid` of later runs.

    \b
    Examples:
      autotuner report -o report.html
      autotuner report demo --format csv -o - | head
      autotuner report all-of-it --format grid -o grid.json

    Exit codes: 0, or 2 when there is no such task, no result, or the file cannot be written.
    """
    from pathlib import Path

    from autotuner.services.grid_files import load_grid, placed, render_grid
    from autotuner.services.result_files import NAMES, RENDERERS
    from autotuner.services.writing import write_file

    settings = state.settings()
    known = load_grid(grid) if grid is not None else None
    found, result = wait_for(_result(state, task))
    if known is not None:
        result = placed(result, known)
    text = render_grid(found, result, settings) if kind == "grid" else RENDERERS[kind](result)
    if output == "-":
        click.echo(text, nl=False)
        return
    path = Path(output) if output is not None else settings.folder_of(found) / NAMES[kind]
    write_file(path, text)
    if state.json:
        say_json({"task": found.name, "format": kind, "path": str(path.absolute()), "grid_note": result.grid_note})
        return
    say(str(path.absolute()))
    if result.grid_note:
        say(result.grid_note, err=True)


async def _result(state: State, task: str | None) -> tuple[TaskRecord, TaskResult]:
    from autotuner.services.queries import named_task, task_result
    from autotuner.services.stored import open_stored

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, task)
        return found, await task_result(store, found, settings)

"""``autotuner export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.aiconfigurator.export import Format
    from autotuner.config.document import TaskDocument
    from autotuner.services.settings import Settings

FORMATS: dict[str, Format] = {"aiconfigurator": "A", "exp": "D"}
"""Name of a format → generation of aiconfigurator's files."""


@click.command(short_help="Write a task as a file of aiconfigurator.")
@click.argument("task", metavar="TASK|FILE")
@click.option(
    "--format",
    "kind",
    type=click.Choice(tuple(FORMATS)),
    default="aiconfigurator",
    show_default=True,
    help="aiconfigurator: one configuration; exp: a search space for `aiconfigurator cli exp`.",
)
@click.option("-o", "--output", "--out", "output", metavar="FILE", help="Write a file; default: print it.")
@shared_options()
@pass_state
def export(state: State, task: str, kind: str, output: str | None) -> None:
    """Write a task file, or a stored task (name or number), as a file of NVIDIA's aiconfigurator.

    What was imported and not changed since is written as it was read. What such a file has no place for is listed.

    \b
    Examples:
      autotuner export task.yaml --format exp -o exp.yaml
      autotuner export mytask

    Prints the file, or its path with -o; what is left out goes to stderr.

    Exit codes: 0, or 2 when there is no such task, or when the file cannot hold it.
    """
    from pathlib import Path

    from autotuner.services.aiconfigurator import export_text
    from autotuner.services.writing import write_file

    document = _document(task, state.settings())
    text, left_out = export_text(document, FORMATS[kind])
    path: str | None = None
    if output is not None:
        write_file(Path(output), text)
        path = str(Path(output).absolute())
    if state.json:
        say_json({"format": kind, "path": path, "text": text, "left_out": list(left_out)})
        return
    for sentence in left_out:
        say(f"left out: {sentence}", err=True)
    if path is None:
        click.echo(text, nl=False)
    else:
        say(path)


def _document(task: str, settings: Settings) -> TaskDocument:
    """Of a file, if there is one of that name or the name is that of a file, else of a stored task."""
    from pathlib import Path

    from autotuner.services.documents import read_document

    if task == "-" or Path(task).is_file() or Path(task).suffix.lower() in (".yaml", ".yml", ".json"):
        return read_document(task)
    return wait_for(_stored(task, settings))


async def _stored(task: str, settings: Settings) -> TaskDocument:
    from autotuner.config.load import validate
    from autotuner.services.queries import named_task
    from autotuner.services.stored import open_stored

    async with open_stored(settings) as store:
        found = await named_task(store, task)
    return validate(found.document, name=found.name)

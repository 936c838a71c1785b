"""``autotuner schema``."""

from __future__ import annotations

import click

from autotuner.cli.output import say
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Print the JSON Schema of task files.")
@click.option("-o", "--output", metavar="FILE", help="Write a file; default: print it.")
@shared_options(machine=False)
@pass_state
def schema(_state: State, output: str | None) -> None:
    """Print the JSON Schema of task files: every key with its meaning, unit, default and allowed values.

    \b
    Example (then put `# yaml-language-server: $schema=task.schema.json` above a task):
      autotuner schema -o task.schema.json

    Exit codes: 0, or 2 when the file cannot be written.
    """
    import json
    from pathlib import Path

    from autotuner.services.document_schema import document_schema
    from autotuner.services.writing import write_file

    text = json.dumps(document_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    write_file(Path(output), text)
    say(str(Path(output).absolute()))

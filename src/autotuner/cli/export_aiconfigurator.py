"""What ``autotuner export --format aiconfigurator`` and ``exp`` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State

if TYPE_CHECKING:
    from autotuner.aiconfigurator.export import Format

FORMATS: dict[str, Format] = {"aiconfigurator": "A", "exp": "D"}
"""Name of a format → generation of aiconfigurator's files."""


def export_file(state: State, task: str, *, kind: str, output: str | None) -> None:
    """Write the file, or print it; what is left out goes to stderr."""
    import json
    from pathlib import Path

    from autotuner.config.text import write
    from autotuner.services.aiconfigurator import export_task
    from autotuner.services.writing import write_file

    made = wait_for(export_task(task, FORMATS[kind], state.settings()))
    as_json = output is not None and output.endswith(".json")
    text = json.dumps(made.data, indent=2) + "\n" if as_json else write(made.data)
    path: str | None = None
    if output is not None:
        write_file(Path(output), text)
        path = str(Path(output).absolute())
    if state.json:
        say_json({"format": kind, "path": path, "text": text, "left_out": list(made.left_out)})
        return
    for sentence in made.left_out:
        say(f"left out: {sentence}", err=True)
    if path is None:
        click.echo(text, nl=False)
    else:
        say(path)

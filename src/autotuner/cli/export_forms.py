"""What ``autotuner export`` writes as a task document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State

if TYPE_CHECKING:
    from autotuner.planning.forms import Form


def export_document(state: State, task: str, *, form: Form | None, output: str | None) -> None:
    """Write the document of a file or a stored task, in a form or as it is; what has no counterpart goes to stderr."""
    import json
    from pathlib import Path

    from autotuner.config.text import write
    from autotuner.services.export import exported
    from autotuner.services.writing import write_file

    made = wait_for(exported(task, state.settings(), form=form))
    if made.stays:
        say(f"No counterpart in this form, kept as they are: {', '.join(made.stays)}", err=True)
    if output is not None:
        as_json = output.endswith(".json")
        write_file(Path(output), json.dumps(made.data, indent=2) + "\n" if as_json else write(made.data))
        say(str(Path(output).absolute()))
    elif state.json:
        say_json(made.data)
    else:
        click.echo(write(made.data), nl=False)

"""``autotuner export``."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Write a task as a file of its own.")
@click.argument("task", metavar="TASK")
@click.option("--structured", "form", flag_value="structured", help="Flags as fields of blocks, for any engine.")
@click.option("--flat", "form", flag_value="flat", help="Fields of blocks as flags of the task's engine.")
@click.option("-o", "--output", metavar="FILE", help="Write a file (JSON if it ends with .json); default: print YAML.")
@shared_options()
@pass_state
def export(state: State, task: str, form: str | None, output: str | None) -> None:
    """Write the document of TASK, a file or a stored task: whole, with its profiles carried out.

    The two forms say the same: `parameters: {tensor-parallel-size: [1, 2]}` is `parallel_config: {tp: [1, 2]}`. What
    has no counterpart in a form stays as it is, and is named on stderr.

    \b
    Examples:
      autotuner export task.yaml --structured
      autotuner export mytask --flat -o flat.yaml

    Exit codes: 0, or 2 when there is no such task, or the file cannot be written.
    """
    import json
    from pathlib import Path

    from autotuner.config.text import write
    from autotuner.planning.forms import FLAT, STRUCTURED_FORM
    from autotuner.services.export import exported
    from autotuner.services.writing import write_file

    wanted = {None: None, FLAT: FLAT, STRUCTURED_FORM: STRUCTURED_FORM}[form]
    made = wait_for(exported(task, state.settings(), form=wanted))
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

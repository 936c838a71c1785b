"""``autotuner export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.planning.forms import Form


@click.command(short_help="Write a task as a file of its own.")
@click.argument("task", metavar="TASK|FILE")
@click.option(
    "--format",
    "kind",
    type=click.Choice(("task", "archive", "aiconfigurator", "exp")),
    default="task",
    show_default=True,
    help="task: a task document; archive: a stored task with all it has measured and its files; aiconfigurator: its "
    "file of one configuration; exp: a search space for its `cli exp`.",
)
@click.option("--structured", "form", flag_value="structured", help="Flags as fields of blocks, for any engine.")
@click.option("--flat", "form", flag_value="flat", help="Fields of blocks as flags of the task's engine.")
@click.option(
    "-o",
    "--output",
    "--out",
    "output",
    metavar="FILE",
    help="Write a file (JSON if it ends with .json); default: print YAML. Of an archive: NAME.zip.",
)
@shared_options()
@pass_state
def export(state: State, task: str, kind: str, form: Form | None, output: str | None) -> None:
    """Write the document of a task file or a stored task (name or number): whole, with its profiles carried out.

    The two forms say the same: `parameters: {tp: [1, 2]}` is `parallel_config: {tp: [1, 2]}`. What has no counterpart
    in a form stays as it is, and is named on stderr.

    An archive holds the task, its experiments, measurements and events, and the files of its servers. `autotuner
    import` makes a task of it elsewhere, also in another kind of database. While a task runs it cannot be written.

    Files of NVIDIA's aiconfigurator: what was imported from one and not changed since is written as it was read. What
    such a file has no place for is named on stderr.

    \b
    Examples:
      autotuner export task.yaml --structured
      autotuner export mytask --flat -o flat.yaml
      autotuner export mytask --format archive -o mytask.zip
      autotuner export task.yaml --format exp -o exp.yaml

    Exit codes: 0, or 2 when there is no such task, the format cannot hold it, or the file cannot be written.
    """
    if kind == "task":
        from autotuner.cli.export_forms import export_document

        export_document(state, task, form=form, output=output)
        return
    if form is not None:
        raise click.UsageError(f"--{form} is a form of task documents, and --format {kind} has one of its own.")
    if kind == "archive":
        from autotuner.cli.archives import export_task

        export_task(state, task, output=output)
        return
    from autotuner.cli.export_aiconfigurator import export_file

    export_file(state, task, kind=kind, output=output)

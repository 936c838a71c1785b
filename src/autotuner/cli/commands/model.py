"""``autotuner model``."""

from __future__ import annotations

import click

from autotuner.cli.output import say, say_json
from autotuner.cli.state import State, pass_state, shared_options


@click.group(short_help="Make small models for trying things out.")
def model() -> None:
    """Make small models for trying things out."""


@model.command()
@click.argument("kind", type=click.Choice(("tiny", "small")), default="tiny")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Weight type of a file, such as f16 (the default) or q8_0. Repeatable.",
)
@click.option("--out", metavar="DIR", help="Folder; default: in the data folder, where `tiny` in a task looks.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the weights.")
@shared_options()
@pass_state
def create(state: State, kind: str, types: tuple[str, ...], out: str | None, seed: int) -> None:
    """Make a random model with the work per token of a real one; nothing is downloaded.

    tiny answers in milliseconds; small is heavy enough to see the effect of parameters. Files that exist are kept.

    \b
    Examples:
      autotuner model create
      autotuner model create small --type f16 --type q8_0

    Prints the path of each file. In a task, `model: {id_or_path: tiny:q8_0}` makes it on first use.

    Exit codes: 0, or 2 when a file cannot be made.
    """
    from pathlib import Path

    from autotuner.services.models import DEFAULT_FILE_TYPE
    from autotuner.tiny_model import create_model

    folder = Path(out) if out is not None else state.settings().models_dir / kind
    made = create_model(kind, folder, seed=seed, file_types=types or (DEFAULT_FILE_TYPE,))
    if state.json:
        files = {name: str(path) for name, path in made.gguf.items()}
        say_json({"folder": str(made.directory), "files": files, "weights": made.parameters})
        return
    for path in made.gguf.values():
        say(str(path))

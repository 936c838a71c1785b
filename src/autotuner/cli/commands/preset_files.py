"""``autotuner preset import`` and ``export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.command(name="import")
@click.argument("file")
@click.option(
    "--on-conflict",
    type=click.Choice(("rename", "replace")),
    help="For a name that there is: store it as NAME (2), or as the next revision of that preset.",
)
@shared_options()
@pass_state
def import_(state: State, file: str, on_conflict: Any) -> None:
    """Store the preset of FILE, which `autotuner preset export` or another installation wrote (- is standard input).

    \b
    Examples:
      autotuner preset import preset-team-a.json
      autotuner preset import preset-team-a.json --on-conflict replace

    Exit codes: 0, or 2 when the file is not valid (the message names the field) or the name is taken.
    """
    from autotuner.config.text import MAX_BYTES
    from autotuner.services.presets import read_preset_file

    raw = sys.stdin.buffer.read(MAX_BYTES + 1) if file == "-" else read_preset_file(file)
    wait_for(_import(state, raw, on_conflict))


async def _import(state: State, raw: bytes, on_conflict: Any) -> None:
    from autotuner.services.presets import import_preset, open_presets

    async with open_presets(state.settings()) as store:
        saved = await import_preset(store, raw, on_conflict=on_conflict)
    if state.json:
        say_json({**saved.preset.model_dump(mode="json"), "warnings": list(saved.warnings)})
        return
    for warning in saved.warnings:
        say(f"Warning: {warning}", err=True)
    say(f"Stored the preset {saved.preset.slug} (number {saved.preset.id}, revision {saved.preset.revision}).")


@click.command(name="export")
@click.argument("name")
@click.option("-o", "--output", metavar="FILE", help="Write it here; default: print it. A folder: preset-<slug>.json.")
@click.option("--structured", "form", flag_value="structured", help="Flags as fields of structured blocks.")
@click.option("--flat", "form", flag_value="flat", help="Fields of structured blocks as flags.")
@click.option("--runtime", metavar="ENGINE", help="Whose flags are meant, for a preset of any engine.")
@shared_options()
@pass_state
def export(state: State, name: str, output: str | None, form: Any, runtime: str | None) -> None:
    """Print the preset NAME as the JSON file that `autotuner preset import` reads.

    \b
    Examples:
      autotuner preset export balanced -o preset-balanced.json
      autotuner preset export balanced --structured

    Exit codes: 0, or 2 for an unknown preset or a file that cannot be written.
    """
    from autotuner.presets.files import file_name
    from autotuner.services.writing import write_file

    slug, text = wait_for(_exported(state, name, form, runtime))
    if output is None:
        click.echo(text, nl=False)
        return
    path = Path(output)
    path = path / file_name(slug) if path.is_dir() else path
    write_file(path, text)
    if state.json:
        say_json({"preset": slug, "file": str(path)})
    else:
        say(str(path))


async def _exported(state: State, name: str, form: Any, runtime: str | None) -> tuple[str, str]:
    """Slug and text of the file."""
    from autotuner.presets.files import dump_preset
    from autotuner.services.presets import in_form, named_preset, open_presets

    async with open_presets(state.settings()) as store:
        found = await named_preset(store, name)
    return found.slug, dump_preset(found.content if form is None else in_form(found, form, runtime=runtime))

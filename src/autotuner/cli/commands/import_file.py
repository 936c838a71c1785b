"""``autotuner import``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from autotuner.cli.output import say, say_json
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from pathlib import Path

    from autotuner.services.aiconfigurator import ImportedTask

SHOWN_KEYS = 12
"""Keys of the file that are listed by name."""


@click.command("import", short_help="Make a task of an archive, or of aiconfigurator's file.")
@click.argument("path", metavar="FILE|FOLDER")
@click.option("--engine", metavar="NAME", help="Engine of the task; default: the one that the file names.")
@click.option("--experiment", metavar="NAME", help="This experiment of a file that has several.")
@click.option("--row", type=click.IntRange(min=1), metavar="N", help="This row of a table, or of a folder's results.")
@click.option(
    "-o",
    "--output",
    "--out",
    "out",
    metavar="FILE|FOLDER",
    help="Where to write the task; several tasks need a folder.",
)
@click.option(
    "--on-conflict",
    type=click.Choice(("rename", "refuse")),
    help="An archive whose task's name is taken: import it as NAME-2, … (rename, the default), or not at all.",
)
@shared_options()
@pass_state
def import_file(
    state: State,
    path: str,
    engine: str | None,
    experiment: str | None,
    row: int | None,
    out: str | None,
    on_conflict: Literal["rename", "refuse"] | None,
) -> None:
    """Make a stored task of an archive that `autotuner export --format archive` wrote, with all that it has measured;
    or make a task document of a file of NVIDIA's aiconfigurator, or of a folder that it wrote.

    An archive is checked as a whole and stored at once, or not at all. It says what its maker wants: its figures are no
    better than where it came from, and a task that goes on runs the commands that it names.

    Of aiconfigurator are read generator_config.yaml, best_config_topn.csv and pareto.csv, exp_config.yaml, files of
    experiments, and those of its earlier releases. aiconfigurator itself is not needed. What came over otherwise, or
    not at all, is listed; the file itself is kept in the task's metadata. A disaggregated deployment becomes two linked
    tasks.

    \b
    Examples:
      autotuner import mytask.zip
      autotuner import results/agg/top1/generator_config.yaml -o task.yaml
      autotuner import results/agg --row 2 -o task.yaml
      autotuner import exp.yaml --experiment agg_small --json

    Prints the new task's name, or the task document, or its path with -o; the report goes to stderr.

    Exit codes: 0, or 2 when it is no such file, or one that cannot become a task.
    """
    from pathlib import Path

    from autotuner.services.archive import is_archive

    if is_archive(Path(path)):
        from autotuner.cli.archives import import_task

        if any(given is not None for given in (engine, experiment, row, out)):
            raise click.UsageError("An archive holds one task as it is: only --on-conflict says anything of it.")
        import_task(state, path, on_conflict=on_conflict or "rename")
        return
    if on_conflict is not None:
        raise click.UsageError("--on-conflict is for archives: of other files nothing is stored.")
    from autotuner.services.aiconfigurator import Wanted, import_path
    from autotuner.services.writing import write_file

    found = import_path(path, Wanted(engine, experiment, row), state.settings())
    places = _places(found, Path(out)) if out is not None else []
    if out is None and len(found) > 1 and not state.json:
        raise click.UsageError(
            f"It becomes {len(found)} tasks ({', '.join(task.name for task in found)}): name a folder with --out."
        )
    for task, place in zip(found, places, strict=False):
        write_file(place, task.text)
    if state.json:
        files: list[str | None] = [str(place.absolute()) for place in places] or [None for _ in found]
        say_json(
            {"tasks": [{**task.model_dump(mode="json"), "path": file} for task, file in zip(found, files, strict=True)]}
        )
        return
    for number, task in enumerate(found):
        for line in report(task):
            say(line, err=True)
        if places:
            say(str(places[number].absolute()))
        else:
            click.echo(task.text, nl=False)


def _places(found: list[ImportedTask], out: Path) -> list[Path]:
    """A file for each task: the one that is named, or one by its name in the folder."""
    if len(found) == 1 and not out.is_dir():
        return [out]
    if out.suffix and not out.is_dir():
        raise click.UsageError(
            f"It becomes {len(found)} tasks ({', '.join(task.name for task in found)}): {out} must be a folder."
        )
    return [out / f"{task.name}.yaml" for task in found]


def report(task: ImportedTask) -> list[str]:
    """What a person must know of the import, in lines."""
    number = task.configurations
    count = "" if number is None else f", {number} configuration{'' if number == 1 else 's'}"
    lines = [f"{task.name}: for {task.engine}, from generation {task.generation}{count}"]
    lines += [f"  changed: {one.place} {one.said} became {one.became} ({one.why})" for one in task.losses]
    lines += [f"  note: {remark}" for remark in task.remarks]
    if task.unknown:
        lines.append(f"  unknown keys, kept in metadata: {_listed(task.unknown)}")
    if task.kept:
        lines.append(f"  keys without a counterpart, kept in metadata: {_listed(task.kept)}")
    if task.problem is not None:
        lines.append(f"  it cannot be run as it stands: {task.problem}")
    return lines


def _listed(keys: tuple[str, ...]) -> str:
    """Keys; those of one block together where they are many."""
    if len(keys) <= SHOWN_KEYS:
        return ", ".join(keys)
    blocks: dict[str, list[str]] = {}
    for key in keys:
        blocks.setdefault(key.partition(".")[0], []).append(key)
    return ", ".join(
        members[0] if len(members) == 1 else f"{block} ({len(members)} keys)" for block, members in blocks.items()
    )

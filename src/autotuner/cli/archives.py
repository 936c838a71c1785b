"""What ``autotuner export --format archive`` and ``autotuner import ARCHIVE`` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State

if TYPE_CHECKING:
    from autotuner.services.archive import Manifest, OnConflict


def export_task(state: State, task: str, *, output: str | None) -> None:
    """Write the archive of a stored task; what is not in it goes to stderr."""
    path, manifest = wait_for(_export(state, task, output))
    for one in manifest.left_out:
        say(f"Not in the archive: {one.path} ({one.why})", err=True)
    if state.json:
        say_json(
            {
                "task": manifest.task_name,
                "format": "archive",
                "path": str(path.absolute()),
                "bytes": path.stat().st_size,
                "left_out": [one.model_dump(mode="json") for one in manifest.left_out],
            }
        )
    else:
        say(str(path.absolute()))


async def _export(state: State, task: str, output: str | None) -> tuple[Path, Manifest]:
    """The file, whole or not there at all, and what it holds."""
    from autotuner.services.archive import archive_name, export_archive
    from autotuner.services.queries import named_task
    from autotuner.services.stored import open_stored
    from autotuner.services.writing import check_writable, new_file

    settings = state.settings()
    async with open_stored(settings) as store:
        found = await named_task(store, task)
    path = Path(output) if output is not None else Path(archive_name(found.name))
    check_writable(path)
    with new_file(path) as file:
        return path, await export_archive(settings, found, file)


def import_task(state: State, path: str, *, on_conflict: OnConflict) -> None:
    """Make a task of an archive, and say what it is called here."""
    from autotuner.services.archive import import_archive

    with Path(path).open("rb") as file:
        made = import_archive(file, state.settings(), on_conflict=on_conflict, name=path)
    if state.json:
        say_json(made.model_dump(mode="json"))
        return
    if made.renamed_from is not None:
        say(f"There is a task {made.renamed_from!r} already: this one is {made.name!r}.", err=True)
    for one in made.left_out:
        say(f"It was exported without {one.path} ({one.why})", err=True)
    say(
        f"{made.name}: task {made.task_id}, {made.status}, {made.experiments} experiments, {made.attempts} starts, "
        f"{made.files} files"
    )

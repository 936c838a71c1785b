"""``autotuner db``: upgrade, backup, restore, copy, check, path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from autotuner.cli.failures import REFUSED
from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.store.transfer import Tell


@click.group(short_help="Upgrade, back up, move and check the database.")
def db() -> None:
    """Upgrade, back up, restore, move and check the database.

    \b
    Examples:
      autotuner db path
      autotuner db backup autotuner-backup.db
      autotuner db copy --to postgresql://user@host/autotuner
    """


@db.command()
@shared_options()
@pass_state
def upgrade(state: State) -> None:
    """Bring the database to this version's schema, or make its tables.

    What is there is backed up first: a SQLite file beside itself, PostgreSQL to a SQLite file in the folder backups of
    the data folder.

    Exit codes: 0 (also when there was nothing to do), or 2 when it cannot be upgraded.
    """
    from autotuner.store import maintenance

    settings = state.settings()
    backups = settings.data_dir / "backups"
    timeout_s = settings.database_timeout_s
    kept = wait_for(maintenance.upgrade(settings.database, busy_timeout_s=timeout_s, backups=backups))
    now = wait_for(maintenance.schema_state(settings.database, busy_timeout_s=settings.database_timeout_s))
    if state.json:
        say_json({"schema": now.current, "backup": str(kept) if kept else None})
    else:
        say(f"The database has schema {now.current}." + (f" The old one was copied to {kept}" if kept else ""))


@db.command()
@click.argument("file")
@shared_options()
@pass_state
def backup(state: State, file: str) -> None:
    """Copy the database to FILE, a SQLite file, while it may be in use. An existing file is never replaced.

    PostgreSQL is backed up to such a file, too; `autotuner db restore` reads it into either.

    Exit codes: 0, or 2 when the copy cannot be made.
    """
    from pathlib import Path

    from autotuner.store import maintenance

    settings = state.settings()
    with _shown(state) as tell:
        timeout_s = settings.database_timeout_s
        wait_for(maintenance.backup(settings.database, Path(file), busy_timeout_s=timeout_s, tell=tell))
    if state.json:
        say_json({"backup": str(Path(file).absolute())})
    else:
        say(str(Path(file).absolute()))


@db.command()
@click.argument("file")
@click.option("--replace", is_flag=True, help="Also when there are tasks; what is there is backed up first.")
@shared_options()
@pass_state
def restore(state: State, file: str, replace: bool) -> None:
    """Make the database what the backup FILE holds, whichever kind of database it was taken of.

    Never while a task of it is being run or a worker serves it. It is done as a whole or not at all. A backup of an
    older version is brought to this one's schema on the way; FILE itself is not changed.

    \b
    Example:
      autotuner db restore autotuner-backup.db --replace

    Exit codes: 0, or 2 when nothing was restored.
    """
    from pathlib import Path

    from autotuner.services.moving import restore_store

    with _shown(state) as tell:
        restored = restore_store(state.settings(), Path(file), replace_it=replace, tell=tell)
    if state.json:
        say_json({"tasks": restored.tasks, "backup": str(restored.kept) if restored.kept else None})
        return
    say(f"Restored {restored.tasks} task{'s' if restored.tasks != 1 else ''}.")
    if restored.kept:
        say(f"What was there is in {restored.kept}")


@db.command()
@click.option("--to", "target", required=True, metavar="FILE|URL", help="The empty store; it is made if need be.")
@click.option("--from", "source", metavar="FILE|URL", help="The store to copy. Default: the configured database.")
@click.option("--while-running", is_flag=True, help="Also while tasks run; in the copy they will look left behind.")
@shared_options()
@pass_state
def copy(state: State, target: str, source: str | None, while_running: bool) -> None:
    """Copy all that is stored into another database, from any kind to any kind.

    The source may be in use, and is not changed. Everything is copied in one transaction, with its numbers, and read
    back; what cannot be copied leaves the target empty. Logs of servers stay where they are, and are found from there.

    \b
    Examples:
      autotuner db copy --to postgresql://user@host/autotuner
      autotuner db copy --from postgresql://user@host/autotuner --to tasks.db

    Exit codes: 0, or 2 when nothing was copied (or, as it says then, not the reports of some tasks).
    """
    from dataclasses import replace

    from autotuner.services.moving import copy_store
    from autotuner.store.location import parse_location

    settings = state.settings()
    if source is not None:
        settings = replace(settings, database=source)
    with _shown(state) as tell:
        copied = copy_store(settings, target, while_running=while_running, tell=tell)
    if state.json:
        say_json(
            {
                "from": parse_location(settings.database).shown,
                "to": parse_location(target).shown,
                "tables": [one.model_dump(mode="json") for one in copied.tables],
                "running": list(copied.running),
                "folders": copied.folders,
            }
        )
    else:
        show(table(("table", "rows"), [(one.table, f"{one.rows:,}") for one in copied.tables]))
        say(f"Copied to {parse_location(target).shown}, read back and found equal.")
        if copied.running:
            say(f"Task {', '.join(map(str, copied.running))} ran meanwhile: in the copy nobody runs it.")
        if copied.folders:
            say(f"Reports were copied, too. Logs of servers stay in {settings.artefacts_dir}: keep that folder.")
    if copied.unwritten is not None:
        raise copied.unwritten


@contextmanager
def _shown(state: State) -> Iterator[Tell]:
    """On a terminal a line for each table."""
    from autotuner.store.transfer import quiet

    if state.json or not sys.stderr.isatty():
        yield quiet
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True), transient=True) as progress:
        lines: dict[str, TaskID] = {}

        def tell(name: str, done: int, total: int) -> None:
            if name not in lines:
                lines[name] = progress.add_task(name, total=total)
            progress.update(lines[name], completed=done)

        yield tell


@db.command()
@shared_options()
@pass_state
@click.pass_context
def check(ctx: click.Context, state: State) -> None:
    """Look for damage: broken pages, dangling references, missing tables.

    Exit codes: 0 when it is sound, 2 when it is not (one line for each fault) or cannot be read.
    """
    from autotuner.store import maintenance

    settings = state.settings()
    faults = wait_for(maintenance.check(settings.database, busy_timeout_s=settings.database_timeout_s))
    if state.json:
        say_json({"sound": not faults, "faults": faults})
    else:
        say("\n".join(faults) or "The database is sound.")
    if faults:
        ctx.exit(REFUSED)


@db.command()
@shared_options()
@pass_state
def path(state: State) -> None:
    """Print where the database is. Exit code: 0."""
    from autotuner.store.location import parse_location

    location = parse_location(state.settings().database)
    if state.json:
        say_json({"database": location.shown})
    else:
        say(location.shown)

"""``autotuner db``: upgrade, backup, check, path."""

from __future__ import annotations

import click

from autotuner.cli.failures import REFUSED
from autotuner.cli.output import say, say_json, wait_for
from autotuner.cli.state import State, pass_state, shared_options


@click.group(short_help="Upgrade, back up and check the database.")
def db() -> None:
    """Upgrade, back up and check the database.

    \b
    Examples:
      autotuner db path
      autotuner db backup autotuner-backup.db
    """


@db.command()
@shared_options()
@pass_state
def upgrade(state: State) -> None:
    """Bring the database to this version's schema, or make its tables. A SQLite file is copied first.

    Exit codes: 0 (also when there was nothing to do), or 2 when it cannot be upgraded.
    """
    from autotuner.store import maintenance

    settings = state.settings()
    kept = wait_for(maintenance.upgrade(settings.database, busy_timeout_s=settings.database_timeout_s))
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
    """Copy the database to FILE while it may be in use. An existing file is never replaced.

    Exit codes: 0, or 2 when the copy cannot be made.
    """
    from pathlib import Path

    from autotuner.store import maintenance

    wait_for(maintenance.backup(state.settings().database, Path(file)))
    if state.json:
        say_json({"backup": str(Path(file).absolute())})
    else:
        say(str(Path(file).absolute()))


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

"""What it costs to move a large store: a task with many stored experiments, copied in every direction.

Fills a SQLite store as `stored_experiments.py` does (one row, one server start and four measurements each), then copies
it to SQLite, to PostgreSQL (a server of its own, in a temporary folder; left out where none is installed) and back, and
backs both up, each in a process of its own.

    PYTHONPATH=src:tests python benchmarks/copy_store.py [--experiments 100000] [--anyway]

Prints seconds, rows per second and peak memory of each; memory must not grow with the experiments.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from quiet import add_arguments, quiet_machine
from stored_experiments import apart, fill_one, settings_of

from autotuner.services.moving import copy_store
from autotuner.store import backup
from postgres_server import PostgresServer, find_binaries


def copy(folder: Path, _: int) -> list[str]:
    """Copy the store that stands in the folder's file `from` to that of `to`."""
    source, target = (folder / name for name in ("from", "to"))
    settings = replace(settings_of(folder), database=source.read_text())
    began = time.perf_counter()
    rows = sum(table.rows for table in copy_store(settings, target.read_text(), while_running=False).tables)
    seconds = time.perf_counter() - began
    return [f"{rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} a second, {peak_mib():.0f} MiB"]


def back_up(folder: Path, _: int) -> list[str]:
    """Back up the store that stands in the folder's file `from`."""
    target = folder / "backup.db"
    began = time.perf_counter()
    asyncio.run(backup((folder / "from").read_text(), target))
    seconds = time.perf_counter() - began
    size = target.stat().st_size
    target.unlink()
    return [f"{size / 1e6:,.0f} MB in {seconds:.1f} s, {peak_mib():.0f} MiB"]


def peak_mib() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="moving a large store")
    parser.add_argument("--experiments", type=int, default=100_000)
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
        apart(fill_one, folder, given.experiments)
        first = settings_of(folder).database
        ways = [("SQLite to SQLite", first, str(folder / "second.db"))]
        binaries = find_binaries()
        if binaries is not None:
            server = stack.enter_context(PostgresServer.running(binaries))
            one, other = server.new_database(), server.new_database()
            ways += [
                ("SQLite to PostgreSQL", first, one),
                ("PostgreSQL to PostgreSQL", one, other),
                ("PostgreSQL to SQLite", other, str(folder / "third.db")),
            ]
        for name, source, target in ways:
            print(name)
            (folder / "from").write_text(source)
            (folder / "to").write_text(target)
            apart(copy, folder, 0)
        for name, source in [("backup of SQLite", first), *([("backup of PostgreSQL", one)] if binaries else [])]:
            print(name)
            (folder / "from").write_text(source)
            apart(back_up, folder, 0)


if __name__ == "__main__":
    main()

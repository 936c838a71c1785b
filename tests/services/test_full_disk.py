"""A database on a full disk, or locked by another program, in the middle of a run. Real disk, real processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from running_task import Running, assert_whole, running, stored

from autotuner.config.load import to_data
from autotuner.contracts.progress import Snapshot
from autotuner.services.documents import demo_document, read_document
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task
from volume import Volume, volume

AGAIN = "message The database can be used again: the run goes on."
LOCKER = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
other.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


class Silent:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, *_: object) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


def settings_for(data_dir: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(data_dir)})


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "demo.json"
    sets = ["optimization.max_iterations=12", "optimization.confirm.starts=2"]
    path.write_text(json.dumps(to_data(demo_document(sets=sets))))
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Volume]:
    with volume(tmp_path / "disk", "32m") as made:
        yield made


@contextmanager
def filled(disk: Volume, run: Running) -> Iterator[None]:
    with run.held_still():
        disk.fill()
    try:
        yield
    finally:
        disk.free()


@contextmanager
def locked(disk: Volume, run: Running) -> Iterator[None]:
    """Another program holds the database's write lock. It waits for its turn, so the run is not held still."""
    command = disk.command(sys.executable, "-c", LOCKER, str(disk.folder / "autotuner.db"))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.communicate("")


OBSTACLES: dict[str, tuple[Callable[[Volume, Running], AbstractContextManager[None]], str]] = {
    "full": (filled, "disk"),
    "locked": (locked, "another program has held its write lock for longer than 0.2 s"),
}
PATIENT = {"AUTOTUNER_DATABASE_TIMEOUT": "0.2"}
IMPATIENT = {**PATIENT, "AUTOTUNER_STORE_PATIENCE": "0.5"}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_run_waits_and_ends_as_an_unbroken_one(tmp_path: Path, disk: Volume, document: Path, obstacle: str) -> None:
    obstruct, reason = OBSTACLES[obstacle]
    with running(document, disk.folder, prefix=disk.command(), env=PATIENT) as run:
        run.wait_for("finished 1")
        with obstruct(disk, run):
            said = run.wait_for("message The database cannot be used: ")
        run.wait_for(AGAIN)
        assert run.wait_for("result") == "result completed True\n"
        assert run.ended() == 0
    assert reason in said
    assert "Waiting for up to 600 s." in said
    assert sum("cannot be used" in line for line in run.seen) == 1
    here = settings_for(disk.copy(tmp_path / "copy"))
    unbroken = settings_for(tmp_path / "unbroken")
    asyncio.run(run_task(read_document(str(document)), unbroken, Silent()))
    assert asyncio.run(stored(here)) == asyncio.run(stored(unbroken))
    asyncio.run(assert_whole(here))


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_run_gives_up_in_the_end_and_goes_on_later(
    tmp_path: Path, disk: Volume, document: Path, obstacle: str
) -> None:
    obstruct, reason = OBSTACLES[obstacle]
    with running(document, disk.folder, prefix=disk.command(), env=IMPATIENT) as run:
        run.wait_for("finished 1")
        with obstruct(disk, run):
            error = run.wait_for("error store_unavailable")
            assert run.ended() == 2
    assert reason in error
    assert "and that did not change within 0.5 s." in error
    assert "run the task again: it goes on from what is stored" in error
    with running(document, disk.folder, prefix=disk.command(), env=IMPATIENT) as run:
        assert run.wait_for("result") == "result completed True\n"
        assert not any(line.startswith("finished 0 first") for line in run.seen), "the baseline was measured before"
    asyncio.run(assert_whole(settings_for(disk.copy(tmp_path / "copy"))))

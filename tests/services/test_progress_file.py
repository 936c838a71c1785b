"""The file of a run's progress: what is written, how much of it, and reading it while it changes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.services import progress_file
from autotuner.services.progress_file import NAME, ProgressFile, ProgressReader, message_line, replay


def snapshot(done: int, *, paused: bool = False) -> Snapshot:
    return Snapshot(
        task_id=1,
        task_name="t",
        stage="search",
        paused=paused,
        starts_done=done,
        starts_total=9,
        elapsed_s=1.0,
        objective_label="latency",
        unit="s",
        direction="minimize",
    )


class Kept:
    def __init__(self) -> None:
        self.told: list[object] = []

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.told.append(snapshot.starts_done)

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        self.told.append((summary.number, reason))

    def on_message(self, message: str) -> None:
        self.told.append(message)


def told(reader: ProgressReader) -> list[object]:
    kept = Kept()
    for line in reader.lines():
        replay(line, kept)
    return kept.told


async def test_of_many_snapshots_one_is_written_and_the_last_when_its_time_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_file, "SNAPSHOT_S", 0.05)
    reader = ProgressReader(tmp_path)
    with ProgressFile(tmp_path) as file:
        for done in range(5):
            file.on_snapshot(snapshot(done))
        assert told(reader) == [0]
        while True:
            late = told(reader)
            if late:
                break
            await asyncio.sleep(0)
        assert late == [4]


async def test_a_pause_is_written_at_once_and_the_last_snapshot_at_the_end(tmp_path: Path) -> None:
    reader = ProgressReader(tmp_path)
    with ProgressFile(tmp_path, clock=lambda: 0.0) as file:
        file.on_snapshot(snapshot(1))
        file.on_snapshot(snapshot(2, paused=True))
        file.on_message("hello")
        file.on_snapshot(snapshot(3, paused=True))
    assert told(reader) == [1, 2, "hello", 3]


async def test_a_large_file_is_begun_anew_and_its_readers_miss_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_file, "MOST_BYTES", 1000)
    reader = ProgressReader(tmp_path)
    seen: list[object] = []
    with ProgressFile(tmp_path, clock=lambda: 0.0) as file:
        file.on_snapshot(snapshot(7))
        for number in range(200):
            file.on_message(f"message {number}")
            if number % 3 == 0:
                seen += told(reader)
            assert (tmp_path / NAME).stat().st_size < 3000
    seen += told(reader)
    assert [word for word in seen if word != 7] == [f"message {number}" for number in range(200)]
    assert told(ProgressReader(tmp_path))[0] == 7, "who comes later sees how it stands"


async def test_a_new_run_begins_a_new_file_that_a_reader_finds(tmp_path: Path) -> None:
    reader = ProgressReader(tmp_path / "task-1")
    assert told(reader) == [], "there is none yet"
    for name in ("first", "second"):
        with ProgressFile(tmp_path / "task-1") as file:
            file.on_message(name)
        assert told(reader) == [name]


def test_a_truncated_file_is_read_from_its_start_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / NAME
    reader = ProgressReader(tmp_path)
    path.write_text(message_line("one, which is the longest") + "\n" + message_line("two")[:9])
    assert told(reader) == ["one, which is the longest"]
    path.write_text(message_line("three") + "\n")
    assert told(reader) == ["three"]
    with path.open("a") as file:
        file.write(json.dumps({"type": "of another version"}) + "\nno json\n" + message_line("four") + "\n")
    assert told(reader) == ["four"]


async def test_what_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with ProgressFile(tmp_path / "file") as file:
        file.on_snapshot(snapshot(1))
        file.on_message("hello")
    (tmp_path / f".{NAME}").symlink_to("/dev/full")
    with ProgressFile(tmp_path) as file:
        file.on_snapshot(snapshot(1))
        file.on_message("hello")

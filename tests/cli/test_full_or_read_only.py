"""The command line where nothing can be written: a full disk, a read-only folder. Real file systems and servers."""

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command_runner import Commands, rest_of, three_lines, wait_for_line

from autotuner.config.load import to_data
from autotuner.mock_server import MockOptions, MockServer
from autotuner.services.documents import demo_document
from volume import Volume, volume

DEMO = ("demo", "--set", "optimization.max_iterations=2", "--set", "optimization.confirm.starts=2")

ENDPOINT = """
task_name: endpoint
deployment_mode: endpoint
model: {served_name: mock}
deployment: {endpoint_url: "URL"}
optimization: {objective: maximize_throughput}
benchmark:
  traffic_scenarios: ["D(16,8)"]
  num_concurrency: [1, 4]
  max_time_per_iteration: 0.3
  warmup_requests: 2
"""

REAL = """
task_name: real
model: {id_or_path: tiny}
parameters: {n_parallel: [1, 2, 3, 4], threads: 1}
optimization: {objective: maximize_throughput, strategy: grid, max_iterations: 4, confirm: {starts: 0}}
benchmark: {traffic_scenarios: ["D(16,8)"], num_concurrency: [2], max_time_per_iteration: 0.3, warmup_requests: 2}
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Volume]:
    with volume(tmp_path / "disk", "64m") as made:
        yield made


@pytest.fixture
def inside(disk: Volume) -> Commands:
    """The command line with its data folder on the disk."""
    return Commands(disk.folder, prefix=tuple(disk.command()))


async def test_a_full_disk_of_artefacts_costs_files_and_no_figures(
    commands: Commands, disk: Volume, inside: Commands
) -> None:
    database = ("--database", str(commands.folder / "elsewhere.db"))
    async with MockServer(MockOptions(ttft_s=0.01, token_s=0.001)) as server:
        path = commands.task_file(ENDPOINT.replace("URL", server.base_url))
        disk.fill()
        ended = await asyncio.to_thread(inside.spawn, "run", path, "--json", *database)
    assert ended.returncode == 2
    error = json.loads(ended.stderr)["error"]
    assert (error["code"], error["why"]) == ("storage", "no space left on device")
    assert "The result is stored: make room, then `autotuner report endpoint`" in error["remedy"]
    last = json.loads(ended.stdout.splitlines()[-1])
    assert (last["type"], last["files"]) == ("result", {})
    assert last["result"]["status"] == "completed"
    assert last["result"]["experiments"][0]["status"] == "success"
    (warning,) = [text for text in last["result"]["warnings"] if "request records" in text]
    assert warning.startswith("the request records of 1 of 1 starts could not be written (No space left on dev")
    with closing(sqlite3.connect(commands.folder / "elsewhere.db")) as connection:
        kept = [json.loads(row[0]) for row in connection.execute("SELECT measurement FROM measurements")]
    assert [(m["samples_path"], m["samples_error"]) for m in kept] == [(None, "No space left on device")] * 2
    assert all(m["completed_requests"] > 0 for m in kept)
    assert not list(disk.outside.rglob("samples*")), "no part of a file stays"
    disk.free()
    written = await asyncio.to_thread(inside.spawn, "report", *database)
    assert written.returncode == 0
    assert (disk.outside / Path(written.stdout.strip()).relative_to(disk.folder)).stat().st_size > 1000


def test_a_read_only_data_folder_can_be_read(commands: Commands, disk: Volume, inside: Commands) -> None:
    assert inside.spawn(*DEMO).returncode == 0
    disk.remount("ro")
    listed = inside.spawn("task", "list", "--json")
    assert [task["name"] for task in json.loads(listed.stdout)["tasks"]] == ["demo"]
    shown = inside.spawn("results")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Predicted: ")
    document = commands.task_file(json.dumps(to_data(demo_document())), "demo.json")
    assert inside.spawn("plan", document).returncode == 0
    for words in (DEMO, (*DEMO, "--new"), ("task", "delete", "demo")):
        refused = inside.spawn(*words)
        assert (refused.returncode, refused.stdout) == (2, "")
        lines = three_lines(refused.stderr)
        assert len(refused.stderr.splitlines()) == 3, "nothing was begun before"
        if words[0] == "demo":
            assert "cannot be opened for writing" in lines[1]
            assert lines[2] == "What to do: Make the file and its folder writable and try again"
        else:
            assert lines[1] == "Why: read-only file system"
    tiny = inside.spawn("plan", commands.task_file(REAL))
    assert tiny.returncode == 2
    assert "ead-only" in "".join(three_lines(tiny.stderr)), "the model cannot be made there"


def test_a_read_only_store_that_a_killed_run_left_is_read_with_its_log(disk: Volume, inside: Commands) -> None:
    with inside.started(*DEMO, "--set", "optimization.max_iterations=30", "--json") as process:
        wait_for_line(process, '"start_finished"')
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (disk.outside / "data" / "autotuner.db-wal").stat().st_size > 0
    disk.remount("ro")
    found = json.loads(inside.spawn("task", "list", "--json").stdout)["tasks"]
    assert [task["name"] for task in found] == ["demo"]
    refused = inside.spawn(*DEMO, "--set", "optimization.max_iterations=30")
    assert refused.returncode == 2
    assert "read-only file system" in three_lines(refused.stderr)[1]


@pytest.mark.parametrize("kept", ["read-only", "file"])
def test_a_folder_for_artefacts_that_cannot_be_written_stops_before_anything_starts(
    commands: Commands, disk: Volume, inside: Commands, kept: str
) -> None:
    if kept == "file":
        (disk.outside / "data").write_text("in the way")
    else:
        disk.remount("ro")
    database = str(commands.folder / "elsewhere.db")
    refused = inside.spawn(*DEMO, "--database", database)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the folder cannot be made" in three_lines(refused.stderr)[0]
    assert len(refused.stderr.splitlines()) == 3
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (0,)


@pytest.mark.engine
@pytest.mark.parametrize("end", ["patience", "Ctrl-C"])
def test_a_real_server_is_gone_when_a_full_disk_ends_a_run(
    commands: Commands, disk: Volume, inside: Commands, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = commands.task_file(REAL)
    monkeypatch.setenv("AUTOTUNER_STORE_PATIENCE", "0.5" if end == "patience" else "600")
    with inside.started("run", path) as process:
        wait_for_line(process, "#1: ")  # the first searched configuration: begun or done
        disk.fill()
        wait_for_line(process, "The database cannot be used: ")
        if end == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        said = rest_of(process)
        code = process.wait(timeout=60)
    assert servers(disk) == []
    if end == "patience":
        assert code == 2
        assert "and that did not change within 0.5 s" in three_lines(said)[1]
    else:
        assert code == 130
        assert "If the last step is not stored, running the task again repeats it." in said
    disk.free()
    ended = inside.spawn("run", path, "--json")
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])["result"]
    assert result["status"] == "completed"
    assert all(e["status"] == "success" for e in result["experiments"])
    assert inside.spawn("db", "check").stdout == "The database is sound.\n"
    assert servers(disk) == []


def servers(disk: Volume) -> list[int]:
    """Processes that work with the disk, but for the one that keeps it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(disk.folder).encode() in words and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found

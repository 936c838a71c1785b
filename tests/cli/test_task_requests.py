"""Cancel, pause, resume, start and retry a task that another process runs, or that nobody runs any more."""

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from command_runner import COMMAND, Commands, rest_of, three_lines, wait_for_line
from test_interrupted_run import TINY, children_gone, stubborn_task, wait_until_gone

from autotuner.contracts.store import AttemptRow, EventType, Store
from autotuner.store import open_store

T = TypeVar("T")

LONG = ("demo", "--set", "optimization.max_iterations=200", "--set", "optimization.confirm.starts=2", "--json")
"""It takes far longer than any request to it."""


def stored(commands: Commands, read: Callable[[Store], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with open_store(str(commands.folder / "data" / "autotuner.db")) as store:
            return await read(store)

    return asyncio.run(opened())


def attempts(commands: Commands) -> list[AttemptRow]:
    return stored(commands, lambda store: store.list_attempts(1))


def event_types(commands: Commands) -> Counter[EventType]:
    return Counter(event.type for event in stored(commands, lambda store: store.events(1, limit=10_000)))


def said(commands: Commands, *words: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    result = commands(*words, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def cancelled(commands: Commands, process: "subprocess.Popen[str]", name: str) -> None:
    """Ask, see that it is stored at once, wait until it is done, and see how the process ended."""
    before = len(attempts(commands))
    asked = said(commands, "task", "cancel", name, "--no-wait")
    assert asked["status"] == "cancelling"
    again = commands("task", "cancel", name, "--json")  # waits for it, unless it is done by then
    done = json.loads(again.stdout if again.exit_code == 0 else again.output)
    assert done.get("status") == "cancelled" or done["error"]["why"] == "it is cancelled", again.output
    last = json.loads(rest_of(process).splitlines()[-1])
    assert process.wait(timeout=60) == 130
    assert last == {"type": "interrupted", "resume": ["autotuner", "task", "start", name]}
    assert len(attempts(commands)) == before
    assert children_gone(commands)
    assert event_types(commands)[EventType.TASK_CANCELLED] == 1


@pytest.mark.engine
def test_a_server_that_never_answers_is_ended(commands: Commands) -> None:
    path, ready = stubborn_task(commands, stop_s=0.2)
    with commands.started("run", path, "--json") as process:
        pid = int(ready.read_text())
        wait_for_line(process, '"phase": "load"')
        cancelled(commands, process, "task")
    wait_until_gone(pid)
    [attempt] = attempts(commands)
    assert attempt.status == "interrupted"


@pytest.mark.engine
def test_cancelled_while_a_failed_server_is_being_ended(commands: Commands) -> None:
    path, ready = stubborn_task(commands, stop_s=2)
    with commands.started("run", path, "--json", "--set", "optimization.phase_budgets.start=0.5") as process:
        pid = int(ready.read_text())
        wait_for_line(process, '"phase": "teardown"')
        cancelled(commands, process, "task")
    wait_until_gone(pid)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("phase", "sets"),
    [
        ("warmup", ["benchmark.warmup_requests=100000"]),
        ("measure", ["benchmark.max_time_per_iteration=600"]),
    ],
)
def test_cancelled_under_load_it_goes_on_with_nothing_doubled(commands: Commands, phase: str, sets: list[str]) -> None:
    path = commands.task_file(TINY)
    given = [word for change in sets for word in ("--set", change)]
    with commands.started("run", path, "--json", *given) as process:
        wait_for_line(process, f'"phase": "{phase}", "elapsed_s"')
        cancelled(commands, process, "task")
    [attempt] = attempts(commands)
    assert attempt.handle is not None
    assert not Path(f"/proc/{attempt.handle.fields['pid']}").exists()


@pytest.mark.engine
def test_what_a_killed_process_left_is_cancelled_without_it(commands: Commands) -> None:
    path, ready = stubborn_task(commands, stop_s=0.2)
    with commands.started("run", path) as process:
        pid = int(ready.read_text())
        wait_for_line(process, "Start 1")
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until_gone(pid)
    listed = commands("task", "list")
    assert "running (left behind)" in listed.stdout
    assert "`autotuner task start NAME` goes on" in listed.stdout
    assert not said(commands, "task", "list")["tasks"][0]["held"]
    lines = three_lines(commands("attach").stderr)
    assert "no process runs the task 'task'" in lines[0]
    assert "it is running, and nobody is at work on it; its experiments: 1 " in lines[1]
    done = said(commands, "task", "cancel", "task")
    assert done["status"] == "cancelled"
    assert done["experiments"] == {"pending": 1}
    assert [attempt.status.value for attempt in attempts(commands)] == ["interrupted"]
    # A cancelled task can be started without its file: this one again to where it hangs.
    with commands.started("task", "start", "task") as process:
        pid = int(ready.read_text())
        process.send_signal(signal.SIGINT)
        assert "autotuner task start task\n" in rest_of(process)
        assert process.wait(timeout=60) == 130
    wait_until_gone(pid)


def test_a_paused_task_waits_and_goes_on_or_is_cancelled(commands: Commands) -> None:
    with commands.started(*LONG) as process:
        wait_for_line(process, '"start_finished"')
        assert said(commands, "task", "pause", "demo")["held"]
        wait_for_line(process, "Paused: nothing is started until")
        before = attempts(commands)
        assert {attempt.status.value for attempt in before} == {"success"}
        assert "autotuner task resume demo" in three_lines(commands("task", "start", "demo").stderr)[2]
        assert said(commands, "task", "resume", "demo")["status"] == "running"
        wait_for_line(process, "Resumed.")
        wait_for_line(process, '"start_finished"')
        assert len(attempts(commands)) > len(before)
        said(commands, "task", "pause", "demo")
        wait_for_line(process, "Paused: nothing is started until")
        cancelled(commands, process, "demo")


def test_killed_while_paused_it_is_paused_and_ends_like_an_unbroken_one(commands: Commands, tmp_path: Path) -> None:
    short = ("demo", "--json", "--set", "optimization.max_iterations=40", "--set", "optimization.confirm.starts=2")
    with commands.started(*short) as process:
        wait_for_line(process, '"start_finished"')
        said(commands, "task", "pause", "demo")
        wait_for_line(process, "Paused: nothing is started until")
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = attempts(commands)
    assert said(commands, "task", "show", "demo")["status"] == "paused"
    ended = commands.spawn("task", "resume", "demo", "--json")
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])["result"]
    assert len(attempts(commands)[: len(before)]) == len(before)
    unbroken = Commands(tmp_path / "unbroken")
    whole = json.loads(unbroken.spawn(*short).stdout.splitlines()[-1])["result"]
    assert result["headline"] == whole["headline"]
    assert [(e["parameters"], e["score"]) for e in result["experiments"]] == [
        (e["parameters"], e["score"]) for e in whole["experiments"]
    ]
    assert result["attempts"] == whole["attempts"]


def test_many_ask_at_once_and_one_end_is_stored(commands: Commands) -> None:
    # Detached, so that it never waits for somebody who reads its output.
    detached = json.loads(commands.spawn(*LONG, "--detach").stdout)
    env = {**os.environ, **commands.env, "AUTOTUNER_DATABASE_TIMEOUT": "30"}
    asking = [
        subprocess.Popen([*COMMAND, "task", what, "demo"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for what in ("cancel", "pause", "cancel", "pause", "cancel")
    ]
    ended = [(one.communicate(timeout=120), one.returncode) for one in asking]
    wait_until_gone(detached["pid"])
    assert 0 in [code for _, code in ended[::2]]
    for (_, stderr), code in ended:
        if code:
            assert code == 2
            assert "cannot be" in three_lines(stderr.decode())[0]
    assert said(commands, "task", "show", "demo")["status"] == "cancelled"
    types = event_types(commands)
    assert types[EventType.TASK_CANCELLED] == 1
    assert types[EventType.TASK_UPDATED] == 1
    assert types[EventType.TASK_COMPLETED] == 0


def test_requests_to_a_task_that_has_ended_are_refused_and_change_nothing(commands: Commands) -> None:
    assert commands("demo", "--set", "optimization.max_iterations=1").exit_code == 0
    before = event_types(commands)
    for what in ("cancel", "pause", "resume", "start"):
        lines = three_lines(commands("task", what, "demo").stderr)
        assert "completed" in lines[1], what
    assert "none of its experiments failed" in three_lines(commands("task", "retry", "demo").stderr)[1]
    assert "0 to 1" in three_lines(commands("task", "retry", "demo", "--experiment", "7").stderr)[1]
    assert "it is success" in three_lines(commands("task", "retry", "demo", "--experiment", "1").stderr)[1]
    assert event_types(commands) == before


def test_a_completed_task_tries_failed_experiments_again(commands: Commands) -> None:
    some = ("--set", "simulation.crash_share=0.4", "--set", "optimization.max_iterations=8")
    assert commands("demo", *some, "--set", "optimization.confirm.starts=0").exit_code == 0
    experiments = stored(commands, lambda store: store.list_experiments(1))
    failed = [e for e in experiments if e.status == "failed"]
    assert len(failed) > 1
    before = Counter(a.experiment_id for a in attempts(commands))
    ran = commands("task", "retry", "demo", "--experiment", str(failed[0].number), "--json")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout.splitlines()[-1])["result"]["status"] == "completed"
    again = Counter(a.experiment_id for a in attempts(commands))
    assert list(again - before) == [failed[0].id]
    types = event_types(commands)
    assert (types[EventType.EXPERIMENT_RETRIED], types[EventType.TASK_COMPLETED]) == (1, 2)

"""Runs a task from the command line: progress, interruption, and what is printed at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autotuner.cli.detached import Announcement, shell_line, start_detached
from autotuner.cli.failures import INTERRUPTED
from autotuner.cli.interruption import Interruption
from autotuner.cli.output import say, show
from autotuner.cli.state import State

if TYPE_CHECKING:
    from autotuner.config.document import TaskDocument
    from autotuner.contracts.attempt import AttemptReason
    from autotuner.contracts.progress import Observer, Snapshot
    from autotuner.contracts.result import ExperimentSummary
    from autotuner.contracts.store import TaskRecord
    from autotuner.services.grid import Grid
    from autotuner.services.tasks import RunOutcome

STOPPING = "Stopping: the server is being ended. Ctrl-C again kills at once."


def run_document(
    document: TaskDocument,
    state: State,
    *,
    new: bool = False,
    grid: str | None = None,
    report_file: str | None = None,
    detach: bool = False,
    go_on: list[str] | None = None,
) -> None:
    """Run a task and show its result; exits with 130 when it was interrupted or cancelled.

    ``detach``: leave it to a process of its own, which runs the same command line. ``go_on``: the command that goes on
    after an interruption, if it is not the same one.
    """
    from autotuner.services.grid_files import load_grid
    from autotuner.services.tasks import run_task
    from autotuner.services.writing import check_writable

    settings = state.settings()
    known = load_grid(grid) if grid is not None else None
    if report_file is not None:
        check_writable(Path(report_file))
    if detach:
        start_detached(sys.argv[1:], state)
        return
    with ExitStack() as stack:
        observer = Named(observer_of(state, stack), Announcement(settings).make)
        interruption = Interruption(lambda: observer.on_message(STOPPING))
        outcome = interruption.run(run_task(document, settings, observer, new=new))
    if outcome is None:
        command = go_on or _resume_command(sys.argv[1:], observer.task_name if new else None)
        _say_stopped(state, "Stopped.", command)
        raise click.exceptions.Exit(INTERRUPTED)
    end_if_cancelled(outcome.task, state)
    if known is not None:
        outcome = _placed(outcome, known)
    show_outcome(outcome, state, report_file)


class Named:
    """Passes everything on to another observer and keeps the name of the task; ``first`` is told the first snapshot."""

    def __init__(self, inner: Observer, first: Callable[[Snapshot], None]) -> None:
        self._inner = inner
        self._first = first
        self.task_name: str | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Pass it on."""
        if self.task_name is None:
            self._first(snapshot)
        self.task_name = snapshot.task_name
        self._inner.on_snapshot(snapshot)

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        """Pass it on."""
        self._inner.on_start_finished(summary, reason)

    def on_message(self, message: str) -> None:
        """Pass it on."""
        self._inner.on_message(message)


def observer_of(state: State, stack: ExitStack) -> Observer:
    """Progress goes to stderr, so that stdout holds the result; with --json both are lines of JSON on stdout."""
    from autotuner.cli.render.progress import JsonObserver, PlainObserver, RichObserver, SteadyConsole

    if state.json:
        return JsonObserver(sys.stdout)
    if sys.stderr.isatty():
        return stack.enter_context(RichObserver(SteadyConsole(stderr=True, highlight=False)))
    return PlainObserver(sys.stderr)


def _resume_command(words: Sequence[str], renamed: str | None) -> list[str]:
    """The same command; for a task that --new has made, its name instead of --new."""
    command = ["autotuner", *words]
    if renamed is not None:
        command = [word for word in command if word != "--new"] + ["--set", f"task_name={renamed}"]
    return command


def end_if_cancelled(task: TaskRecord, state: State) -> None:
    """Say how to go on with a task that somebody has cancelled, and exit with 130; nothing for another one."""
    from autotuner.contracts.store import TaskStatus

    if task.status is TaskStatus.CANCELLED:
        _say_stopped(state, f"The task {task.name!r} was cancelled.", state.command("task", "start", task.name))
        raise click.exceptions.Exit(INTERRUPTED)


def _say_stopped(state: State, what: str, command: list[str]) -> None:
    if state.json:
        click.echo(json.dumps({"type": "interrupted", "resume": command}))
    else:
        say(f"{what} What was measured is kept. To go on from there:", err=True)
        say(f"  {shell_line(command)}", err=True)


def _placed(outcome: RunOutcome, grid: Grid) -> RunOutcome:
    from dataclasses import replace

    from autotuner.services.grid_files import placed

    return replace(outcome, result=placed(outcome.result, grid))


def show_outcome(outcome: RunOutcome, state: State, report_file: str | None) -> None:
    """Write the result's files and print the result."""
    from autotuner.cli.render.result import result_tables
    from autotuner.services.report.json_export import finite
    from autotuner.services.result_files import write_result_files

    report = Path(report_file) if report_file is not None else None
    paths, unwritten = write_result_files(outcome.result, outcome.folder, report)
    written = {kind: str(path) for kind, path in paths.items()}
    if state.json:
        line = {"type": "result", "fresh": outcome.fresh, "files": written, "task": outcome.task.name}
        click.echo(json.dumps(finite({**line, "result": outcome.result.model_dump(mode="json")}), allow_nan=False))
    else:
        if not outcome.fresh:
            say(f"The task {outcome.task.name!r} was finished before, so nothing was run. This is its result.")
            say("A larger budget (such as --set optimization.max_iterations=N) goes on with it; --new makes another.\n")
        show(result_tables(outcome.result, files=written))
    if unwritten is not None:
        unwritten.remedy = f"The result is stored: make room, then `autotuner report {outcome.task.name}` writes it"
        raise unwritten

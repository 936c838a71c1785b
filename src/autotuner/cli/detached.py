"""Runs in a process of their own: starting one, and telling the starter that the task runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from autotuner.cli.output import say
from autotuner.cli.state import State

if TYPE_CHECKING:
    from autotuner.contracts.progress import Snapshot
    from autotuner.services.settings import Settings

VARIABLE = "AUTOTUNER_ANNOUNCE_FD"
"""Set for the new process alone: the descriptor through which it says that its task runs."""
LOG_NAME = "run.log"
"""What the new process prints, in the task's folder."""


def start_detached(words: Sequence[str], state: State) -> None:
    """Run a command line without its --detach in a process of its own; returns when its task runs.

    If it ends before, what it printed is printed and its exit code is this program's.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # Not a context manager: it outlives us. asyncio's would be killed with our event loop.
        process = subprocess.Popen(  # noqa: S603  (this program again, with the user's own words)
            [sys.executable, "-m", "autotuner", *(word for word in words if word != "--detach")],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            pass_fds=(writing,),
            env={**os.environ, VARIABLE: str(writing)},
        )
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            try:
                said = pipe.read()  # until the other end is closed: the task runs, or the process is gone
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                raise
        if not said:
            code = process.wait()
            _print_again(out, sys.stdout)
            _print_again(err, sys.stderr)
            raise click.exceptions.Exit(code if code >= 0 else 128 - code)
    process.returncode = 0  # nobody waits for it, and that is no mistake
    _say_started(json.loads(said), state)


class Announcement:
    """The new process's side; does nothing in a process that was not started detached."""

    def __init__(self, settings: Settings) -> None:
        given = os.environ.pop(VARIABLE, None)  # for this process, not for what it starts
        self._settings = settings
        self._descriptor = int(given) if given is not None else None
        if self._descriptor is not None:
            os.set_inheritable(self._descriptor, False)

    def make(self, snapshot: Snapshot) -> None:
        """The task runs: send what is printed to its folder from now on, and tell the starter. Once."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        folder = self._settings.task_dir(snapshot.task_id)
        said = {"task": snapshot.task_name, "id": snapshot.task_id, "pid": os.getpid()}
        with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:
            try:
                said["log"] = str(_print_to(folder / LOG_NAME))
            except OSError as error:
                said["log"] = f"none: {error}"
            try:
                pipe.write(json.dumps(said))
                pipe.flush()
            except OSError:  # the starter is gone; the run goes on
                return


def _print_to(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    return path


def _print_again(written: IO[bytes], stream: IO[str]) -> None:
    written.seek(0)
    stream.write(written.read().decode("utf-8", "replace"))
    stream.flush()


def _say_started(started: dict[str, object], state: State) -> None:
    name = str(started["task"])
    if state.json:
        click.echo(json.dumps({"type": "detached", **started}))
        return
    say(f"The task {name!r} runs in process {started['pid']}. What it prints is in {started['log']}")
    for what, words in (("To watch it", ("attach", name)), ("To end it", ("task", "cancel", name))):
        say(f"{what}: {shell_line(state.command(*words))}")


def shell_line(command: Sequence[str]) -> str:
    """A command line to be copied."""
    import shlex

    return shlex.join(command)

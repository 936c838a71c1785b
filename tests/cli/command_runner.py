"""Runs the command line in this process and in another one, each time with a data folder of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from autotuner.cli.main import cli

COMMAND = [sys.executable, "-m", "autotuner"]


@dataclass(frozen=True)
class Commands:
    """The command line with one data folder. ``prefix`` stands before it when it gets a process of its own."""

    folder: Path
    prefix: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return {"AUTOTUNER_DATA_DIR": str(self.folder / "data"), "AUTOTUNER_DATABASE_TIMEOUT": "0.2", "COLUMNS": "120"}

    def __call__(self, *words: str, text: str | None = None) -> Result:
        """Run it in this process."""
        return CliRunner(env=self.env).invoke(cli, list(words), input=text, prog_name="autotuner")

    def spawn(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it in a process of its own, to its end."""
        return subprocess.run(
            [*self.prefix, *COMMAND, *words],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A running process with both outputs in one pipe; killed at the end if it still lives."""
        with subprocess.Popen(
            [*self.prefix, *COMMAND, *words],
            env={**os.environ, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)

    def task_file(self, text: str, name: str = "task.yaml") -> str:
        """A task file with that text; its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


def wait_for_line(process: "subprocess.Popen[str]", wanted: str) -> str:
    """Read the process's output up to a line that holds ``wanted``; fails with all of it when there is none."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if wanted in line:
            return line
    raise AssertionError(f"no line with {wanted!r} in:\n{''.join(seen)}")


def rest_of(process: "subprocess.Popen[str]") -> str:
    """The output up to the end of the process."""
    assert process.stdout is not None
    return process.stdout.read()


def three_lines(stderr: str) -> Sequence[str]:
    """The error's lines, without progress before them; fails when it is not what, why and what to do."""
    lines = stderr.rstrip("\n").split("\n")[-3:]
    assert [line.partition(":")[0] for line in lines] == ["Error", "Why", "What to do"], stderr
    assert all(line.partition(": ")[2] for line in lines), stderr
    assert "Traceback" not in stderr
    return lines

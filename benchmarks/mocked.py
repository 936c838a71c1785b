"""A running mock server for a benchmark, and the log of what it really did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class MockServer:
    """``told``: what the server says of itself, when it has ended: requests, tokens, CPU seconds, lateness."""

    base_url: str
    pid: int
    told: dict[str, Any] = field(default_factory=dict)


@contextmanager
def mock_server(*options: str, core: int | None = None) -> Iterator[MockServer]:
    """A mock server with these options of its command, pinned to a core (None: not pinned) and ended with the block."""
    command = [sys.executable, "-m", "autotuner.mock_server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the mock server has no output")
            made = MockServer(str(json.loads(process.stdout.readline())["base_url"]), process.pid)
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            yield made
        finally:
            process.terminate()
            rest, _ = process.communicate()
    made.told.update(json.loads(rest))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a server's ``--log``, in the order in which the requests came."""
    return sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda entry: entry["received"])

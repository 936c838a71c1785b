"""Every command of the guide to live events, in its order, against a service with an empty data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented import ROOT
from test_documented_calls import CURL, Call, calls, serve

CALLS = list(calls(ROOT / "docs" / "guide" / "live-events.md"))
CUT_OFF = {0, 28, 124}
"""Exit codes of a stream that was cut off by --max-time, or by timeout."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    with serve(tmp_path_factory) as (folder, env):
        path = os.pathsep.join((str(Path(sys.executable).parent), env["PATH"]))
        yield folder, {**env, "PATH": path}


def test_the_commands_answer_as_the_guide_says(service: tuple[Path, dict[str, str]]) -> None:
    """In their order, for they build on each other."""
    folder, env = service
    for call in CALLS:
        follow(call, folder, env)


def follow(call: Call, folder: Path, env: dict[str, str]) -> None:
    """Run a command and look at what it prints."""
    ran = subprocess.run(["bash", "-c", CURL + call.text], cwd=folder, env=env, capture_output=True, text=True)
    endless = "--max-time" in call.text or call.text.startswith("timeout")
    assert ran.returncode in (CUT_OFF if endless else {0}), f"{call}: {ran.stderr}"
    if "curl" in call.text:
        status = ran.stderr.strip().splitlines()[-1][-3:]
        assert status == call.status if call.status else status.startswith("2"), f"{call}: {status} {ran.stdout[:2000]}"
    if call.text.startswith("timeout") or "since=0" in call.text.partition("sse")[2]:
        assert '"type": "task_created"' in ran.stdout, call
    if call.text.endswith("/metrics"):
        assert "autotuner_live_delivery_seconds_bucket" in ran.stdout, call

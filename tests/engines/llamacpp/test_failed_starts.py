"""What real failed starts wrote (tests/data/failed_starts) is diagnosed rightly, and no pattern is without evidence."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.attempt import FailureClass
from autotuner.deploy.local.diagnosis import Exit, diagnose
from autotuner.engines.llamacpp.engine import LOG_PATTERNS

FOLDER = Path(__file__).parents[2] / "data" / "failed_starts" / "llamacpp"
STARTS: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())
FAILED = [start for start in STARTS if start["expected"] is not None]
HEALTHY = [start for start in STARTS if start["expected"] is None]


def log_of(start: dict[str, Any]) -> str:
    return (FOLDER / f"{start['name']}.log").read_text()


def exit_of(start: dict[str, Any]) -> Exit:
    name = start["ended"].get("signal")
    return Exit(
        code=start["ended"].get("code"),
        number=None if name is None else signal.Signals[name],
        memory_was_short=start["memory_was_short"],
    )


@pytest.mark.parametrize("start", FAILED, ids=lambda start: start["name"])
def test_a_recorded_failure_is_diagnosed(start: dict[str, Any]) -> None:
    log, expected = log_of(start), start["expected"]
    found = diagnose(exit_of(start), LOG_PATTERNS, log, log[-500:])
    assert found.kind is FailureClass(expected["kind"])
    assert [word for word in expected["words"] if word not in found.diagnosis] == []
    assert found.certain is expected["certain"]
    assert found.hint
    assert "\n" not in found.diagnosis
    assert found.log_tail == log[-500:]


def test_nothing_is_read_into_what_a_healthy_server_writes() -> None:
    """One that is killed later has all of these lines in its log too."""
    assert HEALTHY
    for start in HEALTHY:
        lines = log_of(start).splitlines()
        assert len(lines) > 10
        found = [(p.pattern, line) for p in LOG_PATTERNS for line in lines if re.search(p.pattern, line)]
        assert found == []


@pytest.mark.parametrize("pattern", [a for p in LOG_PATTERNS for a in re.split(r"\|(?![^(]*\))", p.pattern)])
def test_every_alternative_of_a_pattern_matches_a_recorded_line(pattern: str) -> None:
    lines = [line for start in FAILED for line in log_of(start).splitlines()]
    assert any(re.search(pattern, line) for line in lines)


def test_each_pattern_decides_a_recorded_start() -> None:
    said = [diagnose(exit_of(start), LOG_PATTERNS, log_of(start), "").diagnosis for start in FAILED]
    assert [p.diagnosis for p in LOG_PATTERNS if not any(text.startswith(p.diagnosis) for text in said)] == []


def test_every_recording_is_in_the_index_and_names_no_path_of_a_machine() -> None:
    assert {path.stem for path in FOLDER.glob("*.log")} == {start["name"] for start in STARTS}
    own = str(Path.home()), str(Path(__file__).parents[3]), "/tmp/"  # noqa: S108
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert [place for place in own if place in text] == []

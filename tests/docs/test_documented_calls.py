"""Every curl command of the guides to API and service, in order, against a service with an empty data folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from documented import ROOT, blocks

GUIDES = tuple(ROOT / "docs" / "guide" / name for name in ("api.md", "service.md"))
EXPECTED = re.compile(r"\s+# (\d{3})$")
CURL = 'curl() { command curl -sS -w "%{stderr}status=%{http_code}" "$@"; }\n'
"""Also tells the status."""


@dataclass(frozen=True)
class Call:
    """A command of the guide, and what it answers: a status, or any success."""

    place: str
    text: str
    status: str | None

    def __str__(self) -> str:
        return self.place


def calls(guide: Path) -> Iterator[Call]:
    """Commands of the shell blocks: lines that end in a backslash, an open quotation mark or a here-document go on."""
    for language, first, lines in blocks(guide.read_text(encoding="utf-8")):
        if language != "sh":
            continue
        held: list[str] = []
        for number, line in enumerate(lines, first):
            held.append(line)
            text = "\n".join(held)
            marker = re.search(r"<<'(\w+)'", text)
            if line.endswith("\\") or text.count("'") % 2 or (marker and line != marker[1]):
                continue
            found = EXPECTED.search(text)
            yield Call(f"{guide.name}:{number}", EXPECTED.sub("", text), found[1] if found else None)
            held = []


CALLS = [call for guide in GUIDES for call in calls(guide)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder to call from, and the environment with the service's address and token."""
    with serve(tmp_path_factory) as served:
        yield served


@contextmanager
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A service with an empty data folder."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("calls")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOTUNER_", "XDG_"))}
    env = {**kept, "HOME": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, "-m", "autotuner", "--json", "serve", "--port", "0"]
    with subprocess.Popen(words, env=env, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            told = _told(server)
            yield folder, {**env, "API": f"{told['address']}/api", "TOKEN": told["page"].partition("?token=")[2]}
        finally:
            server.terminate()


def _told(server: subprocess.Popen[str]) -> dict[str, str]:
    """The JSON that the service prints when it answers."""
    assert server.stdout is not None
    text = ""
    for line in server.stdout:
        text += line
        if line.rstrip() == "}":
            break
    told: dict[str, str] = json.loads(text)
    return told


def test_the_guide_calls_every_group() -> None:
    whole = "\n".join(call.text for call in CALLS if "curl" in call.text)
    for group in (
        "system",
        "presets",
        "profiles",
        "from-context",
        "engines",
        "aiconfigurator",
        "dashboard",
        "webhooks",
    ):
        assert f"/{group}" in whole
    assert {call.status for call in CALLS} >= {None, "401", "403", "404", "409", "422"}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_calls_of_a_guide_answer_as_it_says(service: tuple[Path, dict[str, str]], guide: Path) -> None:
    """In their order, for they build on each other."""
    folder, env = service
    for call in calls(guide):
        if not call.text.startswith("export "):
            make(call, folder, env)


def make(call: Call, folder: Path, env: dict[str, str]) -> None:
    """Run a call and look at its status."""
    ran = subprocess.run(["bash", "-c", CURL + call.text], cwd=folder, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, f"{call}: {ran.stderr}"
    if "curl" in call.text:
        status = ran.stderr.partition("status=")[2][:3]
        assert status == call.status if call.status else status.startswith("2"), f"{call}: {status} {ran.stdout[:2000]}"

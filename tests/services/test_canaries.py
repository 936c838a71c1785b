"""Secrets that tasks name, servers inherit or the service has appear in nothing that is kept or answered."""

from __future__ import annotations

import gzip
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError
from autotuner.server.app import create_app
from autotuner.services.deploy_files import shell_command, systemd_unit
from autotuner.services.logs import logging_to
from autotuner.services.queries import named_task, task_result, winning_job
from autotuner.services.secret_values import known_secrets
from autotuner.services.settings import Settings
from autotuner.services.tasks import run_task
from autotuner.store.sql_store import open_store
from faults.test_fault_modes import ENGINE, TASK
from server.served import serving

pytestmark = pytest.mark.engine

CANARIES = {
    "env": "canary-of-the-environment",
    "file": "canary-of-a-file",
    "inherited": "canary-that-servers-inherit",
    "token": "canary-that-is-the-token",
}
TALKATIVE = """\
import os, runpy, sys
print("arguments", sys.argv, "environment", dict(os.environ), flush=True)
os.write(2, os.environ["OWN_SECRET"].encode()[:9])
os.write(2, os.environ["OWN_SECRET"].encode()[9:] + b" in two pieces\\n")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Heard:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_snapshot(self, snapshot: object) -> None:
        self.texts.append(repr(snapshot))

    def on_start_finished(self, summary: object, reason: object) -> None:
        self.texts.append(repr((summary, reason)))

    def on_message(self, message: str) -> None:
        self.texts.append(message)


def canaries_in(data: bytes) -> set[str]:
    return {kind for kind, value in CANARIES.items() if value.encode() in data}


def kept(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """All that lies in a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, gzip.decompress(data) if path.suffix == ".gz" else data


@pytest.mark.parametrize("mode", ["ok", "dies_at_load"])
async def test_no_secret_is_kept_or_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    secret, program = write_inputs(tmp_path)
    monkeypatch.setenv("CANARY_SOURCE", CANARIES["env"])
    monkeypatch.setenv("HF_TOKEN", CANARIES["inherited"])
    data = tmp_path / "data"
    settings = Settings(data_dir=data, database=str(data / "autotuner.db"), token=CANARIES["token"])
    document = yaml.safe_load(TASK)
    document["runtime"] = {
        "command": [sys.executable, str(program), str(ENGINE), mode],
        "env": {"OWN_SECRET": "env:CANARY_SOURCE", "SECRET_OF_A_FILE": f"file:{secret}", "PLAIN": "plain-value"},
    }
    heard = Heard()
    try:
        await run_task(validate(document, name="canary"), settings, heard)
    except AutotunerError as error:
        assert mode != "ok"
        heard.texts.append(repr(error.as_dict()))
    assert canaries_in("\n".join(heard.texts).encode()) == set()
    log = log_of(data)
    # The server did get them, or this would show nothing.
    assert log.count("***") >= 4
    assert "'PLAIN': 'plain-value'" in log
    assert "*** in two pieces" in log

    with logging_to(settings, "server", secrets=lambda: known_secrets(settings, os.environ), console=False):
        app = create_app(settings)
        async with serving(app) as address, httpx.AsyncClient(base_url=address, timeout=30) as http:
            http.headers["Authorization"] = f"Bearer {CANARIES['token']}"
            asked = 0
            for path, operations in app.openapi()["paths"].items():
                if "get" in operations and "/sse" not in path:
                    answer = await http.get(re.sub(r"\{[^}]*\}", "1", path))
                    assert canaries_in(answer.content) == set(), path
                    asked += answer.status_code == 200
            assert asked >= 8
            for page in ("/", "/tasks/1", "/part/tasks/1"):
                assert canaries_in((await http.get(page)).content) == set()
            assert (await http.get("/?token=" + CANARIES["token"] + "x")).status_code in {200, 401}
    async with open_store(settings.database) as store:
        events = await store.events(1)
        assert events
        assert canaries_in(repr(events).encode()) == set()
        if mode == "ok":
            task = await named_task(store, None)
            job = await winning_job(store, task, await task_result(store, task, settings), experiment=None)
            script, unit = shell_command(job), systemd_unit(job)
            assert 'export OWN_SECRET="${CANARY_SOURCE:?set it}"' in script
            assert f'export SECRET_OF_A_FILE="$(cat -- {secret})"' in script
            assert "OWN_SECRET=…, SECRET_OF_A_FILE=…" in unit
            assert canaries_in((script + unit).encode()) == set()
    found = {path.relative_to(data): canaries_in(content) for path, content in kept(data)}
    assert {path for path, canaries in found.items() if canaries} == set()


def write_inputs(folder: Path) -> tuple[Path, Path]:
    secret, program = folder / "secret", folder / "talkative.py"
    secret.write_text(CANARIES["file"] + "\n")
    program.write_text(textwrap.dedent(TALKATIVE))
    return secret, program


def log_of(data: Path) -> str:
    return (data / "artefacts/task-1/experiment-0000/attempt-01/server.log").read_text()

"""`autotuner serve` and `token` as a user meets them."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_runner import Commands

from autotuner.store.migrations import REVISIONS


def first_json(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The first whole JSON object that a process prints; lines of the log before it are passed."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said = line if line == "{\n" else said + line
        if line == "}\n":
            found: dict[str, Any] = json.loads(said)
            return found
    raise AssertionError(f"it ended: {said}")


def status(address: str, path: str, token: str | None) -> int:
    request = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_it_serves_until_it_is_stopped(commands: Commands) -> None:
    with commands.started("serve", "--port", "0", "--json", "--no-worker") as process:
        said = first_json(process)
        address, token = said["address"], str(commands("token").stdout).strip()
        assert said["page"] == f"{address}/?token={token}"
        assert status(address, "/api/system/info", None) == 401
        assert status(address, "/api/system/info", token) == 200
        taken = commands("serve", "--port", address.rpartition(":")[2])
        assert taken.exit_code == 2
        assert f"process {said['pid']}" in taken.stderr
        assert "--port" in taken.stderr
        new = json.loads(commands("token", "--new", "--json").stdout)["token"]
        assert status(address, "/api/system/info", token) == 401
        assert status(address, "/api/system/info", new) == 200
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[0]
        assert process.returncode == 0, rest
    log = Path(said["log"]).read_text()
    assert '"request"' in log
    assert token not in log


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])  # noqa: S104
def test_it_listens_on_the_loopback_only(commands: Commands, host: str) -> None:
    ended = commands("serve", "--host", host, "--port", "0")
    assert ended.exit_code == 2
    assert "accounts" in ended.stderr
    assert not (commands.folder / "data" / "token").exists()


def test_an_old_schema_is_refused_with_the_command_that_helps(commands: Commands) -> None:
    assert commands("db", "upgrade").exit_code == 0
    with closing(sqlite3.connect(commands.folder / "data" / "autotuner.db", isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (REVISIONS[-2],))
    ended = commands("serve", "--port", "0")
    assert ended.exit_code == 2
    assert "autotuner db upgrade" in ended.stderr


def test_a_missing_package_is_named(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    ended = commands("serve", "--port", "0", "--json")
    assert ended.exit_code == 2
    error = json.loads(ended.stderr)["error"]
    assert error["code"] == "missing_extra"
    assert "inference-autotuner[server]" in error["remedy"]


def test_a_fixed_token_is_printed_and_cannot_be_renewed(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOTUNER_TOKEN", "one-of-my-own-0123456789")
    assert commands("token").stdout == "one-of-my-own-0123456789\n"
    ended = commands("token", "--new")
    assert ended.exit_code == 2
    assert "AUTOTUNER_TOKEN" in ended.stderr

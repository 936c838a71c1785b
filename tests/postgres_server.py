"""A PostgreSQL server for tests: a cluster in a temporary folder, on a socket in it, ended by its process id."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

ADMIN = "tester"
STARTS = 100
"""Tries to start a server whose predecessor was killed."""


def find_binaries() -> Path | None:
    """Folder with initdb and postgres of the newest version installed."""
    on_path = shutil.which("initdb")
    candidates = [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(on_path).resolve().parent] if on_path else [])]
    found = [path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()]

    def version(path: Path) -> int:
        digits = re.sub(r"\D", "", path.parent.name)
        return int(digits) if digits else 0

    return max(found, key=version, default=None)


def absence() -> NoReturn:
    """Skip the test, or fail it where AUTOTUNER_REQUIRE_POSTGRES=1."""
    reason = "no PostgreSQL server is installed (initdb not found)"
    if os.environ.get("AUTOTUNER_REQUIRE_POSTGRES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class PostgresServer:
    """A running server. Trusts everybody who reaches its socket; the socket's folder keeps others out."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self._databases = 0

    @classmethod
    @contextmanager
    def running(cls, binaries: Path) -> Iterator[PostgresServer]:
        """Make a cluster, start it, and end and remove both. As root, everything runs as user ``postgres``."""
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        made = cls(binaries, folder)
        if made._account is not None:
            os.chown(folder, made._account.pw_uid, made._account.pw_gid)
        try:
            options = ["--auth=trust", f"--username={ADMIN}", "--encoding=UTF8", "--locale=C", "--no-sync"]
            subprocess.run(
                [binaries / "initdb", f"--pgdata={folder / 'data'}", *options],
                check=True,
                capture_output=True,
                cwd=folder,
                **made._user(),
            )
            made.start()
            try:
                yield made
            finally:
                made._process.send_signal(signal.SIGQUIT)  # immediate shutdown: nothing in it is wanted any more
                made._drain.join(timeout=30)
                made._process.kill()  # does nothing to one that has ended
                made._process.communicate()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def crash(self) -> None:
        """Kill the server with SIGKILL and start it again; its clients lose their connections."""
        self.kill()
        self.start()

    def start(self) -> None:
        """Start the server, also after ``kill``; returns when it takes connections."""
        settings = [f"unix_socket_directories={self._folder}", "listen_addresses=", "fsync=off", "max_connections=60"]
        words = [word for setting in settings for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._folder / "data", *words],
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            **self._user(),
        )
        assert self._process.stderr is not None
        _wait_until_ready(self._process.stderr)
        # So that the pipe never fills up.
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._drain.start()

    def kill(self) -> None:
        """SIGKILL for the server and all its processes, as they are."""
        children = _children(self._process.pid)
        self._process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        self._drain.join(timeout=30)  # the pipe ends with the last of them
        (self._folder / "data" / "postmaster.pid").unlink()  # names a process that may be another's by now

    def _user(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def url(self, database: str) -> str:
        """URL of a database of this server."""
        return f"postgresql://{ADMIN}@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """Create an empty database; returns its URL."""
        import psycopg

        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def _children(parent: int) -> list[int]:
    """Processes that a process has started."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _wait_until_ready(log: IO[str]) -> None:
    lines = []
    for line in log:
        lines.append(line)
        if "ready to accept connections" in line:
            return
    raise RuntimeError("the server ended: " + "".join(lines))

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
import time
from collections.abc import Iterator
from contextlib import contextmanager
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

    def __init__(self, binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
        self._binaries = binaries
        self._socket_folder = folder
        self._account = account
        self._databases = 0

    @classmethod
    @contextmanager
    def running(cls, binaries: Path) -> Iterator[PostgresServer]:
        """Make a cluster, start it, and end and remove both. As root, everything runs as user ``postgres``."""
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        try:
            made = cls(binaries, folder, account)
            made._make_cluster()
            made._start()
            try:
                yield made
            finally:
                made._process.send_signal(signal.SIGQUIT)  # immediate shutdown: nothing in it is wanted any more
                made._drain.join(timeout=30)
                made._end()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def crash(self) -> None:
        """Kill the server with SIGKILL and start it again; its clients lose their connections."""
        self._process.kill()
        self._end()
        self._start()

    def _make_cluster(self) -> None:
        options = ["--auth=trust", f"--username={ADMIN}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [self._binaries / "initdb", f"--pgdata={self._socket_folder / 'data'}", *options],
            check=True,
            capture_output=True,
            **self._as_user(),
        )

    def _start(self) -> None:
        settings = [
            f"unix_socket_directories={self._socket_folder}",
            "listen_addresses=",
            "fsync=off",
            "max_connections=60",
        ]
        words = [word for setting in settings for word in ("-c", setting)]
        for left in reversed(range(STARTS)):
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._socket_folder / "data", *words],
                stderr=subprocess.PIPE,
                text=True,
                **self._as_user(),
            )
            assert self._process.stderr is not None
            try:
                _wait_until_ready(self._process.stderr)
                break
            except RuntimeError:  # after a crash: processes of the dead server have not noticed yet
                self._process.communicate()
                if not left:
                    raise
                time.sleep(0.1)
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)  # so that the pipe never fills up
        self._drain.start()

    def _end(self) -> None:
        self._process.kill()  # does nothing to one that has ended
        self._drain.join()
        self._process.communicate()

    def _as_user(self) -> dict[str, Any]:
        if self._account is None:
            return {"cwd": self._socket_folder}
        return {
            "cwd": self._socket_folder,
            "user": self._account.pw_uid,
            "group": self._account.pw_gid,
            "extra_groups": [],
        }

    def url(self, database: str) -> str:
        """URL of a database of this server."""
        return f"postgresql://{ADMIN}@/{database}?host={self._socket_folder}"

    def new_database(self) -> str:
        """Create an empty database; returns its URL."""
        import psycopg

        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def _wait_until_ready(log: IO[str]) -> None:
    lines = []
    for line in log:
        lines.append(line)
        if "ready to accept connections" in line:
            return
    raise RuntimeError("the server ended: " + "".join(lines))

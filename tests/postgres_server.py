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
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

import pytest

ADMIN = "tester"


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

    def __init__(self, socket_folder: Path) -> None:
        self._socket_folder = socket_folder
        self._databases = 0

    @classmethod
    @contextmanager
    def running(cls, binaries: Path) -> Iterator[PostgresServer]:
        """Make a cluster, start it, and end and remove both. As root, everything runs as user ``postgres``."""
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        user = account.pw_uid if account else None
        group = account.pw_gid if account else None
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        try:
            data = folder / "data"
            options = ["--auth=trust", f"--username={ADMIN}", "--encoding=UTF8", "--locale=C", "--no-sync"]
            subprocess.run(
                [binaries / "initdb", f"--pgdata={data}", *options],
                check=True,
                capture_output=True,
                user=user,
                group=group,
                extra_groups=[] if account else None,
                cwd=folder,
            )
            settings = [f"unix_socket_directories={folder}", "listen_addresses=", "fsync=off", "max_connections=60"]
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, *(word for setting in settings for word in ("-c", setting))],
                stderr=subprocess.PIPE,
                text=True,
                user=user,
                group=group,
                extra_groups=[] if account else None,
                cwd=folder,
            )
            try:
                assert server.stderr is not None
                _wait_until_ready(server.stderr)
                drain = threading.Thread(target=server.stderr.read, daemon=True)  # so that the pipe never fills up
                drain.start()
                try:
                    yield cls(folder)
                finally:
                    server.send_signal(signal.SIGQUIT)  # immediate shutdown: nothing in it is wanted any more
                    drain.join(timeout=30)
            finally:
                server.kill()  # does nothing to one that has ended
                server.communicate()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

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

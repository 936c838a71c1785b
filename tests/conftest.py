"""Makes the folders beside it importable, so that every test can use the conformance suites; PostgreSQL for tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from postgres_server import PostgresServer, absence, find_binaries


def pytest_configure() -> None:
    """Begin as in a terminal: what is started in the background ignores Ctrl-C, and so would all that tests start."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server of our own. Skips without one, unless AUTOTUNER_REQUIRE_POSTGRES=1 (then it fails)."""
    binaries = find_binaries()
    if binaries is None:
        absence()
    with PostgresServer.running(binaries) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """URL of an empty database."""
    return postgres_server.new_database()

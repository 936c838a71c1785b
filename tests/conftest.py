"""Makes the folders beside it importable, so that every test can use the conformance suites; PostgreSQL for tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgres_server import PostgresServer, absence, find_binaries


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

import asyncio

import pytest

from archived import Source, made


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A finished task in a store of its own."""
    return asyncio.run(made(tmp_path_factory.mktemp("source")))

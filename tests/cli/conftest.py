from pathlib import Path

import pytest
from command_runner import Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """The command line with an empty data folder."""
    return Commands(tmp_path)

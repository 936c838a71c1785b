"""A real model for the tests that start an engine."""

from __future__ import annotations

from pathlib import Path

from autotuner.tiny_model import create_model


def make_tiny_gguf(folder: Path) -> Path:
    """The generated model ``tiny`` as a GGUF file of 16-bit floats."""
    return create_model("tiny", folder).gguf["f16"]

"""What the planner knows of a model in Hugging Face format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.model_folder import read_model_folder


def read_model(path: str) -> Mapping[str, object]:
    """Facts of a folder with a config.json; nothing of a name on a model hub, which the engine itself downloads.

    AutotunerError(MISSING_MODEL) for a path that is there and cannot be used, and for one that can only be a path.
    """
    place = Path(path).expanduser()
    if place.exists():
        facts = read_model_folder(path)
        known: dict[str, object] = {"facts": facts, "context_length": facts.max_positions}
        return {name: value for name, value in known.items() if value is not None}
    if path.startswith(("/", ".", "~")) or path.count("/") > 1:
        raise AutotunerError(
            ErrorCode.MISSING_MODEL,
            f"the model {path} does not exist",
            why="there is no such folder",
            remedy="give a folder in Hugging Face format, or the model's name on a hub (owner/name)",
            place="model.id_or_path",
        )
    return {}

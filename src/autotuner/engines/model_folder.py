"""Reads the facts of a model from its folder in Hugging Face format. The files of the weights are only measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.modelling.config_json import read_config
from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.quantisation import CONFIG_FILE, QUANT_FILE

TOKENIZER_FILE = "tokenizer_config.json"
INDEX_FILE = "model.safetensors.index.json"
WEIGHT_FILES = ("model*.safetensors", "pytorch_model*.bin")
"""Names of weight files; the first kind that is there counts, since some folders hold the weights twice."""


def read_model_folder(path: str) -> ModelFacts:
    """The facts of the model in a folder, or of a config.json that is named itself.

    AutotunerError (MISSING_MODEL) when there is none, or it cannot be read. Does I/O.
    """
    given = Path(path).expanduser()
    folder = given.parent if given.is_file() and given.name.endswith(".json") else given
    config_file = given if folder != given else folder / CONFIG_FILE
    config = _read_json(config_file)
    if config is None:
        raise _no_config(path, given)
    return read_config(
        str(folder) if given.is_dir() else str(given.with_suffix("")),
        config,
        quant_config=_read_json(folder / QUANT_FILE),
        tokenizer=_read_json(folder / TOKENIZER_FILE),
        checkpoint_bytes=_checkpoint_bytes(folder) if given.is_dir() else None,
    )


def _checkpoint_bytes(folder: Path) -> int | None:
    """Bytes of the weights: as the index says, else the sizes of the files; None without either."""
    index = _read_json(folder / INDEX_FILE)
    metadata = index.get("metadata") if index is not None else None
    total = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    if isinstance(total, int) and total > 0:
        return total
    for pattern in WEIGHT_FILES:
        sizes = [file.stat().st_size for file in folder.glob(pattern)]
        if sizes:
            return sum(sizes)
    return None


def _read_json(file: Path) -> Mapping[str, object] | None:
    """A JSON object; None when there is no such file."""
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(file, f"it cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _unusable(file, "it is not JSON") from error
    if not isinstance(found, dict):
        raise _unusable(file, "it is JSON, but no object")
    return found


def _no_config(path: str, given: Path) -> AutotunerError:
    if not given.exists():
        why, remedy = "there is no such folder", "Give the folder that holds the model's config.json"
    elif given.is_dir():
        why, remedy = f"the folder has no {CONFIG_FILE}", "Give the folder of a model in Hugging Face format"
    else:
        why = "it is a file, and the facts of a model stand in the config.json of its folder"
        remedy = f"Give the folder {given.absolute().parent}"
    return AutotunerError(
        ErrorCode.MISSING_MODEL, f"the model {path} cannot be shown", why=why, remedy=remedy, place="PATH"
    )


def _unusable(file: Path, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.MISSING_MODEL,
        f"the file {file} cannot be used",
        why=why,
        remedy="Copy the model's folder again, whole",
        place=str(file),
    )

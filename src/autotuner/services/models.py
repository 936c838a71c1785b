"""Model files of a document: found on disk, or made."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from autotuner.config.document import TaskDocument
from autotuner.contracts.engine import Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.resolve import ModelFile
from autotuner.services.settings import Settings

GENERATED: dict[str, Literal["tiny", "small"]] = {"tiny": "tiny", "small": "small"}
"""Names of generated models."""

DEFAULT_FILE_TYPE = "f16"


def resolve_models(document: TaskDocument, engine: Engine, settings: Settings) -> list[ModelFile]:
    """The document's models with their files and what the engine reads from them.

    ``tiny``, ``tiny:q8_0`` and the like are made on first use. A measured endpoint and an engine that needs no file
    get one entry without a file. AutotunerError(MISSING_MODEL) when a file is not there or not usable, INVALID_VALUE
    for a kind of generated file that the engine does not serve.
    """
    names = document.model.files
    if document.measures_endpoint or engine.own_deployment is not None:
        name = names[0] if names else document.model.served_name or document.benchmark.model_name or ""
        return [ModelFile(name, name, {})]
    if not names:
        raise AutotunerError(
            ErrorCode.MISSING_MODEL,
            "no model is given",
            why="the server must be started with one",
            remedy="Set model.id_or_path to a file, or to `tiny`, a small model that is made here",
            place="model.id_or_path",
        )
    found: list[ModelFile] = []
    for name in names:
        path = model_path(name, engine, settings)
        found.append(ModelFile(name, path, engine.read_model(path)))
    return found


def model_path(name: str, engine: Engine, settings: Settings) -> str:
    """The absolute path of a model; a generated one is made if need be, in the format that the engine serves.

    AutotunerError(INVALID_VALUE) for a type of GGUF file (``tiny:q8_0``) on an engine that serves folders.
    """
    kind, _, file_type = name.partition(":")
    if kind not in GENERATED or Path(name).exists():
        path = Path(name).expanduser()
        return str(path.resolve()) if path.exists() else name
    if engine.model_format == "hf":
        if file_type:
            raise AutotunerError(
                ErrorCode.INVALID_VALUE,
                f"{engine.name} cannot serve {name}",
                why=f"{file_type} is a type of GGUF files, and it serves folders in Hugging Face format",
                remedy=f"Write `{kind}`; precision is chosen by quant_config",
                place="model.id_or_path",
            )
        return model_folder(kind, settings)
    from autotuner.tiny_model import create_model

    wanted = file_type or DEFAULT_FILE_TYPE
    created = create_model(GENERATED[kind], settings.models_dir / kind, file_types=(wanted,))
    return str(created.gguf[wanted].resolve())


def model_folder(name: str, settings: Settings) -> str:
    """The folder of a model in Hugging Face format. That of ``tiny`` and ``small`` is made if need be."""
    if name in GENERATED and not Path(name).exists():
        from autotuner.tiny_model import create_model

        return str(create_model(GENERATED[name], settings.models_dir / name, file_types=()).directory)
    return name

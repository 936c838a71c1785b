"""Learns the parameters of an engine that is installed somewhere, from its own parser."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from autotuner.benchmark.external.program import OverTimeError, last_lines, run_program
from autotuner.contracts.engine import Catalogue
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.catalogues.learned import PROBE, learned_catalogue
from autotuner.engines.catalogues.marks import ParserPlaces, knowledge
from autotuner.engines.catalogues.shelf import Shelf, as_text, file_name
from autotuner.services import catalogues
from autotuner.services.settings import Settings
from autotuner.services.writing import write_file

LIMIT_S = 180.0
"""Engines import for half a minute on a busy machine."""


async def learn_engine(
    name: str, python: Path, settings: Settings, *, places: ParserPlaces | None = None, limit_s: float = LIMIT_S
) -> tuple[Catalogue, Path]:
    """Ask the engine's parser in the environment of ``python`` (a folder or interpreter) and store what it says.

    ``places``: where the parser is, instead of where that engine is known to have it. AutotunerError: UNKNOWN_NAME,
    UNSUPPORTED for an engine without such a parser, MISSING_FILE for the interpreter, NO_RESULT when the parser cannot
    be asked, STORAGE.
    """
    held = catalogues.shelf(settings)
    engine = held.resolve(name)
    asked = places or knowledge(engine).parser
    if asked is None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"the parser of {engine} cannot be asked",
            why="it is none of Python's argparse, or not known here",
            remedy=f"`autotuner engine show {engine}` has its parameters",
            place=name,
        )
    interpreter = await asyncio.to_thread(_interpreter, python)
    with tempfile.TemporaryDirectory() as made:
        told = await _ask(interpreter, asked, Path(made), limit_s)
    found = await asyncio.to_thread(_catalogue, engine, told, held)
    place = catalogues.folder(settings) / file_name(found.engine, found.version)
    await asyncio.to_thread(write_file, place, as_text(found))
    return found, place


def _interpreter(python: Path) -> Path:
    for candidate in (python / "bin" / "python", python):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    raise AutotunerError(
        ErrorCode.MISSING_FILE,
        f"{python} is no Python interpreter",
        why="there is no such program" if not python.exists() else "it is neither a program nor an environment",
        remedy="Give the folder of a virtual environment, or its bin/python",
        place="--python",
    )


async def _ask(interpreter: Path, asked: ParserPlaces, folder: Path, limit_s: float) -> dict[str, Any]:
    output = folder / "options.json"
    log = folder / "probe.log"
    command = [str(interpreter), str(PROBE), asked.model_dump_json(), str(output)]
    try:
        ended = await run_program(command, env=_environment() | asked.env, folder=folder, log=log, limit_s=limit_s)
    except OverTimeError:
        raise _no_answer(interpreter, f"it took longer than {limit_s:.0f} s") from None
    except OSError as error:
        raise _no_answer(interpreter, (error.strerror or str(error)).lower()) from error
    try:
        told: dict[str, Any] = json.loads(await asyncio.to_thread(output.read_text, encoding="utf-8"))
    except (OSError, ValueError) as error:
        last = last_lines(log).strip().splitlines()
        raise _no_answer(interpreter, last[-1] if last else f"it ended with code {ended.code}") from error
    return told


def _environment() -> dict[str, str]:
    """This process's, without what would lead another interpreter to this one's packages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # No engine may look for a GPU, report its use or load a model while only its parser is asked.
    return kept | {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}


def _catalogue(engine: str, told: dict[str, Any], held: Shelf) -> Catalogue:
    try:
        return learned_catalogue(engine, told, held)
    except (KeyError, TypeError, ValueError) as error:
        raise AutotunerError(
            ErrorCode.NO_RESULT,
            f"what the parser of {engine} says makes no catalogue",
            why=str(error).splitlines()[0],
            remedy="Use the catalogue of the nearest version; `autotuner engine list` names them",
        ) from error


def _no_answer(interpreter: Path, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.NO_RESULT,
        f"the engine's parser in {interpreter} gives no answer",
        why=why,
        remedy="Check that the engine is installed there and starts with --help",
        place="--python",
    )

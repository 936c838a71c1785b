"""The engines by name. Each is imported when it is first asked for.

Packages of others add engines through the entry-point group ``autotuner.engines``: name = "package.module:Class".
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
from functools import cache
from pathlib import Path
from typing import cast

from autotuner.contracts.engine import Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode

GROUP = "autotuner.engines"
DEFAULT_ENGINE = "llamacpp"

_BUILT_IN = {
    "llamacpp": "autotuner.engines.llamacpp.engine:LlamaCppEngine",
    "simulated": "autotuner.engines.simulated.engine:SimulatedEngine",
}


def engine_names() -> list[str]:
    """Registered names, the default first."""
    names = sorted(_targets())
    return sorted(names, key=lambda name: name != DEFAULT_ENGINE)


def engine(name: str) -> Engine:
    """The engine of that name or alias, in any case. AutotunerError (UNKNOWN_NAME) with the nearest name."""
    wanted = name.strip().lower()
    if wanted in _targets():
        return _load(wanted)
    known: list[str] = []
    for registered in engine_names():
        candidate = _load(registered)
        if wanted in {alias.lower() for alias in candidate.aliases}:
            return candidate
        known += [registered, *candidate.aliases]
    near = difflib.get_close_matches(wanted, known, n=1)
    raise AutotunerError(
        ErrorCode.UNKNOWN_NAME,
        f"there is no engine {name!r}",
        why=f"the engines are {', '.join(engine_names())}",
        remedy=f"did you mean {near[0]}" if near else "use one of these names",
        place="base_runtime",
    )


def engine_for_model(path: str) -> Engine:
    """The engine that serves such a model where the document names none: the one for the kind of file.

    Only llama.cpp serves GGUF files, and it is the default for everything else, with its own error for the rest.
    """
    return engine("llamacpp" if Path(path).suffix.lower() == ".gguf" else DEFAULT_ENGINE)


@cache
def _targets() -> dict[str, str]:
    others = {entry.name.lower(): entry.value for entry in importlib.metadata.entry_points(group=GROUP)}
    return others | _BUILT_IN


@cache
def _load(name: str) -> Engine:
    module, _, attribute = _targets()[name].partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the engine {name} cannot be loaded",
            why=str(error),
            remedy="install or repair the package that provides it",
        ) from error
    return cast(Engine, made)

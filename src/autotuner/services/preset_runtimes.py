"""The engines whose names presets have."""

from __future__ import annotations

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.presets import ANY_RUNTIME
from autotuner.engines.registry import ENGINES, engine
from autotuner.presets.dialect import Dialect
from autotuner.presets.layering import Chosen


def runtime_name(name: str, *, place: str = "runtime") -> str:
    """The registered name of an engine, or any. AutotunerError(UNKNOWN_NAME) with the nearest name."""
    if name.strip().lower() == ANY_RUNTIME:
        return ANY_RUNTIME
    try:
        return ENGINES.resolve(name)
    except AutotunerError as error:
        error.place = place
        raise


def dialects_of(chosen: Chosen) -> dict[str, Dialect]:
    """The engines whose names presets have, by name; engines that are not installed here any more are left out."""
    known = set(ENGINES.names())
    runtimes = dict.fromkeys(preset.runtime for preset in chosen.presets)
    return {name: Dialect(engine(name)) for name in runtimes if name in known}

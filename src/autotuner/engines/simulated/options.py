"""The document's ``simulation`` block."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, ValidationError

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen


class SimulationOptions(Frozen):
    """Which predictions are served, and how the pretended server misbehaves."""

    surface: str = Field("qwen3_32b_h200", description="name of a packaged table, or path of a .parquet or .csv(.gz)")
    backend: str | None = Field(None, description="engine that was predicted; None: the only one in the table")
    isl: int | None = Field(None, ge=1, description="prompt length, tokens; None: the workload's, or the only one")
    osl: int | None = Field(None, ge=1, description="answer length, tokens; None: the workload's, or the only one")
    noise: float = Field(0.0, ge=0, le=1, description="standard deviation of log tpot; three times that for ttft")
    crash_share: float = Field(0.0, ge=0, le=1, description="share of configurations that crash at launch")
    startup_s: float = Field(0.0, ge=0, description="pretended time until the server answers, seconds; never waited")


def read_options(block: Mapping[str, object]) -> SimulationOptions:
    """The block with its defaults; AutotunerError (INVALID_VALUE, UNKNOWN_KEY) for the first fault in it."""
    try:
        return SimulationOptions.model_validate(dict(block))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["simulation", *map(str, first["loc"])])
        unknown = first["type"] == "extra_forbidden"
        raise AutotunerError(
            ErrorCode.UNKNOWN_KEY if unknown else ErrorCode.INVALID_VALUE,
            f"{key} is not a known key" if unknown else f"{key} can't be {first['input']!r}",
            why=first["msg"],
            remedy=f"The keys are {', '.join(SimulationOptions.model_fields)}" if unknown else "Correct the value",
            place=key,
        ) from error

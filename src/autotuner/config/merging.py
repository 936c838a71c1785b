"""How several presets become one: the strategies by name, and what a document says of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from autotuner.config.block import Block
from autotuner.config.problems import nearest, refuse
from autotuner.contracts.errors import AutotunerError, ErrorCode

UNION, APPEND, INTERSECTION, LAST_WINS, DEEP_MERGE = "union", "append", "intersection", "last_wins", "deep_merge"
STRATEGIES = (UNION, INTERSECTION, LAST_WINS, DEEP_MERGE)
ALIASES = (APPEND, "override")
"""``append`` is a union in the order of first appearance; ``override`` is ``last_wins``."""

INVALID_STRATEGY = "Invalid merge strategy"


def strategy_named(name: str, *, place: str = "merge_strategy") -> str:
    """The strategy of that name or alias, in any case; a dash is an underscore. AutotunerError(INVALID_VALUE).

    ``append`` stays what it is, since its order is its own.
    """
    wanted = name.strip().lower().replace("-", "_")
    if wanted in (*STRATEGIES, *ALIASES):
        return LAST_WINS if wanted == "override" else wanted
    near = nearest(wanted, (*STRATEGIES, *ALIASES))
    raise AutotunerError(
        ErrorCode.INVALID_VALUE,
        INVALID_STRATEGY,
        why=f"{name!r:.80} is none of {', '.join(STRATEGIES)} (or {', '.join(ALIASES)})",
        remedy=f"Did you mean {near}?" if near else "Use one of these",
        place=place,
    )


def _strategy(name: str) -> str:
    try:
        return strategy_named(name)
    except AutotunerError as error:
        raise refuse(f"{error.what}: {error.why}", error.remedy, error.code) from None


StrategyName = Annotated[str, AfterValidator(_strategy)]


class MergeRules(Block):
    """A strategy with exceptions."""

    default: StrategyName = Field(
        UNION, description="union, intersection, last_wins or deep_merge (also append, override)"
    )
    strict: bool = Field(False, description="intersection: whether a parameter that only some presets name is left out")
    parameters: dict[str, StrategyName] = Field(
        default_factory=dict,
        description="strategy of single parameters",
        examples=[{"tp-size": "last_wins"}],
    )

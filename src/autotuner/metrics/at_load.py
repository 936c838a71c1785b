"""The figures at a load between two that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AtLoad:
    """A load that a search found, and what tells of it.

    Fields: ``name`` of its load point; ``below`` and ``above``, names of the measured load points on both sides (above
    None: the figures are those of ``below``); ``share``, where it lies between them, in logarithms of the load;
    ``fitted``, figures that are known from a fit over all measured loads.
    """

    name: str
    below: str
    above: str | None = None
    share: float = 0.0
    fitted: Mapping[str, float] = field(default_factory=dict)


def interpolated(below: Mapping[str, Any], above: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Flat figures at a share of the way from one load to another.

    Means, percentiles and rates linearly; ``max_`` and ``min_`` figures are those of both loads together, counts are
    sums over both. What one of the two lacks, or what is no number, is that of the lower load.
    """
    return {name: _between(name, value, above.get(name), share) for name, value in below.items()}


def _between(name: str, low: Any, high: Any, share: float) -> Any:
    if isinstance(low, bool) or not isinstance(low, int | float) or not isinstance(high, int | float):
        return low
    if name.startswith("max_"):
        return max(low, high)
    if name.startswith("min_"):
        return min(low, high)
    if isinstance(low, int) and isinstance(high, int):
        return low + high
    return low + share * (high - low)

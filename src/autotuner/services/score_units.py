"""What the score of an experiment is counted in, by its task's document and its own figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from autotuner.contracts.errors import AutotunerError
from autotuner.scoring.objectives import LATENCY, PER_GPU, TOTAL, directions, make_objectives, throughput_metric

Direction = Literal["minimize", "maximize"]


def score_units(
    optimization: Mapping[str, Any], metrics: Mapping[str, Any] | None = None
) -> tuple[Direction | None, str | None]:
    """Direction and unit of the score by the block ``optimization`` of a document; of several objectives: the first.

    Whether throughput is counted per GPU is told by ``metrics``; without them the unit is None where it depends on
    that. Both are None for a document that names no known objective.
    """
    given = optimization.get("objective")
    names = (given,) if isinstance(given, str) else tuple(given or ())
    try:
        direction = directions(names)[0]
    except (AutotunerError, IndexError):
        return None, None
    price = optimization.get("price_per_gpu_hour")
    units = {_unit(names[0], figure, price) for figure in _figures(metrics)}
    return direction, units.pop() if len(units) == 1 else None


@lru_cache(maxsize=1000)
def _unit(name: str, figure: str, price: float | None) -> str | None:
    """Of one objective. Kept, because a list asks for it again with every row."""
    try:
        (made,) = make_objectives(
            (name,),
            throughput_metric=figure,
            baseline_metrics={LATENCY: 1.0, figure: 1.0},
            price_per_gpu_hour=price,
            gpu_count=1,
        )
    except AutotunerError:
        return None
    return made.unit


def _figures(metrics: Mapping[str, Any] | None) -> Sequence[str]:
    if metrics:
        try:
            return (throughput_metric(metrics)[0],)
        except AutotunerError:
            pass
    return PER_GPU, TOTAL

"""The block ``slo``: what the served model must keep."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from autotuner.config.block import Block
from autotuner.config.problems import refuse


class Target(Block):
    """A limit on one figure."""

    threshold: float = Field(gt=0, description="limit that the figure must not exceed, seconds", examples=[0.5])
    weight: float = Field(1.0, ge=0, description="weight of the penalty for exceeding it (a factor without unit)")
    hard_fail: bool = Field(False, description="whether exceeding it by fail_ratio or more rules a configuration out")
    fail_ratio: float = Field(
        0.5, ge=0, description="excess over the threshold, as a share of it, from which a hard limit is violated"
    )


class ErrorRateTarget(Block):
    """A limit on the share of failed requests."""

    threshold: float = Field(0.01, gt=0, le=1, description="greatest share of failed requests, 0 to 1")
    weight: float = Field(1.0, ge=0, description="weight of the penalty for exceeding it (a factor without unit)")
    hard_fail: bool = Field(True, description="whether exceeding it rules a configuration out")
    fail_ratio: float = Field(
        0.0, ge=0, description="excess over the threshold, as a share of it, from which a hard limit is violated"
    )


class Targets(Block):
    """Limits on one metric, by statistic. ``{threshold: …}`` alone is a limit on the mean."""

    other_keys: ClassVar[frozenset[str]] = frozenset(Target.model_fields)

    mean: Target | None = Field(None, description="limit on the mean over requests, seconds")
    p50: Target | None = Field(None, description="limit on the median, seconds")
    p75: Target | None = Field(None, description="limit on the 75th percentile, seconds")
    p90: Target | None = Field(None, description="limit on the 90th percentile, seconds")
    p95: Target | None = Field(None, description="limit on the 95th percentile, seconds")
    p99: Target | None = Field(None, description="limit on the 99th percentile, seconds")

    def given(self) -> dict[str, Target]:
        """The limits by statistic, the mean first, then by rising percentile."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: target for name, target in named.items() if isinstance(target, Target)}


def _by_statistic(given: object) -> object:
    if not isinstance(given, dict):
        return given
    flat = [key for key in given if key in Target.model_fields]
    if not flat:
        return given
    by_name = [key for key in given if key in Targets.model_fields]
    if by_name:
        raise refuse(
            f"{flat[0]} stands beside {by_name[0]}, so it is not clear which figure it limits",
            f"Move {flat[0]} under mean, or under {by_name[0]}",
        )
    return {"mean": given}


TargetsField = Annotated[Targets, BeforeValidator(_by_statistic, json_schema_input_type=Targets | Target)]


class Slo(Block):
    """Service-level objective. A configuration is feasible when it keeps every hard limit."""

    ttft: TargetsField | None = Field(
        None, description="limits on the time to first token, seconds", examples=[{"threshold": 0.5}]
    )
    tpot: TargetsField | None = Field(
        None,
        description="limits on the time per output token after the first, seconds",
        examples=[{"mean": {"threshold": 0.05}, "p90": {"threshold": 0.08, "hard_fail": True}}],
    )
    latency: TargetsField | None = Field(
        None, description="limits on the time of a whole request, seconds", examples=[{"p90": {"threshold": 5.0}}]
    )
    error_rate: ErrorRateTarget = Field(ErrorRateTarget(), description="limit on the share of failed requests, 0 to 1")
    steepness: float = Field(
        0.1, gt=0, description="excess (share of the threshold) over which a penalty grows by the factor e"
    )

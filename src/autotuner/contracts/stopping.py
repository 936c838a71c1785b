"""What is at stake in a measurement: enough to end it as soon as its verdict is certain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autotuner.contracts.values import Frozen

StopFigure = Literal["total_throughput", "output_throughput", "goodput", "ttft", "tpot", "e2e"]
"""A figure of a window: a field of ``Measurement``, of a distribution its mean."""

StopKind = Literal["slo_out_of_reach", "certainly_worse", "precise_enough"]


class SloStake(Frozen):
    """A limit of the task; the fields mean what they mean in its document."""

    metric: Literal["ttft", "tpot", "latency", "error_rate"]
    statistic: str = Field(description="mean, or a percentile such as p90")
    threshold: float = Field(description="seconds; of error_rate a share")
    hard_fail: bool = False
    fail_ratio: float = 0.0


class Pace(Frozen):
    """How fast the best configuration got through its window, to be compared with over the same tokens."""

    slice_s: float = Field(gt=0, description="length of each slice, seconds")
    tokens: tuple[float, ...] = Field(min_length=1, description="output and prompt tokens of each slice")
    share: float = Field(gt=0, description="what counts of its throughput (a penalty for a missed SLO makes it less)")


class ToBeat(Frozen):
    """The best configuration so far, and its figure, which another one has to reach."""

    who: str = Field(description="such as experiment 3")
    figure: StopFigure
    value: float = Field(gt=0, description="tokens/s, requests/s or seconds, of the whole server")
    pace: Pace | None = Field(None, description="of its window; of the total throughput, where it is known")


class Precision(Frozen):
    """When a window of the scored load is precise enough, from the noise of the task as it was known before.

    Of the figure that is scored; ``scoring.window_length`` has the rule.
    """

    enough_s: float = Field(gt=0, description="length from which on it is, seconds")
    error: float = Field(ge=0, description="standard error of the figure at that length, a share of it")
    between: float = Field(gt=0, description="noise of the figure from start to start, a share of it")


class StopRules(Frozen):
    """When a window may end before its full length, and when a start need not be measured any further."""

    judged: bool = Field(
        True,
        description="whether a verdict may end a window and leave others out, as in the search; else windows only end "
        "when they are precise enough",
    )

    slo: tuple[SloStake, ...] = ()
    scored: tuple[str, ...] = Field((), description="load points whose figures are scored; they are measured first")
    to_beat: ToBeat | None = Field(None, description="None: nothing is known to be good, or no single figure decides")
    load_kept: bool = Field(
        False, description="whether a configuration is known that keeps its SLOs at the scored load points"
    )
    figures: tuple[StopFigure, ...] = Field(
        (), description="what the score is made of; empty: no window ends for being precise enough"
    )
    error: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="greatest probability that a window ends for a reason that does not hold, over all looks at it",
    )
    margin: float = Field(
        0.05, ge=0, description="worse than the best by more than this share of its figure is certainly worse"
    )
    tolerance: float = Field(
        0.03, gt=0, description="precise enough: half-width of the 95 % interval, as a share of the figure"
    )
    precision: Precision | None = Field(
        None, description="of windows at a scored load; None: too little is known of the noise, or all of it is needed"
    )
    min_s: float = Field(0.5, gt=0, description="no window ends earlier, seconds")
    min_requests: int = Field(16, ge=1, description="nor with fewer requests of which the figure is known")


class EarlyStop(Frozen):
    """Why a window ended before its full length."""

    kind: StopKind
    why: str = Field(description="a sentence without a full stop")
    planned_s: float = Field(description="length that the window would have had, seconds")

    @property
    def cuts(self) -> bool:
        """Whether the verdict ended it, so that nothing else of this start is worth measuring."""
        return self.kind != "precise_enough"

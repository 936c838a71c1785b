"""What the experiments of a task say beyond the verdict: trade-offs, importance, differences, load curves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autotuner.contracts.search import Direction
from autotuner.contracts.values import Frozen, Scalar


class ObjectiveFigure(Frozen):
    """One objective of a task with several."""

    name: str = Field(description="as in the document, such as minimize_ttft")
    label: str = Field(description="for people")
    unit: str = Field(description="of the score")
    direction: Direction = Field(description="whether a small or a great score is good")
    noise: float | None = Field(
        None, description="standard deviation of the score over starts of one configuration, relative"
    )


class ParetoPoint(Frozen):
    """One configuration among several objectives."""

    experiment: int = Field(description="number of the experiment")
    values: tuple[float, ...] = Field(
        description="a score per objective, natural units, unpenalised: the geometric mean over its starts"
    )
    low: tuple[float, ...] | None = Field(None, description="lower end of each score's interval; None: noise unknown")
    high: tuple[float, ...] | None = Field(None, description="upper end of each score's interval")
    starts: int = Field(description="starts that the scores are of: those of the confirmation, else the search's one")
    eligible: bool = Field(description="no hard SLO violated and not ruled out since; others are never on the front")
    failed: bool = Field(False, description="not eligible because its server failed when it was started again")
    on_front: bool = Field(description="by the measured scores no other is as good everywhere and better somewhere")
    probability: float | None = Field(
        None, description="that it is on the front of the true scores; None: noise unknown, or not eligible"
    )
    place: Literal["front", "unclear", "behind"] | None = Field(
        None, description="probability ≥ 0.95, between, ≤ 0.05; unclear: it cannot be told from the front"
    )
    best_in: tuple[str, ...] = Field((), description="objectives in which it is the best of the measured front")
    knee: bool = Field(False, description="of the front, nearest to having the best of everything")


class ParetoSet(Frozen):
    """The trade-offs between several objectives."""

    objectives: tuple[ObjectiveFigure, ...] = Field(description="in the document's order")
    points: tuple[ParetoPoint, ...] = Field(
        description="configurations that were measured in full, those of the front first"
    )
    confidence: float = Field(description="of the intervals low … high, each by itself")
    left_out: int = Field(0, description="measured configurations behind the front that are not in `points`")
    note: str | None = Field(None, description="why nothing is known of the uncertainty, if so")


class ParameterImportance(Frozen):
    """How much of the differences between scores one parameter explains."""

    parameter: str = Field(description="canonical name")
    share: float = Field(description="of the importance of all parameters, which add up to 1")
    spread: float = Field(description="standard error of the share")
    seen: bool = Field(description="more than two standard errors above 0")


class Importance(Frozen):
    """The importance of the searched parameters, or why there is none."""

    experiments: int = Field(description="experiments of the searched space that have a score")
    explained: float | None = Field(
        None, description="R² of the model on experiments that it had not seen; None: there is no model"
    )
    parameters: tuple[ParameterImportance, ...] = Field((), description="most important first; empty with a note")
    note: str | None = Field(None, description="why nothing is said, if so")


class SlicePoint(Frozen):
    """The score at one value of a parameter, the others as in the best configuration."""

    value: Scalar = Field(description="of the parameter")
    measured: float | None = Field(None, description="score of one start of the search")
    experiment: int | None = Field(None, description="number of the experiment that measured it")
    modelled: float | None = Field(None, description="what a model expects, never a measurement")
    low: float | None = Field(None, description="lower end of the model's 95 % interval for one start")
    high: float | None = Field(None, description="upper end of that interval")


class Slice(Frozen):
    """The effect of one parameter, the others held at the best configuration's values."""

    parameter: str = Field(description="canonical name")
    best: Scalar = Field(description="its value in the best configuration")
    points: tuple[SlicePoint, ...] = Field(description="in the order of the parameter's values")


class MetricDifference(Frozen):
    """One metric of two configurations."""

    metric: str = Field(description="name of the aggregated metric, such as mean_ttft")
    own: float = Field(description="geometric mean over the starts; the plain one where a start has 0")
    other: float = Field(description="the same of the other configuration")
    change: float | None = Field(
        None,
        description="own / other - 1; over paired starts the geometric mean of the pairs; None where a start has 0",
    )
    low: float | None = Field(None, description="lower end of the change's 95 % interval; None without two pairs")
    high: float | None = Field(None, description="upper end of that interval")
    noise: float | None = Field(
        None, description="standard deviation of the metric over starts of one configuration, relative"
    )
    pairs: int = Field(description="starts of both in the same round; 0: one start of the search each")
    clear: bool | None = Field(None, description="the interval leaves out 0; None: not known")


class Comparison(Frozen):
    """One configuration against another: what was set differently, and what came of it."""

    experiment: int = Field(description="number of the experiment")
    other: int = Field(description="number of the one that it is compared with")
    other_is: Literal["baseline", "best of the search"] = Field(description="what the other one is")
    parameters: dict[str, tuple[Scalar, Scalar]] = Field(
        default_factory=dict, description="parameter → (other, own), only where they differ"
    )
    arguments_added: tuple[str, ...] = Field((), description="options of the command that only the own one has")
    arguments_removed: tuple[str, ...] = Field((), description="options that only the other one has")
    metrics: tuple[MetricDifference, ...] = Field((), description="each aggregated metric of both")


class LoadCurvePoint(Frozen):
    """What a configuration did at one load."""

    load_point: str = Field(description="name, such as D(100,100)@4")
    concurrency: int | None = Field(None, description="closed loop: requests in flight")
    request_rate: float | None = Field(None, description="open loop: requests per second that were due")
    windows: int = Field(description="windows over all starts, which the figures are means of")
    figures: dict[str, float] = Field(
        default_factory=dict,
        description="total_throughput, output_throughput (tokens/s), requests_per_second, goodput (requests/s), "
        "mean_ttft, p90_ttft, mean_tpot, mean_e2e_latency, p90_e2e_latency (s), error_rate (share)",
    )


class LoadCurve(Frozen):
    """What a configuration did over all loads that were measured."""

    experiment: int = Field(description="number of the experiment")
    starts: int = Field(description="starts that the figures are of")
    points: tuple[LoadCurvePoint, ...] = Field(description="by load")

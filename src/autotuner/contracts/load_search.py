"""The search for the highest load that meets the SLO: what it may do, and what its probes say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autotuner.contracts.values import Frozen

LoadKind = Literal["concurrency", "request_rate"]

MAX_LOAD = "max_load_meeting_slo"
"""What is scored when a load is searched: in the place of a load point's name, and the name of the metric."""

NOT_SUSTAINED = "load_not_sustained"
"""Key of a probe's margin: an open loop whose requests came faster than they were answered meets no SLO for long."""


class LoadLimit(Frozen):
    """One SLO that a load must meet to count."""

    figure: str = Field(description="name of the aggregated metric that it limits, such as p90_ttft or error_rate")
    metric: Literal["ttft", "tpot", "e2e", "error_rate"]
    statistic: str = Field("mean", description="mean, or a percentile such as p90; error_rate has one figure only")
    threshold: float = Field(ge=0, description="seconds; of error_rate a share of requests")


class Probe(Frozen):
    """One measurement at one load, as far as the search needs it."""

    load: float = Field(gt=0, description="requests in flight, or requests per second that were due")
    repeat: int = Field(0, ge=0, description="number of the measurement at this load, from 0")
    margins: dict[str, float] = Field(description="log(actual / threshold) by figure: ≤ 0 where the SLO is met")


class LoadSearch(Frozen):
    """Between which loads a start looks for the highest one that meets the SLO, and how thoroughly."""

    by: LoadKind = Field(description="what is varied")
    lowest: float = Field(gt=0, description="requests in flight, or requests per second")
    highest: float = Field(gt=0, description="likewise")
    start: float = Field(gt=0, description="the load that is measured first")
    stride: float = Field(
        2.0, gt=1, description="largest factor of the second step; less where the start is known to be near"
    )
    probes: int = Field(25, ge=2, description="no more measurements are taken in one start")
    confirm_probes: int = Field(12, ge=2, description="nor in a start that measures a configuration again")
    tolerance: float = Field(
        0.05, ge=0, lt=1, description="the search is over when the load is known to this share of itself"
    )

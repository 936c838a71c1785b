"""What a pretended server does under a load. Pure; carries all that deployment and client need."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from autotuner.contracts.attempt import Failure
from autotuner.contracts.values import Frozen
from autotuner.engines.simulated.recorded import RecordedNoise


class CurvePoint(Frozen):
    """Predicted figures at one batch size."""

    bs: int = Field(ge=1)
    ttft_s: float = Field(gt=0)
    tpot_s: float = Field(gt=0)
    throughput: float = Field(gt=0, description="output tokens/s of all replicas")


@dataclass(frozen=True)
class Figures:
    """Predicted means at a load. Times in seconds, throughput in output tokens per second of all replicas."""

    ttft_s: float
    tpot_s: float
    throughput: float
    queued: float
    """Requests that wait, of those in flight."""


class Prediction(Frozen):
    """One configuration of one table."""

    surface: str
    backend: str
    isl: int
    osl: int
    gpus: int = Field(ge=1, description="GPUs of all replicas: the whole node")
    ranks: int = Field(ge=1, description="requests of the node = ranks × requests per batch")
    max_num_seqs: int = Field(ge=1)
    kv_capacity: int = Field(ge=0, description="sequences per rank that fit into the KV cache")
    curve: tuple[CurvePoint, ...] = Field(description="by batch size")
    failure: Failure | None = Field(None, description="why the server doesn't start")
    noise: float = 0.0
    recorded: RecordedNoise | None = Field(None, description="noise of real starts, in place of ``noise``")
    startup_s: float = 0.0

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.failure is None and (not self.curve or self.kv_capacity < 1):
            raise ValueError("a server that starts has a curve and room for a sequence")
        return self

    @property
    def saturating(self) -> int:
        """The load that just fills ``max_num_seqs``, requests in flight on the node."""
        return self.max_num_seqs * self.ranks

    def at(self, concurrency: float) -> Figures:
        """Means at that many requests in flight on the node (closed loop).

        Between batch sizes ttft and tpot are interpolated in log(batch), throughput in log-log. Beyond the cap, the
        lesser of max_num_seqs and what fits into the KV cache, requests queue: ttft grows by (load / cap − 1) × the
        latency of a request, throughput stays (recipe of the tables' README). Below the smallest batch size some
        replicas are idle: throughput is proportional to the load.
        """
        cap = min(self.max_num_seqs, self.kv_capacity)
        load = concurrency / self.ranks
        batch = min(load, cap)
        figures = self._interpolate(batch)
        if load <= cap:
            return figures
        latency = figures.ttft_s + figures.tpot_s * (self.osl - 1)
        return Figures(
            ttft_s=figures.ttft_s + (load / cap - 1) * latency,
            tpot_s=figures.tpot_s,
            throughput=figures.throughput,
            queued=concurrency - cap * self.ranks,
        )

    def _interpolate(self, batch: float) -> Figures:
        first, last = self.curve[0], self.curve[-1]
        if batch <= first.bs:
            return Figures(first.ttft_s, first.tpot_s, first.throughput * batch / first.bs, 0.0)
        if batch >= last.bs:
            return Figures(last.ttft_s, last.tpot_s, last.throughput, 0.0)
        upper = bisect_left(self.curve, batch, key=lambda point: point.bs)
        low, high = self.curve[upper - 1], self.curve[upper]
        share = math.log(batch / low.bs) / math.log(high.bs / low.bs)
        return Figures(
            ttft_s=low.ttft_s + share * (high.ttft_s - low.ttft_s),
            tpot_s=low.tpot_s + share * (high.tpot_s - low.tpot_s),
            throughput=low.throughput * (high.throughput / low.throughput) ** share,
            queued=0.0,
        )

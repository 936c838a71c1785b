"""What a server does at each load, as data: made from predictions, served by the mock server."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from autotuner.contracts.values import Frozen


class LoadCurve(Frozen):
    """Means by the number of requests in flight, waiting ones included. Times in seconds."""

    ttft_s: tuple[float, ...] = Field(min_length=1, description="at 1, 2, … requests in flight")
    tpot_s: tuple[float, ...] = Field(min_length=1, description="likewise")
    capacity: int = Field(ge=1, description="requests that are served at once; the others wait")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.ttft_s) != len(self.tpot_s):
            raise ValueError("ttft_s and tpot_s have different lengths")
        if min(self.ttft_s) < 0 or min(self.tpot_s) < 0:
            raise ValueError("times are not negative")
        return self

    def at(self, requests: int) -> tuple[float, float]:
        """ttft and tpot at that many requests in flight.

        Beyond the last load ttft grows by the last step for each request and tpot stays: a queue does so.
        """
        last = len(self.ttft_s)
        if requests <= last:
            place = max(requests, 1) - 1
            return self.ttft_s[place], self.tpot_s[place]
        step = self.ttft_s[-1] - self.ttft_s[-2] if last > 1 else 0.0
        return self.ttft_s[-1] + step * (requests - last), self.tpot_s[-1]

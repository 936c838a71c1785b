"""What traffic is sent: scenarios, load points and the limits of a measurement."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from autotuner.contracts.values import Frozen


class Length(Frozen):
    """Distribution of a length in tokens."""

    kind: Literal["fixed", "normal", "uniform"] = "fixed"
    mean: float = Field(0.0, ge=0, description="fixed and normal: tokens")
    deviation: float = Field(0.0, ge=0, description="normal: standard deviation in tokens")
    low: int = Field(0, ge=0, description="uniform: least, tokens")
    high: int = Field(0, ge=0, description="uniform: most, tokens")

    @property
    def longest(self) -> int:
        """The longest length ever drawn, in tokens (normal: cut at the mean plus three deviations)."""
        if self.kind == "uniform":
            return self.high
        return round(self.mean + 3 * self.deviation)

    @property
    def expected(self) -> float:
        """Mean length in tokens."""
        return (self.low + self.high) / 2 if self.kind == "uniform" else self.mean


class Scenario(Frozen):
    """One kind of request: how long its prompt and its answer are."""

    text: str = Field(description="the notation it was read from, such as D(100,100)")
    prompt: Length
    output: Length


class Traffic(Frozen):
    """One scenario, or several drawn by weight (``0.7*D(64,64)+0.3*D(600,16)``)."""

    text: str
    parts: tuple[tuple[float, Scenario], ...] = Field(min_length=1)

    @property
    def longest_request(self) -> int:
        """Prompt and answer of the longest request, in tokens."""
        return max(part.prompt.longest + part.output.longest for _, part in self.parts)

    @property
    def expected_prompt(self) -> float:
        """Mean prompt length over the mixture, in tokens."""
        total = sum(weight for weight, _ in self.parts)
        return sum(weight * part.prompt.expected for weight, part in self.parts) / total

    @property
    def expected_output(self) -> float:
        """Mean answer length over the mixture, in tokens."""
        total = sum(weight for weight, _ in self.parts)
        return sum(weight * part.output.expected for weight, part in self.parts) / total


class LoadPoint(Frozen):
    """One traffic setting: a scenario at a concurrency (closed loop) or at a request rate (open loop)."""

    traffic: Traffic
    concurrency: int | None = Field(None, ge=1, description="requests in flight")
    request_rate: float | None = Field(None, gt=0, description="requests per second")

    @model_validator(mode="after")
    def _one_load(self) -> Self:
        if (self.concurrency is None) == (self.request_rate is None):
            raise ValueError("a load point has either a concurrency or a request rate")
        return self

    @property
    def name(self) -> str:
        """``D(100,100)@4`` or ``D(100,100)@2.5rps``."""
        load = f"{self.concurrency}" if self.concurrency is not None else f"{self.request_rate:g}rps"
        return f"{self.traffic.text}@{load}"


class MeasureLimits(Frozen):
    """When a measurement of one load point ends."""

    window_s: float = Field(20.0, gt=0, description="length of the measuring window, seconds")
    min_requests: int = Field(0, ge=0, description="the window goes on until so many requests of it have finished")
    max_requests: int | None = Field(None, ge=1, description="the window ends when so many requests were started in it")
    max_window_s: float = Field(120.0, gt=0, description="no window is longer, seconds")
    warmup_requests: int = Field(8, ge=0, description="requests at the measured load before the window opens")
    drain_s: float = Field(30.0, gt=0, description="limit for requests of the window to finish after it, seconds")
    request_timeout_s: float = Field(60.0, gt=0, description="a request that takes longer is an error, seconds")
    max_errors: int | None = Field(None, ge=1, description="the measurement stops after so many errors")
    max_error_rate: float | None = Field(None, gt=0, le=1, description="and above this share of errors (after 20)")


class Workload(Frozen):
    """Everything the client needs to know besides the endpoint."""

    load_points: tuple[LoadPoint, ...] = Field(min_length=1)
    limits: MeasureLimits = MeasureLimits()
    repeats: int = Field(1, ge=1)
    arrival: Literal["closed", "constant", "poisson"] = Field(
        "closed", description="when requests start; a request rate without one is poisson"
    )
    seed: int = 0
    client_processes: int | None = Field(
        None, ge=1, description="processes of the builtin client that share each load; None: as many as it needs"
    )
    request_body: dict[str, object] = Field(
        default_factory=dict, description="fields added to each request, such as what makes the engine ignore EOS"
    )

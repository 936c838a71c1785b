"""What traffic is sent: scenarios, load points and the limits of a measurement."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from autotuner.contracts.load_search import LoadKind, LoadSearch
from autotuner.contracts.values import Frozen

Arrival = Literal["closed", "constant", "poisson", "gamma"]
"""When requests start: each when another has ended, or at times fixed in advance."""

Api = Literal["completions", "chat"]


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
    """One kind of request: how long its prompt and its answer are.

    ``from_dataset``: prompts, answer lengths and times are those of the workload's dataset; the lengths here are 0.
    """

    text: str = Field(description="the notation it was read from, such as D(100,100)")
    prompt: Length
    output: Length
    prefix: int = Field(0, ge=0, description="tokens at the beginning of the first prompt that all requests share")
    turns: int = Field(1, ge=1, description="requests of a conversation; each sends what was said before")
    from_dataset: bool = False

    @property
    def longest_request(self) -> int:
        """Prompt and answer of the longest request, in tokens; of a conversation, the last."""
        said = self.prompt.longest - self.prefix + self.output.longest
        return self.prefix + self.turns * said

    @property
    def expected_prompt(self) -> float:
        """Mean prompt length over the requests of a conversation, in tokens."""
        said = self.prompt.expected - self.prefix + self.output.expected
        return self.prompt.expected + (self.turns - 1) / 2 * said


class Traffic(Frozen):
    """One scenario, or several drawn by weight (``0.7*D(64,64)+0.3*D(600,16)``)."""

    text: str
    parts: tuple[tuple[float, Scenario], ...] = Field(min_length=1)

    @property
    def from_dataset(self) -> bool:
        """Whether some requests are those of the dataset."""
        return any(part.from_dataset for _, part in self.parts)

    @property
    def plain(self) -> bool:
        """Whether requests have nothing in common and are made up."""
        return all(part.turns == 1 and not part.prefix and not part.from_dataset for _, part in self.parts)

    @property
    def longest_request(self) -> int:
        """Prompt and answer of the longest request, in tokens; of a dataset nothing is known."""
        return max(part.longest_request for _, part in self.parts)

    @property
    def expected_prompt(self) -> float:
        """Mean prompt length over the mixture, in tokens."""
        total = sum(weight * part.turns for weight, part in self.parts)
        return sum(weight * part.turns * part.expected_prompt for weight, part in self.parts) / total

    @property
    def expected_output(self) -> float:
        """Mean answer length over the mixture, in tokens."""
        total = sum(weight * part.turns for weight, part in self.parts)
        return sum(weight * part.turns * part.output.expected for weight, part in self.parts) / total


class Spread(Frozen):
    """How long the prompts or answers of a dataset are."""

    least: int = Field(description="the smallest")
    median: int = Field(description="the one in the middle")
    mean: float = Field(description="their mean")
    greatest: int = Field(description="the largest")


class Dataset(Frozen):
    """A file of requests, as it was when it was read for the plan."""

    path: str = Field(description="absolute")
    sha256: str = Field(description="hash of its contents")
    requests: int = Field(ge=1, description="how many requests it has")
    prompt_characters: Spread
    output_tokens: Spread
    duration_s: float | None = Field(None, description="from the first timestamp to the last; None without timestamps")
    longest_request: int = Field(description="prompt and answer in tokens, at a cautious 2 bytes per token")

    @property
    def period_s(self) -> float | None:
        """After how many seconds a replay begins again: the duration and one mean gap, so that its rate stays."""
        if not self.duration_s or self.requests < 2:
            return None
        return self.duration_s * self.requests / (self.requests - 1)


SWEEP_STEPS = 10
"""Rates of a sweep between the least and the greatest."""


class LoadPoint(Frozen):
    """One traffic setting: a scenario at a concurrency (closed loop), at a request rate (open loop), at the times of
    its dataset, or at a step of a sweep, whose rate is known only when the least and the greatest were measured.
    """

    traffic: Traffic
    concurrency: int | None = Field(None, ge=1, description="requests in flight")
    request_rate: float | None = Field(None, gt=0, description="requests per second")
    replay_speed: float | None = Field(None, gt=0, description="a dataset's times divided by this")
    sweep_step: int | None = Field(
        None, ge=1, le=SWEEP_STEPS, description="1 is the lowest rate; with it, the request rate once it is known"
    )
    label: str | None = Field(
        None,
        description="how the document writes the load, such as 4 per GPU where 8 are sent to two; it names the point; "
        "None: the load itself",
    )

    @model_validator(mode="after")
    def _one_load(self) -> Self:
        rate = self.request_rate is not None or self.sweep_step is not None
        if (self.concurrency is not None) + rate + (self.replay_speed is not None) != 1:
            raise ValueError("a load point has a concurrency, a request rate or the times of its dataset")
        return self

    @property
    def name(self) -> str:
        """``D(100,100)@4``, ``D(100,100)@2.5rps``, ``dataset@1x`` (a replay) or ``D(100,100)@sweep3``."""
        return f"{self.traffic.text}@{self.label or self.load_text}"

    @property
    def load_text(self) -> str:
        """The load as names have it: ``4``, ``2.5rps``, ``1x`` or ``sweep3``."""
        if self.concurrency is not None:
            return f"{self.concurrency}"
        if self.sweep_step is not None:
            return f"sweep{self.sweep_step}"
        if self.replay_speed is not None:
            return f"{self.replay_speed:g}x"
        return f"{self.request_rate:g}rps"


def point_at(traffic: Traffic, by: LoadKind, load: float) -> LoadPoint:
    """The load point at so many requests in flight (a whole number), or requests per second."""
    if by == "request_rate":
        return LoadPoint(traffic=traffic, request_rate=load)
    return LoadPoint(traffic=traffic, concurrency=max(1, round(load)))


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

    load_points: tuple[LoadPoint, ...] = Field(
        min_length=1, description="what is measured, in order; of a search its lowest and its highest load"
    )
    load_search: LoadSearch | None = Field(
        None, description="the load points are searched: each is known only when those before it were measured"
    )
    limits: MeasureLimits = MeasureLimits()
    repeats: int = Field(1, ge=1)
    arrival: Arrival = Field("closed", description="when requests start; a request rate without one is poisson")
    burstiness: float = Field(
        1.0, gt=0, description="gamma arrivals: the shape; gaps vary by 1/√burstiness of their mean"
    )
    api: Api = Field("completions", description="which of the server's two interfaces is used")
    dataset: Dataset | None = Field(None, description="what scenarios that draw from a dataset mean")
    seed: int = 0
    client_processes: int | None = Field(
        None, ge=1, description="processes of the builtin client that share each load; None: as many as it needs"
    )
    request_body: dict[str, object] = Field(
        default_factory=dict, description="fields added to each request, such as what makes the engine ignore EOS"
    )

    def searched_point(self, load: float) -> LoadPoint:
        """The load point of a search at that load, in its unit."""
        by = "concurrency" if self.load_search is None else self.load_search.by
        return point_at(self.load_points[0].traffic, by, load)

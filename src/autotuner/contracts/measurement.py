"""What one measurement says: distributions, throughput, counts and flags. Seconds and tokens per second everywhere."""

from __future__ import annotations

from pydantic import Field

from autotuner.contracts.values import Frozen


class Distribution(Frozen):
    """A metric over requests (``itl``: over gaps), computed exactly from the kept samples."""

    count: int
    mean: float
    mode: float
    min: float
    max: float
    stddev: float
    p001: float = Field(description="0.1th percentile")
    p01: float
    p05: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float
    p99: float
    p999: float = Field(description="99.9th percentile")


class RequestRecord(Frozen):
    """One request of a measurement, as kept on disk. Times in seconds from the opening of the window."""

    started: float = Field(description="first byte handed to the socket (open loop: the scheduled time)")
    first_token: float | None = Field(None, description="first non-empty content or reasoning token")
    last_token: float | None = None
    finished: float
    arrivals: tuple[float, ...] = Field((), description="arrival of each chunk that carried content")
    output_tokens: int | None = Field(None, description="as the server counts them (usage)")
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    asked_tokens: int
    connect_s: float = 0.0
    outcome: str = Field("ok", description="ok, error or incomplete")
    error: str | None = Field(None, description="error code: http_500, timeout, truncated, missing_usage, …")
    in_window: bool = True


class Measurement(Frozen):
    """One load point × one repeat within an attempt."""

    load_point: str
    repeat: int = 0
    concurrency: int | None = None
    request_rate: float | None = None
    window_s: float
    warmup_s: float = Field(0.0, description="time under load before the window opened")
    ttft: Distribution | None = Field(description="time to first token; None when no request succeeded")
    tpot: Distribution | None = Field(description="(last - first token) / (tokens - 1), per request")
    itl: Distribution | None = Field(description="every gap between chunks")
    e2e: Distribution | None = Field(description="request start to last token")
    output_throughput: float = Field(description="output tokens inside the window / its length")
    input_throughput: float = Field(description="prompt tokens of requests whose first token fell into it / its length")
    total_throughput: float
    requests_per_second: float
    goodput: float | None = Field(None, description="requests/s that kept their SLO; None without an SLO")
    total_requests: int
    completed_requests: int
    error_requests: int
    incomplete_requests: int = 0
    error_codes: dict[str, int] = Field(default_factory=dict)
    output_tokens: int = 0
    asked_output_tokens: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int | None = None
    mean_connect_s: float | None = None
    loop_lag_p99_s: float | None = Field(None, description="how late the client's own event loop ran")
    client_cpu_share: float | None = Field(None, description="CPU time of the client process / window")
    client_processes: int = Field(1, description="processes of the client that shared the load")
    client_saturated: bool = False
    load_not_sustained: bool = Field(
        False, description="open loop: requests came faster than they were answered, all through the window"
    )
    foreign_cpu_share: float | None = Field(None, description="CPU used by other programs in the window, in cores")
    foreign_cpu_peak: float | None = Field(None, description="the same over the worst second of the window")
    disturbed: bool = False
    disturbed_from_s: float | None = Field(None, description="when the disturbance began, from the window's opening")
    stopped: str | None = Field(None, description="why the window ended early, if it did")
    predicted: bool = Field(False, description="a prediction, never a measurement")
    samples_path: str | None = Field(None, description="file with the request records, relative to the artefacts")
    samples_error: str | None = Field(None, description="why the request records could not be kept, if so")

    @property
    def success_rate(self) -> float:
        """Completed / all requests of the window."""
        return self.completed_requests / self.total_requests if self.total_requests else 0.0

    @property
    def error_rate(self) -> float:
        """Requests with an error or without an end / all requests of the window."""
        return 1.0 - self.success_rate


class LiveFigures(Frozen):
    """Running figures of a measurement, for the progress display; never stored."""

    load_point: str
    repeat: int
    phase: str = Field(description="warmup, measure or drain")
    elapsed_s: float
    window_s: float
    completed: int
    errors: int
    ttft_mean_s: float | None = None
    output_throughput: float | None = None

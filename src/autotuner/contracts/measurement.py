"""What one measurement says: distributions, throughput, counts and flags. Seconds and tokens per second everywhere."""

from __future__ import annotations

from pydantic import Field

from autotuner.contracts.server_metrics import GpuFigures, ServerFigures
from autotuner.contracts.stopping import EarlyStop
from autotuner.contracts.values import Frozen


class Distribution(Frozen):
    """A metric over requests (``itl``: over gaps), computed exactly from the kept samples."""

    count: int = Field(description="number of samples")
    mean: float = Field(description="sum / count")
    mode: float = Field(description="most frequent value after rounding to 0.1 ms")
    min: float = Field(description="least")
    max: float = Field(description="most")
    stddev: float = Field(description="standard deviation of the samples, divided by their number")
    p001: float = Field(description="0.1th percentile")
    p01: float = Field(description="1st percentile")
    p05: float = Field(description="5th percentile")
    p10: float = Field(description="10th percentile")
    p25: float = Field(description="25th percentile")
    p50: float = Field(description="median")
    p75: float = Field(description="75th percentile")
    p90: float = Field(description="90th percentile")
    p95: float = Field(description="95th percentile")
    p99: float = Field(description="99th percentile")
    p999: float = Field(description="99.9th percentile")


class RequestRecord(Frozen):
    """One request of a measurement, as kept on disk. Times in seconds from the opening of the window."""

    started: float = Field(description="first byte handed to the socket (open loop: the scheduled time)")
    first_token: float | None = Field(None, description="first non-empty content or reasoning token")
    last_token: float | None = Field(None, description="last such token")
    finished: float = Field(description="end of the answer, or of waiting for it")
    arrivals: tuple[float, ...] = Field((), description="arrival of each chunk that carried content")
    output_tokens: int | None = Field(None, description="as the server counts them (usage)")
    prompt_tokens: int | None = Field(None, description="as the server counts them")
    cached_tokens: int | None = Field(
        None, description="prompt tokens that the server took from its cache, as it counts them"
    )
    asked_tokens: int = Field(description="output tokens that were asked for")
    asked_prompt_tokens: int | None = Field(None, description="how long the prompt was meant to be; None: as it is")
    connect_s: float = Field(0.0, description="time to connect, not part of any latency; 0 on a kept connection")
    outcome: str = Field("ok", description="ok, error or incomplete")
    error: str | None = Field(None, description="error code: http_500, timeout, truncated, missing_usage, …")
    error_text: str | None = Field(None, description="the server's own words on the error, at most 300 characters")
    in_window: bool = Field(True, description="started inside the window; else begun before it")


class Measurement(Frozen):
    """One load point × one repeat within an attempt."""

    load_point: str = Field(description="name of the load point, such as D(100,100)@4")
    repeat: int = Field(0, description="number of the repeat, from 0")
    concurrency: int | None = Field(None, description="closed loop: requests in flight")
    request_rate: float | None = Field(None, description="open loop: requests per second that were due")
    window_s: float = Field(description="length of the window, seconds")
    warmup_s: float = Field(0.0, description="time under load before the window opened, seconds")
    ttft: Distribution | None = Field(description="time to first token, seconds; None when no request succeeded")
    tpot: Distribution | None = Field(description="(last - first token) / (tokens - 1), per request, seconds")
    itl: Distribution | None = Field(description="every gap between chunks, seconds")
    e2e: Distribution | None = Field(description="request start to last token, seconds")
    output_throughput: float = Field(description="output tokens inside the window / its length, tokens/s")
    input_throughput: float = Field(
        description="prompt tokens of requests whose first token fell into it / its length, tokens/s"
    )
    total_throughput: float = Field(description="output + input, tokens/s")
    requests_per_second: float = Field(description="requests with outcome ok that ended inside the window / its length")
    goodput: float | None = Field(None, description="requests/s that kept their SLO; None without an SLO")
    total_requests: int = Field(description="requests started inside the window")
    completed_requests: int = Field(description="of these, those with outcome ok")
    error_requests: int = Field(description="of these, those with an error")
    incomplete_requests: int = Field(0, description="of these, those without an end when the measurement was over")
    error_codes: dict[str, int] = Field(default_factory=dict, description="error code → requests of the window")
    error_texts: dict[str, str] = Field(
        default_factory=dict, description="error code → what the server said to the first such request"
    )
    output_tokens: int = Field(0, description="output tokens of the completed requests, as the server counts them")
    asked_output_tokens: int = Field(0, description="output tokens that they asked for")
    prompt_tokens: int = Field(0, description="prompt tokens of the completed requests, as the server counts them")
    asked_prompt_tokens: int | None = Field(
        None, description="how long their prompts were meant to be; None: some were sent as they are"
    )
    cached_prompt_tokens: int | None = Field(
        None, description="of these, those from the server's cache; None: it does not tell"
    )
    mean_connect_s: float | None = Field(None, description="mean time to connect of those that had to, seconds")
    loop_lag_p99_s: float | None = Field(
        None, description="how late the client's own event loop ran, 99th percentile, seconds"
    )
    client_cpu_share: float | None = Field(None, description="CPU time of the client process / window")
    client_processes: int = Field(1, description="processes of the client that shared the load")
    client_saturated: bool = Field(False, description="the client could not keep up: latencies may be its own")
    load_not_sustained: bool = Field(
        False, description="open loop: requests came faster than they were answered, all through the window"
    )
    foreign_cpu_share: float | None = Field(None, description="CPU used by other programs in the window, in cores")
    foreign_cpu_peak: float | None = Field(None, description="the same over the worst second of the window, in cores")
    disturbed: bool = Field(False, description="other programs used the cores of server and client too much")
    disturbed_from_s: float | None = Field(
        None, description="when the disturbance began, seconds from the window's opening"
    )
    stopped: str | None = Field(None, description="why the window ended early, if it did")
    early_stop: EarlyStop | None = Field(
        None, description="the verdict that ended the window, where it was one (`stopped` is its kind then)"
    )
    slice_s: float | None = Field(None, description="length of the slices of `slice_tokens`, seconds")
    slice_tokens: tuple[float, ...] = Field(
        (), description="output and prompt tokens that came in each of successive slices of the window"
    )
    cache_emptied: bool | None = Field(
        None,
        description="whether the prefix cache of the server was emptied before; None: not asked for, because requests "
        "have nothing in common or the engine has no call for it",
    )
    predicted: bool = Field(False, description="a prediction, never a measurement")
    samples_path: str | None = Field(None, description="file with the request records, relative to the artefacts")
    samples_error: str | None = Field(None, description="why the request records could not be kept, if so")
    opened_monotonic: float | None = Field(
        None,
        description="when the window opened, on the monotonic clock of the client's host, seconds; lets others find "
        "what they saw meanwhile",
    )
    server: ServerFigures | None = Field(None, description="what the server told of itself; None: nothing")
    gpus: tuple[GpuFigures, ...] = Field(
        (), description="GPUs of this host that the server may use and on which anything ran"
    )
    energy_per_output_token: float | None = Field(
        None, description="mean power of all these GPUs / output throughput, joules per token"
    )
    client: str | None = Field(None, description="registered name of the client that measured")
    client_version: str | None = Field(None, description="its version; None: that of this program")

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

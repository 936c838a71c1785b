"""The client ``simulated``: writes predictions down in the shape of measurements, in virtual time."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass
from autotuner.contracts.client import ClientError, ClientSession, OnProgress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.values import digest
from autotuner.contracts.workload import LoadPoint, MeasureLimits
from autotuner.engines.simulated.deployment import job_prediction
from autotuner.engines.simulated.prediction import Figures, Prediction
from autotuner.engines.simulated.recorded import Deviation
from autotuner.metrics.distribution import distribution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TTFT_NOISE = 3.0
"""Between real runs ttft differs about three times as much as tpot."""
_MOST_REQUESTS = 20_000
"""No more requests are drawn; figures of a longer window would not differ."""


class SimulatedClient:
    """Opens sessions; has no process."""

    name = "simulated"

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncIterator[ClientSession]:
        """A session; it needs no cores."""
        yield SimulatedSession()


class SimulatedSession:
    """Measures without sending anything."""

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        """One prediction per remaining load point and repeat, drawn from what (task, start, load point, repeat) seed.

        A start that replaces one which was cut off has its ``draw_key``, so it draws what that one would have.
        ClientError for a load point that the table says nothing about: other lengths, or a request rate.
        """
        prediction = job_prediction(job)
        if isinstance(prediction, Failure):
            raise ClientError(prediction)
        for point, repeat in job.remaining():
            measurement = _measure(job, prediction, point, _closed_loop(point, prediction), repeat)
            on_progress(
                LiveFigures(
                    load_point=point.name,
                    repeat=repeat,
                    phase="measure",
                    elapsed_s=measurement.window_s,
                    window_s=measurement.window_s,
                    completed=measurement.completed_requests,
                    errors=0,
                    ttft_mean_s=measurement.ttft.mean if measurement.ttft else None,
                    output_throughput=measurement.output_throughput,
                )
            )
            yield measurement


def _closed_loop(point: LoadPoint, prediction: Prediction) -> int:
    """The load point's concurrency; ClientError when the prediction isn't for such traffic."""
    traffic = point.traffic
    lengths = (traffic.expected_prompt, traffic.expected_output)
    if point.concurrency is not None and lengths == (prediction.isl, prediction.osl):
        return point.concurrency
    why = "a request rate" if point.concurrency is None else f"{lengths[0]:g} prompt and {lengths[1]:g} answer tokens"
    raise ClientError(
        Failure(
            kind=FailureClass.CLIENT,
            diagnosis=f"there is no prediction for {point.name}: it has {why}, the table holds "
            f"{prediction.isl} prompt and {prediction.osl} answer tokens at a concurrency",
            hint=f"use the scenario D({prediction.isl},{prediction.osl}) with num_concurrency",
        )
    )


@dataclass(frozen=True)
class _Drawn:
    """Figures of one measurement with their noise. Times of requests in seconds, throughput in output tokens/s."""

    output_throughput: float
    window_s: float
    ttft: NDArray[np.float64]
    tpot: NDArray[np.float64]


def _measure(job: AttemptJob, prediction: Prediction, point: LoadPoint, concurrency: int, repeat: int) -> Measurement:
    import numpy as np

    figures, start = prediction.at(concurrency), job.draw_key or f"attempt {job.attempt_id}"
    if prediction.recorded is None:
        drawn = _with_noise(job, prediction, figures, [job.experiment_number, start, point.name, repeat])
    else:
        deviation = prediction.recorded.drawn([job.workload.seed, job.task_name], start)
        drawn = _as_recorded(job, prediction, figures, deviation, prediction.recorded.spread(deviation))
    osl, isl = prediction.osl, prediction.isl
    output_throughput, window_s, ttft, tpot = drawn.output_throughput, drawn.window_s, drawn.ttft, drawn.tpot
    rate, count = output_throughput / osl, len(ttft)
    e2e = ttft + tpot * (osl - 1)
    values = {"ttft": ttft, "tpot": tpot, "e2e": e2e}
    goodput = None
    if job.slo_limits:
        good = np.ones(count, dtype=bool)
        for metric, limit in job.slo_limits.items():
            good &= values[metric] <= limit
        goodput = rate * float(good.mean())
    gaps = max(1, osl - 1)
    tpots = distribution(tpot.tolist())
    return Measurement(
        load_point=point.name,
        repeat=repeat,
        concurrency=concurrency,
        window_s=window_s,
        ttft=distribution(ttft.tolist()),
        tpot=tpots,
        itl=None if tpots is None else tpots.model_copy(update={"count": count * gaps}),
        e2e=distribution(e2e.tolist()),
        output_throughput=output_throughput,
        input_throughput=output_throughput * isl / osl,
        total_throughput=output_throughput * (isl + osl) / osl,
        requests_per_second=rate,
        goodput=goodput,
        total_requests=count,
        completed_requests=count,
        error_requests=0,
        output_tokens=count * osl,
        asked_output_tokens=count * osl,
        prompt_tokens=count * isl,
        predicted=True,
    )


def _with_noise(job: AttemptJob, prediction: Prediction, figures: Figures, seed: Sequence[object]) -> _Drawn:
    """Normal noise: one factor for the whole run, and one of the same size for each request."""
    import numpy as np

    rng = np.random.default_rng(int(digest([job.workload.seed, job.task_name, *seed]), 16))
    noise = prediction.noise
    tpot_mean = figures.tpot_s * np.exp(noise * rng.standard_normal())
    ttft_mean = figures.ttft_s * np.exp(_TTFT_NOISE * noise * rng.standard_normal())

    # Little's law at a fixed concurrency: a run that is slower by a factor finishes fewer requests by that factor.
    osl = prediction.osl
    expected_latency = figures.ttft_s + figures.tpot_s * (osl - 1)
    output_throughput = float(figures.throughput * expected_latency / (ttft_mean + tpot_mean * (osl - 1)))
    count, window_s = _window(job.workload.limits, output_throughput / osl)
    tpot = tpot_mean * np.exp(noise * rng.standard_normal(count))
    ttft = ttft_mean * np.exp(_TTFT_NOISE * noise * rng.standard_normal(count))
    return _Drawn(output_throughput, window_s, ttft, tpot)


def _as_recorded(
    job: AttemptJob, prediction: Prediction, figures: Figures, deviation: Deviation, spread: float
) -> _Drawn:
    """The deviations of a recorded start, the same in each of its measurements; ttft spreads over the requests."""
    import numpy as np
    from scipy.special import ndtri

    output_throughput = figures.throughput * math.exp(deviation.throughput)
    count, window_s = _window(job.workload.limits, output_throughput / prediction.osl)
    shape = np.exp(spread * ndtri((np.arange(count) + 0.5) / count))
    ttft = figures.ttft_s * math.exp(deviation.ttft_mean) * shape / shape.mean()
    tpot = np.full(count, figures.tpot_s * math.exp(deviation.tpot_mean))
    return _Drawn(output_throughput, window_s, ttft, tpot)


def _window(limits: MeasureLimits, rate: float) -> tuple[int, float]:
    """Requests in the virtual window and its length in seconds, by the same limits as a real one."""
    window_s = limits.window_s
    if limits.min_requests:
        window_s = min(limits.max_window_s, max(window_s, limits.min_requests / rate))
    if limits.max_requests is not None:
        window_s = min(window_s, limits.max_requests / rate)
    return min(_MOST_REQUESTS, max(1, round(rate * window_s))), window_s

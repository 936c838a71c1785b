"""Reads the server's metrics and its GPUs while it is measured: about once a second, one reading at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.network.http import Answer, request
from autotuner.telemetry.gpus import Gpus
from autotuner.telemetry.nvml import GpuReading
from autotuner.telemetry.reading import Reading, read_page
from autotuner.telemetry.window import energy_per_token, gpu_figures, server_figures

PERIOD_S = 1.0
"""From the start of one reading to that of the next; a slow one is followed by a pause as long as it took."""

TIMEOUT_S = 2.0
MEASURING = "measure"
"""What live figures call the window."""

NEVER = frozenset({400, 401, 403, 404, 405, 410, 501})
"""Answers of a server that has no metrics for us: it is not asked again."""


class ServerWatch:
    """The readings of one start. Nothing that happens to a reading harms the measurement: it is missed, no more.

    ``here``: the server runs on this host, so its GPUs are those of this host.
    """

    def __init__(
        self, endpoint: Endpoint, job: AttemptJob, *, here: bool, clock: Callable[[], float] = monotonic
    ) -> None:
        facts = job.server
        self._url = f"{endpoint.base_url}{facts.metrics_path}" if facts.metrics_path and facts.metric_names else None
        self._headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
        self._names = facts.metric_names
        self._clock = clock
        self._tls: ssl.SSLContext | None = None
        self._readings: list[Reading] = []
        self._missed: list[float] = []
        self._job = job
        self._here = here
        self._gpus: list[tuple[float, list[GpuReading]]] = []
        self._turn = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._phase: tuple[str, int, str] | None = None
        self._opened: dict[tuple[str, int], float] = {}
        self._closes: float | None = None

    def saw(self, figures: LiveFigures) -> None:
        """Take note of where the measurement stands: its window's edges are read at once."""
        point = (figures.load_point, figures.repeat)
        now = self._clock()
        if figures.phase == MEASURING:
            # Each notice comes a little late; the earliest of what they say is nearest to the truth.
            self._opened[point] = min(self._opened.get(point, now), now - figures.elapsed_s)
            self._closes = self._opened[point] + figures.window_s
        else:
            self._closes = None
        if (*point, figures.phase) != self._phase:
            self._phase = (*point, figures.phase)
            self._wanted.set()

    async def completed(self, measurement: Measurement) -> Measurement:
        """The measurement with the figures of server and GPUs, as far as there are any for its window."""
        opened = measurement.opened_monotonic
        if opened is None:
            opened = self._opened.get((measurement.load_point, measurement.repeat))
        if opened is None:
            return measurement
        last = self._readings[-1].at if self._readings else None
        if last is None or last < opened + measurement.window_s:
            await self._read_page()
        gpus = gpu_figures(self._gpus, opened, measurement.window_s)
        found = {
            "server": server_figures(self._readings, self._missed, opened, measurement.window_s),
            "gpus": gpus,
            "energy_per_output_token": energy_per_token(gpus, measurement.output_throughput),
        }
        # What lies before this window is of no use to a later one.
        self._readings = [reading for reading in self._readings if reading.at >= opened]
        self._gpus = [reading for reading in self._gpus if reading[0] >= opened]
        return measurement.model_copy(update=found)

    async def run(self) -> None:
        """Read until cancelled, or until there is nothing to read."""
        if self._url is not None and self._url.startswith("https:"):
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        gpus = await asyncio.to_thread(Gpus.of, self._job) if self._here else None
        try:
            while self._url is not None or gpus is not None:
                self._wanted.clear()
                begun = self._clock()
                await self._read_page()
                if gpus is not None:
                    read = await asyncio.to_thread(gpus.read)
                    self._gpus.append((self._clock(), read))
                took = self._clock() - begun
                await self._pause(max(PERIOD_S - took, took))
        finally:
            if gpus is not None:
                gpus.close()

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until the window closes or another phase begins."""
        if self._closes is not None and 0 < (left := self._closes - self._clock()) < seconds:
            seconds = left
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _read_page(self) -> None:
        """One reading; nothing when the server has no metrics."""
        async with self._turn:
            if self._url is None:
                return
            begun = self._clock()
            try:
                answer = await request("GET", self._url, headers=self._headers, timeout_s=TIMEOUT_S, tls=self._tls)
            except (OSError, ValueError):
                self._missed.append(self._clock())
                return
            self._take(answer, (begun + self._clock()) / 2)

    def _take(self, answer: Answer, at: float) -> None:
        if answer.status in NEVER:
            self._url = None
            return
        reading = read_page(answer.body, at, self._names) if answer.status == 200 else None
        if reading is None:
            self._missed.append(at)
        else:
            self._readings.append(reading)


@asynccontextmanager
async def watching(endpoint: Endpoint, job: AttemptJob, *, here: bool) -> AsyncIterator[ServerWatch]:
    """A watch that reads inside the context."""
    watch = ServerWatch(endpoint, job, here=here)
    reading = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        reading.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled():
            reading.exception()  # taken: a defect here costs the figures alone

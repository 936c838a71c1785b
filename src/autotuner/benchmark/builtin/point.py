"""Measures one load point once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.host import LoopLag, cpu_use, foreign_share, own_share
from autotuner.benchmark.builtin.load import Load, make_load
from autotuner.benchmark.builtin.prompts import Bodies
from autotuner.benchmark.builtin.sender import Sender, Target
from autotuner.benchmark.builtin.window import Window
from autotuner.benchmark.builtin.wire import Measure
from autotuner.benchmark.samples import try_to_write_samples
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.workload import LoadPoint
from autotuner.metrics import summarise

PROGRESS_S = 0.25

SATURATED_LAG_S = 0.005
SATURATED_CPU = 0.9
DISTURBED_CORES = 0.10


async def measure_point(
    order: Measure,
    point: LoadPoint,
    repeat: int,
    *,
    target: Target,
    bodies: Bodies,
    content: bytes | None,
    on_progress: Callable[[LiveFigures], None],
) -> Measurement:
    """Warm up, measure, drain, and sum up. Cancelling drops all requests at once. ``content``: of the dataset."""
    window = Window(order.workload.limits, point.concurrency)
    began = monotonic()
    with _no_collection():
        async with _loaded(order, point, repeat, target, bodies, content, window):
            with _reporting(lambda: on_progress(window.figures(point.name, repeat))):
                await window.warm()
                # The load goes on while the counters are read; the window opens after that.
                before = await asyncio.to_thread(cpu_use, order.cores, order.server_pid)
                with LoopLag() as lag:
                    await window.measure()
                after = await asyncio.to_thread(cpu_use, order.cores, order.server_pid)
                await window.drain()
    cpu, lag_p99 = own_share(before, after), lag.p99
    foreign = foreign_share(before, after)
    header: dict[str, object] = {
        "client": "builtin",
        "load_point": point.name,
        "repeat": repeat,
        "window_s": window.seconds,
        "opened_monotonic": window.opened,
    }
    records = window.records()
    path, unwritten = await asyncio.to_thread(try_to_write_samples, Path(order.artefacts), header, records)
    summary = summarise(
        records,
        load_point=point,
        repeat=repeat,
        window_s=window.seconds,
        slo_limits=order.slo_limits,
        loop_lag_p99_s=lag_p99,
        client_cpu_share=cpu,
        client_saturated=cpu > SATURATED_CPU or (lag_p99 or 0.0) > SATURATED_LAG_S,
        foreign_cpu_share=foreign,
        disturbed=foreign is not None and foreign > DISTURBED_CORES,
        stopped=window.stopped,
        samples_path=path,
    )
    known = {
        "warmup_s": max(0.0, window.opened - began),
        "samples_error": unwritten,
        "opened_monotonic": window.opened,
    }
    return summary.model_copy(update=known)


@asynccontextmanager
async def _loaded(
    order: Measure,
    point: LoadPoint,
    repeat: int,
    target: Target,
    bodies: Bodies,
    content: bytes | None,
    window: Window,
) -> AsyncIterator[None]:
    """The load is up inside; afterwards every connection is closed."""
    load: Load

    def ended(exchange: Exchange) -> None:
        # The window first: a request that closes it is replaced by one that does not belong to it.
        window.ended(exchange)
        load.ended(exchange)

    sender = Sender(target, order.workload.limits.request_timeout_s, window.started, ended)
    load = make_load(order.workload, point, repeat, bodies, content, sender.issue)
    load.start()
    try:
        yield
    finally:
        load.stop()
        await sender.close()


@contextmanager
def _reporting(report: Callable[[], None]) -> Iterator[None]:
    """Calls ``report`` four times a second."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def tick() -> None:
        nonlocal timer
        report()
        timer = loop.call_later(PROGRESS_S, tick)

    tick()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection inside: a full one would stop the clocks for milliseconds."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()

"""Measures one load point once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic, process_time

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.lag import LoopLag
from autotuner.benchmark.builtin.load import Load, make_load
from autotuner.benchmark.builtin.prompts import Bodies
from autotuner.benchmark.builtin.sender import Sender, Target
from autotuner.benchmark.builtin.so_far import Telling
from autotuner.benchmark.builtin.together import Share, Together, joined, limits_of, point_of
from autotuner.benchmark.builtin.window import Window
from autotuner.benchmark.builtin.wire import Measure, Progress, Result
from autotuner.benchmark.samples import try_to_write_samples
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import LoadPoint
from autotuner.metrics import summarise

PROGRESS_S = 0.25

SATURATED_LAG_S = 0.005
SATURATED_CPU = 0.9


async def measure_point(
    order: Measure,
    point: LoadPoint,
    repeat: int,
    *,
    target: Target,
    bodies: Bodies,
    content: bytes | None,
    together: Together,
    send: Callable[[Frozen], None],
) -> None:
    """Warm up, measure, drain, sum up, and send the result (the first of several workers does). Sends live figures too.

    Cancelling drops all requests at once. ``content``: of the dataset.
    """
    limits = order.workload.limits
    mine = point_of(point, order.share)
    window = Window(limits_of(limits, together.count), mine.concurrency)
    together.on_shut, together.measuring = window.shut, (point.name, repeat)
    telling = Telling(window, order.slo_limits) if order.watched else None
    began = monotonic()

    def report() -> None:
        figures = window.figures(point.name, repeat)
        seen = telling.seen() if telling is not None and figures.phase == "measure" else None
        send(Progress(number=order.number, figures=figures, started=window.own_started, seen=seen))

    with _no_collection():
        async with _loaded(order, mine, repeat, target, bodies, content, window, together):
            with _reporting(report):
                await window.warm()
                opening = await together.meet()
                before = process_time()
                with LoopLag() as lag:
                    await window.measure(opening)
                cpu = (process_time() - before) / window.seconds
                await window.drain()
                report()
                await together.meet()  # the load stays up until the last request of the window has ended
    shares = await together.gather(Share(window.records(), window.seconds, window.stopped, cpu, lag.p99))
    if not shares:
        return
    saturated = any(map(_saturated, shares))
    whole = joined(shares, limits)
    header: dict[str, object] = {
        "client": "builtin",
        "load_point": point.name,
        "repeat": repeat,
        "window_s": whole.window_s,
        "opened_monotonic": window.opened,
    }
    path, unwritten = await asyncio.to_thread(try_to_write_samples, Path(order.artefacts), header, whole.records)
    summary = summarise(
        whole.records,
        load_point=point,
        repeat=repeat,
        window_s=whole.window_s,
        slo_limits=order.slo_limits,
        loop_lag_p99_s=whole.loop_lag_p99_s,
        client_cpu_share=whole.cpu_share,
        client_saturated=saturated,
        stopped=whole.stopped,
        samples_path=path,
    )
    measurement = summary.model_copy(
        update={
            "warmup_s": max(0.0, window.opened - began),
            "samples_error": unwritten,
            "opened_monotonic": window.opened,
            "client_processes": together.count,
        }
    )
    send(Result(number=order.number, measurement=measurement, opened=window.opened))


def _saturated(share: Share) -> bool:
    return share.cpu_share > SATURATED_CPU or (share.loop_lag_p99_s or 0.0) > SATURATED_LAG_S


@asynccontextmanager
async def _loaded(
    order: Measure,
    point: LoadPoint,
    repeat: int,
    target: Target,
    bodies: Bodies,
    content: bytes | None,
    window: Window,
    together: Together,
) -> AsyncIterator[None]:
    """The load is up inside; afterwards every connection is closed."""
    load: Load

    def ended(exchange: Exchange) -> None:
        # The window first: a request that closes it is replaced by one that does not belong to it.
        window.ended(exchange)
        load.ended(exchange)

    sender = Sender(target, order.workload.limits.request_timeout_s, window.started, ended)
    load = make_load(order.workload, point, repeat, bodies, content, sender.issue, order.share)
    load.start(await together.meet())
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

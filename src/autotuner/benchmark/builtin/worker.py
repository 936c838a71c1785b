"""The client's own process: reads orders from its standard input, and ends when that closes.

``python -m autotuner.benchmark.builtin.worker [--cores 0,1]``
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import uvloop

from autotuner.benchmark.builtin.session import run_job
from autotuner.benchmark.builtin.together import Together
from autotuner.benchmark.builtin.wire import LINE_LIMIT, ORDERS, Cancel, Done, Go, Measure, Part, Ready, Shut, line
from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.contracts.client import ClientError
from autotuner.contracts.values import Frozen


def send(message: Frozen) -> None:
    """Write a line to the parent, which always reads."""
    sys.stdout.buffer.write(line(message))
    sys.stdout.buffer.flush()


async def work() -> None:
    """Serve orders until the input closes; then drop everything."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=LINE_LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin.buffer)
    send(Ready())
    job: asyncio.Task[None] | None = None
    together: Together | None = None
    current = 0
    while text := await orders.readline():
        order = ORDERS.validate_json(text)
        if isinstance(order, Go | Shut | Part):
            if together is not None and order.number == current:
                together.take(order)
            continue
        if job is not None and (isinstance(order, Measure) or not job.done()):
            job.cancel()
            await asyncio.wait({job})
        if isinstance(order, Cancel):
            send(Done(number=order.number))
        else:
            together, current = Together(order.number, order.share, send), order.number
            job = loop.create_task(_serve(order, together))
    if job is not None:
        job.cancel()
        await asyncio.wait({job})


async def _serve(order: Measure, together: Together) -> None:
    job = asyncio.create_task(run_job(order, together, send))
    try:
        await asyncio.wait({job})
    finally:
        if not job.done():
            job.cancel()
            await asyncio.wait({job})
    error = job.exception()
    send(Done(number=order.number, failure=None if error is None else _failure(error)))


def _failure(error: BaseException) -> Failure:
    if isinstance(error, ClientError):
        return error.failure
    return Failure(
        kind=FailureClass.CLIENT,
        diagnosis=f"the builtin client failed: {type(error).__name__}: {error}",
        hint="look at the traceback in log_tail; if it is not a full disk or a closed port, report it",
        log_tail="".join(traceback.format_exception(error))[-4000:],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Pin this process and work."""
    parser = argparse.ArgumentParser(prog="python -m autotuner.benchmark.builtin.worker")
    parser.add_argument("--cores", default="", help="comma-separated; empty: not pinned")
    given = parser.parse_args(arguments)
    if given.cores:
        os.sched_setaffinity(0, {int(core) for core in given.cores.split(",")})
    # Ctrl-C reaches the whole foreground group; the parent decides, and closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(work())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""One worker among several that measure one load point together: a common start, one window, one sum."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from autotuner.benchmark.builtin.wire import Go, Part, Shut, Waiting
from autotuner.contracts.measurement import RequestRecord
from autotuner.contracts.values import Frozen
from autotuner.contracts.workload import LoadPoint, MeasureLimits

BATCH = 500
"""Records in a line from worker to worker."""


@dataclass(frozen=True)
class Share:
    """What one worker has to say of a window; ``records`` count from its opening, which all have in common."""

    records: Sequence[RequestRecord]
    window_s: float
    stopped: str | None
    cpu_share: float
    loop_lag_p99_s: float | None


class Together:
    """The worker's end of the understanding with the others. A worker alone waits for nobody."""

    def __init__(self, number: int, share: tuple[int, int], send: Callable[[Frozen], None]) -> None:
        self.index, self.count = share
        self._number = number
        self._send = send
        self._go: asyncio.Future[float] | None = None
        self._parts: asyncio.Queue[Part] = asyncio.Queue()
        self.on_shut: Callable[[str | None], None] = lambda _: None
        self.measuring: tuple[str, int] | None = None
        """Load point and repeat of the window that may be shut."""

    def take(self, order: Go | Shut | Part) -> None:
        """Something came from the others."""
        if isinstance(order, Part):
            self._parts.put_nowait(order)
        elif isinstance(order, Shut):
            if (order.load_point, order.repeat) == self.measuring:
                self.on_shut(order.reason)
        elif self._go is not None and not self._go.done():
            self._go.set_result(order.at)

    async def meet(self) -> float:
        """Wait until all have come here; the time at which all go on, a moment from now."""
        if self.count == 1:
            return monotonic()
        self._go = asyncio.get_running_loop().create_future()
        self._send(Waiting(number=self._number))
        return await self._go

    async def gather(self, own: Share) -> list[Share]:
        """The shares of all to the first worker; the others hand theirs over and get nothing."""
        if self.index > 0:
            self._hand_over(own)
            return []
        shares = [own]
        records: list[RequestRecord] = []
        while len(shares) < self.count:
            part = await self._parts.get()
            records += part.records
            if part.last:
                shares.append(Share(records, part.window_s, part.stopped, part.cpu_share, part.loop_lag_p99_s))
                records = []
        return shares

    def _hand_over(self, own: Share) -> None:
        for begin in range(0, max(len(own.records), 1), BATCH):
            part = Part(
                number=self._number,
                records=tuple(own.records[begin : begin + BATCH]),
                last=begin + BATCH >= len(own.records),
                window_s=own.window_s,
                stopped=own.stopped,
                cpu_share=own.cpu_share,
                loop_lag_p99_s=own.loop_lag_p99_s,
            )
            self._send(part)


def point_of(point: LoadPoint, share: tuple[int, int]) -> LoadPoint:
    """This worker's part of the load: so many of the streams, none too few; a rate is divided by its schedule."""
    index, count = share
    if point.concurrency is None:
        return point
    streams = point.concurrency // count + (index < point.concurrency % count)
    return point.model_copy(update={"concurrency": streams})


def limits_of(limits: MeasureLimits, count: int) -> MeasureLimits:
    """The limits of one worker's window: what hangs on the number of all requests is left to the parent."""
    if count == 1:
        return limits
    return limits.model_copy(
        update={
            "warmup_requests": -(-limits.warmup_requests // count),
            "min_requests": 0,
            "window_s": limits.max_window_s if limits.min_requests else limits.window_s,
            "max_requests": None,
            "max_errors": None,
            "max_error_rate": None,
        }
    )


def joined(shares: Sequence[Share], limits: MeasureLimits) -> Share:
    """All shares as one: the window ends where a single worker would have ended it, to the request.

    The workers hear a little late that enough requests were started or have finished; what they began after that
    instant only kept the load up.
    """
    if len(shares) == 1:
        return shares[0]
    records = sorted((record for share in shares for record in share.records), key=lambda record: record.started)
    end = min(share.window_s for share in shares)
    stopped = next((share.stopped for share in shares if share.stopped is not None), None)
    own = [record for record in records if record.in_window and record.started < end]
    if limits.max_requests is not None and len(own) >= limits.max_requests:
        stopped = "max_requests"
        end = own[limits.max_requests - 1].started
        own = own[: limits.max_requests]
    elif limits.min_requests and stopped in (None, "max_window_s"):
        ends = sorted(record.finished for record in own if record.outcome != "incomplete")
        if len(ends) >= limits.min_requests:
            enough = max(ends[limits.min_requests - 1], min(limits.window_s, limits.max_window_s))
            stopped, end = (None, enough) if enough <= end else ("max_window_s", end)
        else:
            stopped = stopped or "max_window_s"
    inside = set(map(id, own if stopped == "max_requests" else (r for r in own if r.started < end)))
    kept = [record for record in records if id(record) in inside or record.started < 0]
    return Share(
        records=kept,
        window_s=end,
        stopped=stopped,
        cpu_share=sum(share.cpu_share for share in shares),
        loop_lag_p99_s=max(
            (share.loop_lag_p99_s for share in shares if share.loop_lag_p99_s is not None), default=None
        ),
    )

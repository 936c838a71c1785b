"""Hands records from a running attempt to its reader, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from autotuner.contracts.attempt import AttemptRecord


@dataclass(frozen=True)
class _Sent:
    record: AttemptRecord
    dealt_with: asyncio.Event = field(default_factory=asyncio.Event)


class Sender:
    """The attempt's side of a stream."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[_Sent | None] = asyncio.Queue()

    async def send(self, record: AttemptRecord) -> None:
        """Hand a record over; returns when the reader has dealt with it (asked for the next one)."""
        sent = _Sent(record)
        self._queue.put_nowait(sent)
        await sent.dealt_with.wait()

    def notify(self, record: AttemptRecord) -> None:
        """Hand a record over without waiting."""
        self._queue.put_nowait(_Sent(record))

    def close(self) -> None:
        """Nothing more comes."""
        self._queue.put_nowait(None)

    async def next(self) -> _Sent | None:
        """The reader's side: the next record, None at the end."""
        return await self._queue.get()


async def stream(run: Callable[[Sender], Awaitable[None]]) -> AsyncGenerator[AttemptRecord, None]:
    """Run ``run(sender)`` and yield what it sends.

    When the iterator is closed or its reader is cancelled, the run is cancelled and waited for until it has cleaned up;
    a second cancellation is handed on, so that the cleaning up can hurry. An exception of the run is raised to the
    reader after the last record.
    """
    sender = Sender()

    async def whole() -> None:
        try:
            await run(sender)
        finally:
            sender.close()

    task = asyncio.create_task(whole())
    try:
        while (sent := await sender.next()) is not None:
            yield sent.record
            sent.dealt_with.set()
        await task
    finally:
        await end(task)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until all have ended.

    When the waiting itself is cancelled, the tasks are cancelled again and CancelledError is raised at the end.
    """
    cancelled: asyncio.CancelledError | None = None
    for task in tasks:
        task.cancel()
    while waiting := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError as error:
            cancelled = error
            for task in waiting:
                task.cancel()
    for task in tasks:
        if not task.cancelled():
            task.exception()  # taken, so that the loop does not report it as never retrieved
    if cancelled is not None:
        raise cancelled

"""A process that writes to a store until it is killed, or kills itself at a given instant of a write unit.

Arguments: URL, task id, and ``loop``, or the session event at which to die (before_commit, after_flush, after_commit).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from sqlalchemy import event
from sqlalchemy.orm import Session

from autotuner.contracts.store import EventType, NewEvent, TaskStatus
from autotuner.store import open_store


async def write(url: str, task_id: int, until: str) -> None:
    """Raise the task's elapsed time by one second per event, so that both must always agree."""
    async with open_store(url, create=False) as store:
        if until != "loop":
            event.listen(Session, until, lambda _session: os.kill(os.getpid(), signal.SIGKILL))
        elapsed = 0.0
        while True:
            elapsed += 1.0
            await store.change_task(
                task_id,
                NewEvent(type=EventType.TASK_UPDATED, data={"elapsed_s": elapsed}),
                expected=[TaskStatus.PENDING],
                status=TaskStatus.PENDING,
                fields={"elapsed_s": elapsed},
            )
            sys.stdout.write(f"{elapsed}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), sys.argv[3]))

"""A process that appends events to tasks: URL, number of events, seconds between two, and task ids in turn.

Prints one line when the store is open, one for each event (task, its seq, the monotonic clock after the commit), and
ends when its input does.
"""

from __future__ import annotations

import asyncio
import sys
import time

from autotuner.contracts.store import EventType, NewEvent, TaskStatus
from autotuner.store import open_store

PENDING = TaskStatus.PENDING


async def write(url: str, count: int, pause_s: float, tasks: list[int]) -> None:
    """Append ``count`` events."""
    async with open_store(url, create=False) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        due = time.monotonic()
        for number in range(count):
            if pause_s:
                due += pause_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            event = NewEvent(type=EventType.TASK_UPDATED, data={"number": number, "sent": time.monotonic()})
            task = await store.change_task(tasks[number % len(tasks)], event, expected=[PENDING], status=PENDING)
            sys.stdout.write(f"{task.id} {task.next_seq - 1} {time.monotonic()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    url, count, pause_s, *tasks = sys.argv[1:]
    asyncio.run(write(url, int(count), float(pause_s), [int(task) for task in tasks]))

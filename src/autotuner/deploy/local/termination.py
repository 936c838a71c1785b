"""Ends a process and everything below it."""

from __future__ import annotations

import asyncio
import signal

from autotuner.deploy.local import processes
from autotuner.deploy.local.processes import Process

POLL_S = 0.01


async def end_tree(root: Process, grace_s: float, hurry: asyncio.Event) -> None:
    """SIGTERM to the tree, SIGKILL to the rest after the grace (or once ``hurry`` is set); returns when all are gone.

    What leaves the root's session is followed as well, as long as it was seen below the root once. A root that this
    process started stays a zombie until its owner collects it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace_s
    seen: set[Process] = set()
    asked: set[Process] = set()
    while True:
        seen |= await asyncio.to_thread(processes.tree, root)
        seen = {process for process in seen if processes.alive(process)}
        if not seen:
            return
        killing = hurry.is_set() or loop.time() >= deadline
        for process in seen if killing else seen - asked:
            processes.send(process, signal.SIGKILL if killing else signal.SIGTERM)
        asked |= seen
        if killing:
            await asyncio.sleep(POLL_S)
        else:
            await _wait(hurry, POLL_S)


async def _wait(event: asyncio.Event, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return

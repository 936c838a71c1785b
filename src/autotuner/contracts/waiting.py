"""Time that does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def not_counted(limit: asyncio.Timeout) -> Iterator[None]:
    """Stop a time limit while the context lasts. Nothing happens to one that is over or has no end."""
    loop = asyncio.get_running_loop()
    end = limit.when()
    begun = loop.time()
    with suppress(RuntimeError):  # the limit is over
        limit.reschedule(None)
    try:
        yield
    finally:
        if end is not None:
            with suppress(RuntimeError):
                limit.reschedule(end + loop.time() - begun)

"""Work in threads: its result or error, a limit, and few at once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from starlette.exceptions import HTTPException

from autotuner.server.long_work import LongWork


async def test_what_it_returns_or_raises() -> None:
    work = LongWork()
    assert await work.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await work.run(lambda: 1 // 0)


async def test_what_takes_too_long_is_left_alone_and_keeps_its_place() -> None:
    work, go_on = LongWork(at_once=1, limit_s=0.05), threading.Event()
    with pytest.raises(HTTPException) as late:
        await work.run(go_on.wait)
    assert late.value.status_code == 503
    with pytest.raises(HTTPException, match="Others"):
        await work.run(lambda: 7)
    go_on.set()
    while True:
        try:
            assert await work.run(lambda: 7) == 7
            break
        except HTTPException:
            await asyncio.sleep(0)

"""What signals do while a task runs: the first Ctrl-C or SIGTERM stops it cleanly, a second Ctrl-C kills."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

KILLED = 137
"""Exit code after the second Ctrl-C, as a shell reports SIGKILL."""


class Interruption:
    """Owns the process's signal handlers while a task runs.

    SIGHUP (the terminal is gone) is ignored. ``told`` is called in the event loop when stopping begins.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._asked = False
        self._stop: Callable[[], None] | None = None

    def run(
        self, work: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    ) -> T | None:
        """The result of ``work``; None when it was stopped (and had cleaned up before). ``loop_factory`` makes the
        event loop; Python's own is the default.
        """
        # Installed outside of asyncio's runner, so that a second Ctrl-C still kills while that waits for its threads.
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, self._on_signal),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._on_signal),
            signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        }
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(self._guarded(work))
        except asyncio.CancelledError:
            if not self._asked:
                raise
            return None
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def begin() -> None:
            self._told()
            task.cancel()

        def stop() -> None:
            loop.call_soon_threadsafe(begin)

        self._stop = stop
        if self._asked:
            begin()
        return await task

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._asked:
            if signum == signal.SIGINT:
                if sys.stderr.isatty():
                    os.write(2, b"\x1b[?25h\n")  # the live display hid the cursor
                os._exit(KILLED)  # servers die with their parent
            return
        self._asked = True
        if self._stop is not None:
            self._stop()

"""A log that is kept for a test to read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any, NoReturn

import structlog
from structlog.typing import FilteringBoundLogger


class Said:
    """What was logged."""

    def __init__(self) -> None:
        self.entries: list[MutableMapping[str, Any]] = []
        self.log: FilteringBoundLogger = structlog.wrap_logger(
            None, processors=[self._keep], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
        )

    def _keep(self, _logger: Any, _level: str, entry: MutableMapping[str, Any]) -> NoReturn:
        self.entries.append(entry)
        raise structlog.DropEvent

    async def until(self, event: str) -> MutableMapping[str, Any]:
        """The first entry of that event."""
        async with asyncio.timeout(120):
            while True:
                for entry in self.entries:
                    if entry["event"] == event:
                        return entry
                await asyncio.sleep(0.02)

"""Empties the server's prefix cache between measurements, where a load could find something of an earlier one in it.

Prompts are new each time unless prefixes, conversations or recorded requests are asked for; then there is nothing to
find, and the server is left alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.deployment import Endpoint
from autotuner.network.http import request

TIMEOUT_S = 10.0

TRIES = 3
"""A server that still computes what was broken off refuses at first."""

PAUSE_S = 0.5

NO_SUCH_CALL = frozenset({401, 403, 404, 405, 501})

Reset = Callable[[], Awaitable[bool]]
"""Whether the cache is empty now."""


def resetting(job: AttemptJob, endpoint: Endpoint) -> Reset | None:
    """How the server's cache is emptied before a measurement; None where there is no call for it, or no use of it.

    Somebody else's server is never asked: its cache serves others, too.
    """
    path = job.server.cache_reset_path
    if path is None or job.command is None or all(point.traffic.plain for point in job.workload.load_points):
        return None
    url = f"{endpoint.base_url}{path}"
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}

    async def reset() -> bool:
        for left in reversed(range(TRIES)):
            try:
                answer = await request("POST", url, headers=headers, timeout_s=TIMEOUT_S)
            except (OSError, ValueError):
                return False
            if answer.status in NO_SUCH_CALL:
                return False
            if answer.status < 300 and not _refused(answer.body):
                return True
            if left:
                await asyncio.sleep(PAUSE_S)
        return False

    return reset


def _refused(body: bytes) -> bool:
    """Whether the answer says that it did not succeed; most say nothing."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("success") is False

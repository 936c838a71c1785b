"""Attempts run in this process, one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from autotuner.contracts.attempt import AttemptJob, AttemptRecord
from autotuner.contracts.client import ClientSession
from autotuner.contracts.executor import ExecutorSession, Plugins
from autotuner.runner.attempt import run_attempt


class InlineExecutor:
    """Implements ``contracts.executor.Executor``."""

    name = "inline"

    def open(
        self, plugins: Plugins, *, client: str, client_cores: tuple[int, ...] | None
    ) -> AbstractAsyncContextManager[ExecutorSession]:
        """Start the client; it is stopped when the context ends."""
        return self._open(plugins, client, client_cores)

    @asynccontextmanager
    async def _open(
        self, plugins: Plugins, client: str, client_cores: tuple[int, ...] | None
    ) -> AsyncIterator[ExecutorSession]:
        async with plugins.client(client).open(client_cores) as session:
            yield _InlineSession(plugins, session)


class _InlineSession:
    """An open inline executor."""

    def __init__(self, plugins: Plugins, client: ClientSession) -> None:
        self._plugins = plugins
        self._client = client

    def run(self, job: AttemptJob) -> AsyncGenerator[AttemptRecord, None]:
        """Run one attempt with the client that is already there."""
        return run_attempt(job, self._plugins.deployment(job.deployment), self._client)

"""Attempts run in this process, one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from autotuner.contracts.attempt import AttemptJob, AttemptRecord
from autotuner.contracts.client import ClientSession
from autotuner.contracts.deployment import Deployment
from autotuner.contracts.executor import ExecutorSession, Plugins
from autotuner.runner.attempt import run_attempt


class InlineExecutor:
    """Implements ``contracts.executor.Executor``."""

    name = "inline"

    @asynccontextmanager
    async def open(
        self, plugins: Plugins, *, client: str, client_cores: tuple[int, ...] | None
    ) -> AsyncIterator[ExecutorSession]:
        """Start the client; it is stopped when the context ends."""
        async with plugins.client(client).open(client_cores) as session:
            yield _InlineSession(plugins, session)


class _InlineSession:
    """An open inline executor: one client, and one deployment of each kind that was asked for."""

    def __init__(self, plugins: Plugins, client: ClientSession) -> None:
        self._plugins = plugins
        self._client = client
        self._deployments: dict[str, Deployment] = {}

    def run(self, job: AttemptJob) -> AsyncGenerator[AttemptRecord, None]:
        """Run one attempt with the client that is already there."""
        if job.deployment not in self._deployments:
            self._deployments[job.deployment] = self._plugins.deployment(job.deployment)
        return run_attempt(job, self._deployments[job.deployment], self._client)

"""Where an attempt runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from autotuner.contracts.attempt import AttemptJob, AttemptRecord
from autotuner.contracts.client import BenchmarkClient
from autotuner.contracts.deployment import Deployment


class Plugins(Protocol):
    """Looks plug-ins up by registered name; AutotunerError with the nearest name for an unknown one."""

    def deployment(self, name: str) -> Deployment:
        """The deployment mode of that name."""

    def client(self, name: str) -> BenchmarkClient:
        """The benchmark client of that name."""


class Executor(Protocol):
    """Runs attempts. It is opened once per run of a task, so that clients are started before they are needed."""

    @property
    def name(self) -> str:
        """Registered name."""

    def open(
        self, plugins: Plugins, *, client: str, client_cores: tuple[int, ...] | None
    ) -> AbstractAsyncContextManager[ExecutorSession]:
        """Take what the attempts need and start the client; all of it is released when the context ends."""


class ExecutorSession(Protocol):
    """An open executor."""

    def run(self, job: AttemptJob) -> AsyncGenerator[AttemptRecord, None]:
        """Run one attempt and stream its records; the last one is ``Ended``.

        The stream waits for its reader: a record is handed over before the attempt goes on, so what the reader stores
        is stored before the next step. Cancelling (or closing the iterator) tears the server down before it returns.
        """

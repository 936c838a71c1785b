"""What produces the load and measures it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from autotuner.contracts.attempt import AttemptJob, Failure
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement

OnProgress = Callable[[LiveFigures], None]


class ClientError(Exception):
    """The client itself failed (not the server); ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.diagnosis)
        self.failure = failure


class ClientSession(Protocol):
    """A client that is ready to measure; holds its processes until it is closed."""

    def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        """Take the measurements that ``job.remaining()`` names, in its order.

        Yields one ``Measurement`` as soon as it is finished. A server that answers with errors, or not at all, gives a
        measurement with error counts; ``ClientError`` is raised only when the client failed. Closing the iterator or
        cancelling the task stops all requests at once.
        """


class BenchmarkClient(Protocol):
    """One benchmark client."""

    @property
    def name(self) -> str:
        """Registered name."""

    def open(self, cores: tuple[int, ...] | None) -> AbstractAsyncContextManager[ClientSession]:
        """Start the client (its processes pinned to ``cores``) before it is needed; the context owns them."""

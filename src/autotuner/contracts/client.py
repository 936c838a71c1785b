"""What produces the load and measures it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from autotuner.contracts.attempt import AttemptJob, Failure
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.workload import Workload

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


@dataclass(frozen=True)
class ClientPackage:
    """A client that is installed into an environment of its own.

    ``requirements``: files with exact versions, installed one after the other. ``check``: Python source that the
    finished environment must run. ``pythons``: (major, minor), from and below. ``disk_bytes``: what must be free.
    """

    name: str
    version: str
    requirements: tuple[Path, ...]
    check: str
    pythons: tuple[tuple[int, int], tuple[int, int]]
    disk_bytes: int


@runtime_checkable
class SeparateClient(BenchmarkClient, Protocol):
    """A client that is a program of its own, which the job's ``client_python`` runs."""

    @property
    def package(self) -> ClientPackage:
        """What is installed for it."""

    @property
    def point_overhead_s(self) -> float:
        """Typical seconds per load point and repeat besides its window: start, computing, drawing."""

    def refusal(self, workload: Workload, completions_path: str) -> str | None:
        """Why it cannot produce this load, in a sentence without a full stop; None when it can."""

"""How a server runs: start it, wait for it, read its log, stop it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from autotuner.contracts.attempt import AttemptJob, Failure, Handle

OnHandle = Callable[[Handle], Awaitable[None]]
"""Stores the handle; awaited before ``start`` goes on, so that a crash never leaves an unknown server."""


class DeploymentError(Exception):
    """The server could not be started, died, or never answered; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.diagnosis)
        self.failure = failure


@dataclass(frozen=True)
class Endpoint:
    """Where a server answers. ``api_key`` is a secret: never log or store it."""

    base_url: str
    model: str
    api_key: str | None = None
    engine_version: str | None = None
    """As the running engine tells it (``ServerFacts.version_path``); None when it does not."""

    def __repr__(self) -> str:
        return f"Endpoint(base_url={self.base_url!r}, model={self.model!r})"


@dataclass(frozen=True)
class DeploymentStats:
    """Use of the server so far; None where unknown."""

    rss_bytes: int | None = None
    cpu_seconds: float | None = None


class Deployment(Protocol):
    """One deployment mode. Each method may be cancelled; ``stop`` always leaves nothing behind."""

    @property
    def name(self) -> str:
        """Registered name."""

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        """Start the server and return once its handle is stored; DeploymentError if it can't be started."""

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        """Wait until a real completion succeeds. DeploymentError at once when the server dies or time is up."""

    async def failure(self, handle: Handle) -> Failure | None:
        """Why the server is dead (exit status, log patterns); None while it lives."""

    async def log_tail(self, handle: Handle, max_bytes: int = 4096) -> str:
        """The last part of the server's log; empty if there is none."""

    async def stats(self, handle: Handle) -> DeploymentStats:
        """Memory and CPU of the whole server, children included."""

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """End the server and wait until it is gone: SIGTERM, after the grace SIGKILL. A second call does nothing."""

    async def clean(self, handle: Handle) -> bool:
        """End what a dead owner has left of the handle's server, at once; True if there was anything.

        Works in a process that did not start the server, and returns when nothing of it is left. OSError for what does
        not end.
        """

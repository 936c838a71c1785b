"""Plug-ins by name, put together for a run."""

from __future__ import annotations

from autotuner.benchmark.registry import client
from autotuner.contracts.client import BenchmarkClient
from autotuner.contracts.deployment import Deployment
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import Executor
from autotuner.deploy.registry import deployment
from autotuner.engines import registry as engines
from autotuner.executors.inline import InlineExecutor


class InstalledPlugins:
    """Implements ``contracts.executor.Plugins`` from the registries; an engine's own parts come from the engines."""

    def deployment(self, name: str) -> Deployment:
        """The deployment mode of that name."""
        return engines.own_deployment(name) or deployment(name)

    def client(self, name: str) -> BenchmarkClient:
        """The benchmark client of that name."""
        return engines.own_client(name) or client(name)


def executor(name: str) -> Executor:
    """The executor of that name. AutotunerError(UNKNOWN_NAME) for another."""
    made = InlineExecutor()
    if name != made.name:
        raise AutotunerError(
            ErrorCode.UNKNOWN_NAME,
            f"there is no executor {name!r}",
            why=f"this version has {made.name}",
            remedy=f"Set AUTOTUNER_EXECUTOR={made.name}, or leave it out",
            place="AUTOTUNER_EXECUTOR",
        )
    return made

"""Plug-ins by name, put together for a run."""

from __future__ import annotations

from collections.abc import Callable

from autotuner.benchmark.registry import CLIENTS
from autotuner.contracts.client import BenchmarkClient
from autotuner.contracts.deployment import Deployment
from autotuner.contracts.executor import Executor
from autotuner.contracts.registry import Registry
from autotuner.deploy.registry import DEPLOYMENTS
from autotuner.engines.registry import OWN_CLIENTS, OWN_DEPLOYMENTS


class InstalledPlugins:
    """Implements ``contracts.executor.Plugins`` from the registries; an engine's own parts come from the engines."""

    def deployment(self, name: str) -> Deployment:
        """The deployment mode of that name."""
        return (OWN_DEPLOYMENTS if name in OWN_DEPLOYMENTS.names() else DEPLOYMENTS).load(name)()

    def client(self, name: str) -> BenchmarkClient:
        """The benchmark client of that name."""
        return (OWN_CLIENTS if name in OWN_CLIENTS.names() else CLIENTS).load(name)()


EXECUTORS: Registry[Callable[[], Executor]] = Registry(
    kind="executor",
    group="autotuner.executors",
    place="--executor or AUTOTUNER_EXECUTOR",
    built_in={
        "inline": "autotuner.executors.inline:InlineExecutor",
        "subprocess": "autotuner.executors.process.executor:SubprocessExecutor",
    },
    preferred="inline",
)

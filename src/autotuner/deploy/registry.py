"""The deployment modes by name."""

from __future__ import annotations

from collections.abc import Callable

from autotuner.contracts.deployment import Deployment
from autotuner.contracts.registry import Registry

DEPLOYMENTS: Registry[Callable[[], Deployment]] = Registry(
    kind="deployment mode",
    group="autotuner.deployments",
    place="deployment_mode",
    built_in={
        "local": "autotuner.deploy.local.deployment:LocalDeployment",
        "endpoint": "autotuner.deploy.endpoint:EndpointDeployment",
    },
    preferred="local",
)

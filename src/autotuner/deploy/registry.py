"""The deployment modes by name. Each is imported when it is first asked for.

Packages of others, and engines that bring their own, add modes through the entry-point group
``autotuner.deployments``: name = "package.module:Class".
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
from functools import cache
from typing import cast

from autotuner.contracts.deployment import Deployment
from autotuner.contracts.errors import AutotunerError, ErrorCode

GROUP = "autotuner.deployments"
DEFAULT_DEPLOYMENT = "local"

_BUILT_IN = {
    "local": "autotuner.deploy.local.deployment:LocalDeployment",
    "endpoint": "autotuner.deploy.endpoint:EndpointDeployment",
}


def deployment_names() -> list[str]:
    """Registered names, the default first."""
    names = sorted(_targets())
    return sorted(names, key=lambda name: name != DEFAULT_DEPLOYMENT)


def deployment(name: str) -> Deployment:
    """A new deployment of that mode: it owns the servers that it starts. AutotunerError (UNKNOWN_NAME)."""
    wanted = name.strip().lower()
    if wanted not in _targets():
        near = difflib.get_close_matches(wanted, deployment_names(), n=1)
        raise AutotunerError(
            ErrorCode.UNKNOWN_NAME,
            f"there is no deployment mode {name!r}",
            why=f"the modes are {', '.join(deployment_names())}",
            remedy=f"did you mean {near[0]}" if near else "use one of these names",
            place="deployment.mode",
        )
    module, _, attribute = _targets()[wanted].partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the deployment mode {wanted} cannot be loaded",
            why=str(error),
            remedy="install or repair the package that provides it",
        ) from error
    return cast(Deployment, made)


@cache
def _targets() -> dict[str, str]:
    others = {entry.name.lower(): entry.value for entry in importlib.metadata.entry_points(group=GROUP)}
    return others | _BUILT_IN

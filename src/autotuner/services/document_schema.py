"""The JSON Schema of the task document, with the names of what is installed."""

from __future__ import annotations

from typing import Any

from autotuner.benchmark.registry import CLIENTS
from autotuner.config.schema import json_schema
from autotuner.deploy.registry import DEPLOYMENTS
from autotuner.engines.registry import ENGINES
from autotuner.search.registry import STRATEGIES


def document_schema() -> dict[str, Any]:
    """The schema for editors and forms."""
    return json_schema(
        ENGINES.names(),
        strategy_names=STRATEGIES.names(),
        client_names=CLIENTS.names(),
        deployment_names=DEPLOYMENTS.names(),
    )

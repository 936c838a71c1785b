"""What the guard answers, in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from autotuner.server.problems import documented
from autotuner.server.security.guard import OPEN

SCHEME = "token"


def describe(schema: dict[str, Any]) -> None:
    """Add the token and the refusals of the guard to every call."""
    schema.setdefault("components", {}).setdefault("securitySchemes", {})[SCHEME] = {
        "type": "http",
        "scheme": "bearer",
        "description": "printed by `autotuner token`",
    }
    schema["security"] = [{SCHEME: []}]
    for path, operations in schema.get("paths", {}).items():
        for operation in operations.values():
            statuses = [400, 403]
            if path in OPEN:
                operation["security"] = []
            else:
                statuses.append(401)
            if "requestBody" in operation:
                statuses += [413, 415]
            for status, answer in documented(*statuses).items():
                operation.setdefault("responses", {}).setdefault(str(status), answer)

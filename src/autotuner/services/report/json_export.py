"""The result as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from autotuner.contracts.result import TaskResult


def finite(value: object) -> object:
    """The same JSON value with null for what JSON has no number for (NaN, infinities)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value


def render_json(result: TaskResult) -> str:
    """The whole ``TaskResult``, indented, with a final line feed; valid JSON for every reader."""
    return json.dumps(finite(result.model_dump(mode="json")), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

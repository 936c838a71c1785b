"""Values of parameters, configurations, and their identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

Scalar = str | int | float | bool | None
"""A parameter's value. ``None`` means: left to the engine."""

Configuration = Mapping[str, Scalar]
"""Values of the searched parameters by canonical name (prefixed ones such as ``__model__file`` included)."""


MODEL_KEY = "__model__file"
"""Parameter that stands for the model file when several are searched."""

MODEL_IN_RULES = "model"
"""How rules of engines name it."""


class Frozen(BaseModel):
    """Base of the serialisable value types: immutable, no unknown fields, JSON round trip without loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space: equal values give equal text (``1`` and ``True`` differ)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=list)


def digest(value: Any) -> str:
    """First 128 bits of the SHA-256 of ``canonical_json(value)``, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]

"""Stored presets as they come from a store, without one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autotuner.contracts.presets import Preset
from autotuner.engines.registry import system_presets
from autotuner.presets.content import slug_of

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def stored(name: str, number: int = 100, **fields: Any) -> Preset:
    """A stored preset."""
    whole: dict[str, Any] = {"slug": slug_of(name), "revision": 1, "created_at": THEN, "updated_at": THEN, **fields}
    return Preset(name=name, id=number, **whole)


def system(slug: str) -> Preset:
    """One of those that come with the program."""
    for number, preset in enumerate(system_presets(), 1):
        if preset.slug == slug:
            return Preset(**preset.model_dump(), id=number, revision=1, created_at=THEN, updated_at=THEN)
    raise KeyError(slug)

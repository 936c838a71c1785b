"""Finding presets in a list."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from autotuner.contracts.presets import ANY_RUNTIME, Preset
from autotuner.contracts.values import Frozen


class PresetQuery(Frozen):
    """What is looked for; all of it must hold. Case counts nowhere."""

    category: str | None = Field(None, description="exactly this category")
    tag: str | None = Field(None, description="one of its tags is this one")
    name: str | None = Field(None, description="text in its name, slug or description")
    runtime: str | None = Field(None, description="made for this engine, or for any")


def matching(presets: Iterable[Preset], query: PresetQuery) -> list[Preset]:
    """Those that match, in their order."""
    return [preset for preset in presets if _matches(preset, query)]


def _matches(preset: Preset, query: PresetQuery) -> bool:
    if query.category is not None and preset.category.casefold() != query.category.casefold():
        return False
    if query.tag is not None and query.tag.casefold() not in (tag.casefold() for tag in preset.metadata.tags):
        return False
    if query.runtime is not None and preset.runtime.casefold() not in (query.runtime.casefold(), ANY_RUNTIME):
        return False
    if query.name is not None:
        wanted = query.name.casefold()
        return any(wanted in text.casefold() for text in (preset.name, preset.slug, preset.description))
    return True

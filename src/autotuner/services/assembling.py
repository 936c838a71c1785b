"""Documents that come as data, with the profiles and stored presets that they name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from autotuner.config.document import TaskDocument
from autotuner.config.load import check_part, validate
from autotuner.contracts.presets import PresetStore
from autotuner.presets.layering import NO_PRESETS, Chosen
from autotuner.services.layering import Parts, assemble_document
from autotuner.services.preset_merging import choose
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import Settings

NAME = "the document"

Result = TypeVar("Result")


class InThread(Protocol):
    """Runs what takes seconds beside the loop, under limits of its own."""

    def __call__(self, work: Callable[[], Result]) -> Awaitable[Result]:
        """What ``work`` returns or raises."""


async def chosen_by(store: PresetStore, part: TaskDocument) -> Chosen:
    """The stored presets that a document names. AutotunerError(NOT_FOUND), "Preset not found"."""
    return await choose(store, part.presets, part.merge_strategy) if part.presets else NO_PRESETS


async def document_of(data: Mapping[str, Any], store: PresetStore, settings: Settings) -> TaskDocument:
    """The task document of plain data; profiles and presets that it names are merged below what it says.

    AutotunerError: what ``config.load.validate`` and ``assemble_document`` find wrong, and NOT_FOUND for a preset.
    """
    if not data.get("profiles") and not data.get("presets"):
        return await asyncio.to_thread(validate, dict(data), name=NAME)
    part = await asyncio.to_thread(check_part, dict(data), name=NAME)
    chosen = await chosen_by(store, part)

    def assemble() -> TaskDocument:
        parts = Parts(data, profiles=part.profiles or (), presets=chosen)
        return assemble_document(parts, open_profiles(settings), settings, name=NAME).document

    return await asyncio.to_thread(assemble)

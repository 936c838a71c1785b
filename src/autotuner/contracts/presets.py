"""Stored parameter presets: named sets of parameter values with a history, and the store that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, Field, JsonValue

from autotuner.contracts.values import Frozen, Scalar

ANY_RUNTIME = "any"
"""Runtime of a preset that is for every engine."""

CUSTOM_CATEGORY = "custom"

Visibility = Literal["private", "team", "public"]


class PresetMetadata(Frozen):
    """Who made a preset, and what for. Other keys are kept as they are."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    author: str | None = Field(None, description="who made it")
    tags: tuple[str, ...] = Field((), description="words to find it by")
    recommended_for: tuple[str, ...] = Field((), description="situations that it suits")


class PresetRule(Frozen):
    """What must hold between parameters; see ``config.comparison`` for the language."""

    when: str | None = Field(None, description="comparison that makes it apply; None: always")
    require: str = Field(description="comparison that must hold")
    message: str = Field(description="sentence for people when it does not hold")


class PresetContent(Frozen):
    """What a person decides of a preset: what a revision keeps, and what a file holds."""

    name: str = Field(description="unique, at most 255 characters")
    description: str = Field("", description="what it is for")
    category: str = Field(CUSTOM_CATEGORY, description="performance, memory, general, custom, or free text")
    runtime: str = Field(ANY_RUNTIME, description="engine whose parameters it names, or any")
    parameters: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict, description="values by parameter")
    config: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="structured blocks as in a task document, such as parallel_config"
    )
    metadata: PresetMetadata = Field(default_factory=PresetMetadata, description="who made it, and what for")
    rules: tuple[PresetRule, ...] = Field((), description="what must hold between parameters")
    requires: tuple[str, ...] = Field((), description="slugs of presets that are merged before it")
    visibility: Visibility = Field("team", description="who may see it")


class NewPreset(PresetContent):
    """A preset to store."""

    slug: str = Field(description="made of the name; unique, and kept when the name changes")
    is_system: bool = Field(False, description="it comes with the program, and is never changed")
    owner: str | None = Field(None, description="whose it is; null: nobody's in particular")


class Preset(NewPreset):
    """A stored preset."""

    id: int = Field(description="its number")
    revision: int = Field(description="number of its newest revision, from 1")
    created_at: datetime = Field(description="UTC")
    updated_at: datetime = Field(description="when its newest revision was stored, UTC")

    @property
    def content(self) -> PresetContent:
        """What a revision keeps of it."""
        return PresetContent(**{name: getattr(self, name) for name in PresetContent.model_fields})


class RevisionReason(StrEnum):
    """What a revision came from."""

    CREATED = "created"
    EDITED = "edited"
    REPLACED = "replaced"
    ROLLED_BACK = "rolled_back"


class PresetRevision(Frozen):
    """One state of a preset; never changed."""

    preset_id: int = Field(description="number of the preset")
    number: int = Field(description="1, 2, … within the preset")
    reason: RevisionReason = Field(description="what it came from")
    content: PresetContent = Field(description="what the preset said then")
    created_at: datetime = Field(description="UTC")


class PresetStore(Protocol):
    """Keeps presets. Each writing method is one transaction.

    An unknown preset is AutotunerError(NOT_FOUND) with the sentence "Preset not found"; a name that another one has
    is CONFLICT. Nothing changes or removes a system preset: AutotunerError(FORBIDDEN).
    """

    async def seed_presets(self, new: Sequence[NewPreset]) -> None:
        """Store those system presets whose slugs are not there yet; does not write when all are."""

    async def create_preset(self, preset: NewPreset) -> Preset:
        """Store a preset with its first revision. If its slug is taken, it gets the next free one (-2, -3, …)."""

    async def get_preset(self, preset_id: int) -> Preset:
        """One preset."""

    async def list_presets(self) -> list[Preset]:
        """All presets by number: the system's first."""

    async def change_preset(
        self, preset_id: int, content: PresetContent, *, reason: RevisionReason, revision: int
    ) -> Preset:
        """Store a new revision. CONFLICT unless ``revision`` is the newest one: another process changed it.

        The same content again stores nothing.
        """

    async def delete_preset(self, preset_id: int) -> None:
        """Remove a preset and its history."""

    async def preset_revisions(self, preset_id: int) -> list[PresetRevision]:
        """All revisions, oldest first."""

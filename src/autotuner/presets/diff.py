"""What differs between two revisions of a preset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from autotuner.contracts.presets import PresetContent
from autotuner.contracts.values import Frozen, canonical_json

_DEEP = frozenset({"parameters", "config", "metadata"})
"""Fields whose keys are compared one by one."""


class PresetChange(Frozen):
    """One difference."""

    place: str = Field(description="key path in the preset, such as parameters.tp-size")
    was: Any = Field(description="null: it was not there")
    now: Any = Field(description="null: it is no longer there")


def changes(old: PresetContent, new: PresetContent) -> list[PresetChange]:
    """The differences in the order of the fields; 1, 1.0 and true are three values."""
    before, after = _leaves(old), _leaves(new)
    places = [*before, *(place for place in after if place not in before)]
    return [
        PresetChange(place=place, was=before.get(place), now=after.get(place))
        for place in places
        if canonical_json(before.get(place)) != canonical_json(after.get(place))
    ]


def _leaves(content: PresetContent) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in content.model_dump(mode="json").items():
        found.update(_flat(name, value) if name in _DEEP else [(name, value)])
    return found


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(f"{path}.{key}", item)
    elif not isinstance(value, Mapping):
        yield path, value

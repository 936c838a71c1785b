"""What a profile is, and the book in which profiles are found by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from autotuner.config.layers import Layer, LayerContext, resolve
from autotuner.config.load import check_part
from autotuner.config.problems import nearest
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

OF_THE_TASK = frozenset(
    {"task_name", "base_runtime", "deployment_mode", "profiles", "presets", "merge_strategy", "assembled"}
)
"""Keys that no layer of a profile sets: layers are chosen by them, or they belong to one task."""

BUILT_IN = "built-in"
"""Origin of the profiles that the program brings along."""


class ProfileMetadata(Frozen):
    """What a profile is for."""

    description: str = Field("", description="what it does, in a few words")
    use_case: str = Field("", description="when to take it")
    tags: tuple[str, ...] = Field((), description="words to find it by")
    recommended_for: tuple[str, ...] = Field((), description="situations that it suits")


@dataclass(frozen=True)
class Profile:
    """Layers with a name and a purpose."""

    name: str
    layers: tuple[Layer, ...]
    metadata: ProfileMetadata
    origin: str
    """built-in, or where it comes from."""

    def layers_for(self, context: LayerContext) -> list[Layer]:
        """The layers that count for a task, under the names that provenance has: ``profile:<name>:<layer>``."""
        return [Layer(f"profile:{self.name}:{layer.name}", layer.data) for layer in resolve(self.layers, context)]


class ProfileSummary(Frozen):
    """A profile in a list."""

    name: str = Field(description="as in a task document")
    description: str = Field(description="what it does, in a few words")
    use_case: str = Field(description="when to take it")
    tags: tuple[str, ...] = Field(description="words to find it by")
    recommended_for: tuple[str, ...] = Field(description="situations that it suits")
    layers_count: int = Field(description="number of its layers")


class ProfileDetails(ProfileSummary):
    """A profile by itself."""

    layer_names: tuple[str, ...] = Field(description="names of its layers, in order")


class Profiles:
    """Profiles by name. Whoever assembles documents has one; nothing is kept beside it."""

    def __init__(self) -> None:
        self._profiles: dict[str, Profile] = {}

    def register_profile(
        self,
        name: str,
        layers: Sequence[Layer],
        metadata: ProfileMetadata | Mapping[str, Any] | None = None,
        *,
        origin: str = "registered",
    ) -> Profile:
        """Add a profile.

        ``metadata``: description, use_case, tags and recommended_for. ``origin``: where it comes from, for people.
        AutotunerError: INVALID_VALUE for a name that cannot be written in a list, no layers, two layers of one name, or
        a key that a layer may not set; CONFLICT for a name that is taken; DocumentError for keys and values that no
        task document has (of layers that are made by a function: when they are made).
        """
        place = f"profile {name!r:.120}"
        if NAME.fullmatch(name) is None:
            raise _refused(place, f"{name!r:.120} is no name of a profile", "Use letters, digits, dashes and dots")
        if name in self._profiles:
            raise AutotunerError(
                ErrorCode.CONFLICT,
                f"there is a profile {name!r} already",
                why=f"it is {self._profiles[name].origin}",
                remedy="Choose another name",
                place=origin,
            )
        if not layers:
            raise _refused(place, "it has no layers", "Give it at least one")
        for layer in layers:
            if sum(layer.name == other.name for other in layers) > 1:
                raise _refused(place, f"two of its layers are called {layer.name!r}", "Rename one of them")
            if not callable(layer.data):
                check_layer(layer, name, origin)
        made = Profile(name, tuple(layers), _metadata(metadata, place), origin)
        self._profiles[name] = made
        return made

    def names(self) -> list[str]:
        """All names, in the order of registration."""
        return list(self._profiles)

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._profiles.values())

    def find(self, name: str) -> Profile | None:
        """The profile of that name; None when there is none."""
        return self._profiles.get(name)

    def get(self, name: str) -> Profile:
        """The profile of that name. AutotunerError (NOT_FOUND) with the nearest name."""
        found = self.find(name)
        if found is None:
            raise AutotunerError(
                ErrorCode.NOT_FOUND,
                "Profile not found",
                why=f"there is no profile {name!r:.120}",
                remedy=self.advice(name),
                place="profiles",
            )
        return found

    def advice(self, name: str) -> str:
        """What to write in place of an unknown name."""
        near = nearest(name, self._profiles)
        return f"Did you mean {near!r}?" if near else f"There is {', '.join(self._profiles)}"

    def summaries(self) -> list[ProfileSummary]:
        """All profiles as a list shows them."""
        return [_summary(profile) for profile in self]

    def details(self, name: str) -> ProfileDetails:
        """One profile with the names of its layers. AutotunerError (NOT_FOUND)."""
        profile = self.get(name)
        return ProfileDetails(
            **_summary(profile).model_dump(), layer_names=tuple(layer.name for layer in profile.layers)
        )


def check_layer(layer: Layer, profile: str, origin: str) -> None:
    """Refuse a layer with keys or values that no task document has, or that a profile may not set."""
    place = f"layer {layer.name} of the profile {profile} ({origin})"
    if not isinstance(layer.data, Mapping):
        raise _refused(place, f"its keys are a {type(layer.data).__name__} and not a mapping", "Write keys and values")
    taken = next((key for key in layer.data if key in OF_THE_TASK), None)
    if taken is not None:
        raise _refused(place, f"it sets {taken}, which belongs to the task", f"Leave {taken} out")
    check_part(dict(layer.data), name=place)


def _metadata(given: ProfileMetadata | Mapping[str, Any] | None, place: str) -> ProfileMetadata:
    if isinstance(given, ProfileMetadata):
        return given
    try:
        return ProfileMetadata.model_validate(dict(given or {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        known = ", ".join(ProfileMetadata.model_fields)
        raise _refused(place, f"{where} of its metadata is wrong: {first['msg'].lower()}", f"Use {known}") from None


def _summary(profile: Profile) -> ProfileSummary:
    return ProfileSummary(name=profile.name, **profile.metadata.model_dump(), layers_count=len(profile.layers))


def _refused(place: str, why: str, remedy: str) -> AutotunerError:
    return AutotunerError(ErrorCode.INVALID_VALUE, "the profile cannot be used", why=why, remedy=remedy, place=place)

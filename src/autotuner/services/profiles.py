"""The profiles that can be named here: built-in ones, those of plug-ins, and those in the configuration folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from autotuner.config.layers import Layer, LayerContext, assemble, values_by_place
from autotuner.contracts.engine import Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.registry import Registry
from autotuner.contracts.values import Frozen
from autotuner.engines.registry import ENGINES
from autotuner.engines.registry import engine as engine_named
from autotuner.planning.translation import has_parameter, translate
from autotuner.profiles.built_in import built_in_profiles
from autotuner.profiles.file import read_profile
from autotuner.profiles.profile import Profile, ProfileDetails, Profiles, check_layer
from autotuner.services.settings import Settings

PLUGINS: Registry[Callable[[Profiles], None]] = Registry(
    kind="profile plug-in", group="autotuner.profiles", place="autotuner.profiles", built_in={}
)
"""Functions of other distributions that are given the book and call ``register_profile`` on it."""

ENDINGS = frozenset({".yaml", ".yml", ".json"})

MAX_BYTES = 1 << 20
"""Largest file of a profile."""


@dataclass(frozen=True)
class ProfileBook:
    """The profiles, and what could not be read."""

    profiles: Profiles
    problems: tuple[AutotunerError, ...] = ()
    """One for each file or plug-in that gives none; the others can be used."""


class SetKeys(Frozen):
    """What a profile sets for one engine."""

    keys: dict[str, object] = Field(description="key path of a task document and its value")
    notes: tuple[str, ...] = Field(description="what the engine lacks")


class ShownProfile(Frozen):
    """A profile with all that it sets."""

    profile: ProfileDetails
    origin: str = Field(description="built-in, or where it comes from")
    engines: dict[str, SetKeys] = Field(description="by engine, where nothing but the engine is known of the task")


def open_profiles(settings: Settings) -> ProfileBook:
    """All profiles by name. A file or plug-in that is wrong, or whose name is taken, is a problem and gives none."""
    book = built_in_profiles()
    problems: list[AutotunerError] = []
    for name in PLUGINS.names():
        try:
            PLUGINS.load(name)(book)
        except AutotunerError as error:
            problems.append(error)
    for path in _files(settings.profiles_dir):
        try:
            found = read_profile(_text(path), name=str(path))
            book.register_profile(found.name, found.layers, found.metadata, origin=str(path))
        except AutotunerError as error:
            problems.append(error)
    return ProfileBook(book, tuple(problems))


def show_profile(name: str, book: ProfileBook, *, engine: str | None = None) -> ShownProfile:
    """A profile with the keys that it sets, for one engine or for each. AutotunerError: NOT_FOUND, UNKNOWN_NAME."""
    profile = book.profiles.get(name)
    names = ENGINES.names() if engine is None else [ENGINES.resolve(engine)]
    return ShownProfile(
        profile=book.profiles.details(name),
        origin=profile.origin,
        engines={one: _sets(profile, engine_named(one)) for one in names},
    )


def _sets(profile: Profile, engine: Engine) -> SetKeys:
    made = profile_layers(profile, LayerContext(base_runtime=engine.name), engine)
    return SetKeys(keys=values_by_place(assemble(made.layers).data), notes=made.notes)


@dataclass(frozen=True)
class ProfileLayers:
    """The layers of a profile in an engine's names."""

    layers: tuple[Layer, ...]
    notes: tuple[str, ...]
    """What the engine lacks, each a whole sentence."""


def profile_layers(profile: Profile, context: LayerContext, engine: Engine) -> ProfileLayers:
    """The layers that count for a task. DocumentError for a layer that is made and sets what no document has."""
    lacking: dict[str, None] = {}

    def has(name: str) -> bool:
        found = has_parameter(engine, name)
        if not found:
            lacking[name] = None
        return found

    layers: list[Layer] = []
    notes: list[str] = []
    for layer in profile.layers_for(replace(context, has=has)):
        check_layer(layer, profile.name, profile.origin)
        data = layer.data if isinstance(layer.data, Mapping) else {}
        translated = translate(data, engine, model=context.model_name)
        notes += translated.left_out
        layers.append(Layer(layer.name, translated.data))
    if lacking:
        notes.append(f"{engine.name} has no {' and no '.join(lacking)}, so the profile does without there")
    return ProfileLayers(tuple(layers), tuple(notes))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    except OSError:  # there is no such folder, which is usual
        return []


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _unreadable(path, "it is larger than 1 MiB")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise _unreadable(path, (error.strerror or str(error)).lower()) from None


def _unreadable(path: Path, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.MISSING_FILE, "the profile cannot be read", why=why, remedy="Correct it or move it", place=str(path)
    )

"""Finds catalogues by engine and version; reads one only when it is asked for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from autotuner.contracts.engine import Catalogue
from autotuner.contracts.errors import AutotunerError, ErrorCode

ALIASES: Mapping[str, str] = {
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
    "trtllm": "tensorrt-llm",
    "trt-llm": "tensorrt-llm",
}
_FILE = re.compile(r"(?P<engine>[a-z][a-z-]*[a-z])-(?P<version>[0-9][A-Za-z0-9.+_-]*)\.json")


@dataclass(frozen=True)
class Held:
    """One catalogue on the shelf, not read yet. ``learned``: from an installed engine, not part of this program."""

    engine: str
    version: str
    learned: bool
    place: Traversable

    def read(self) -> Catalogue:
        """Read it. AutotunerError(STORAGE) for a learned one that cannot be read."""
        return _read(self.place) if self.learned else _read_shipped(self.engine, self.version)


@dataclass(frozen=True)
class Shelf:
    """The catalogues of this program, and before them the learned ones of the folder ``learned``."""

    learned: Path | None = None

    def engines(self) -> list[str]:
        """Engines that have a catalogue, by name."""
        return sorted({held.engine for held in self._all()})

    def versions(self, engine: str) -> list[Held]:
        """Catalogues of an engine, the newest version first; where a version was learned, that one alone.

        AutotunerError(UNKNOWN_NAME) for an engine that has none.
        """
        name = self.resolve(engine)
        found: dict[str, Held] = {}
        for held in self._all():
            if held.engine == name:
                found.setdefault(held.version, held)
        return sorted(found.values(), key=lambda held: version_key(held.version), reverse=True)

    def get(self, engine: str, version: str | None = None) -> Catalogue:
        """The catalogue of that version (``0.33`` stands for the newest 0.33), without one of the newest.

        AutotunerError: UNKNOWN_NAME for the engine, NOT_FOUND for the version.
        """
        held = self.versions(engine)
        if version is None:
            return held[0].read()
        wanted = version.removeprefix("v").partition("+")[0]
        fits = [one for one in held if one.version == version] or [one for one in held if _is_of(one.version, wanted)]
        if fits:
            return fits[0].read()
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            f"no catalogue of {held[0].engine} {version}",
            why=f"there is {', '.join(one.version for one in held)}",
            remedy=f"Name one of these, or run `autotuner engine learn {held[0].engine} --python PATH` "
            "with the environment that has this version",
            place=version,
        )

    def nearest(self, engine: str, version: str | None) -> Catalogue:
        """The catalogue for an installed version: of that version, else the newest of its minor one, else the newest.

        None or an empty text: no version is known. AutotunerError(UNKNOWN_NAME) for an engine that has none.
        """
        held = self.versions(engine)
        wanted = (version or "").removeprefix("v").partition("+")[0]
        minor = ".".join(wanted.split(".")[:2])
        of_version = [one for one in held if one.version == wanted]
        of_minor = [one for one in held if minor and _is_of(one.version, minor)]
        return [*of_version, *of_minor, *held][0].read()

    def resolve(self, engine: str) -> str:
        """The engine's name for a name or alias. AutotunerError(UNKNOWN_NAME) with the nearest."""
        wanted = engine.strip().lower().replace("_", "-")
        wanted = ALIASES.get(wanted, wanted)
        names = self.engines()
        if wanted in names:
            return wanted
        near = difflib.get_close_matches(wanted, [*names, *ALIASES], n=1)
        raise AutotunerError(
            ErrorCode.UNKNOWN_NAME,
            f"there is no catalogue of the engine {engine!r}",
            why=f"there are catalogues of {', '.join(names)}",
            remedy=f"Did you mean {near[0]!r}?" if near else "Use one of these names",
            place=engine,
        )

    def _all(self) -> list[Held]:
        folders: list[tuple[bool, Traversable]] = [(False, files(__package__))]
        if self.learned is not None and self.learned.is_dir():
            folders.insert(0, (True, self.learned))
        return [
            Held(found["engine"], found["version"], learned, place)
            for learned, folder in folders
            for place in sorted(folder.iterdir(), key=lambda entry: entry.name)
            if (found := _FILE.fullmatch(place.name))
        ]


def file_name(engine: str, version: str) -> str:
    """Under which a catalogue is stored."""
    return f"{engine}-{version}.json"


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts versions: numbers as numbers, a pre-release before its release."""
    parts = [part for part in re.findall(r"\d+|[a-z]+", version.lower()) if part != "post"]
    return (*((1, int(part)) if part.isdigit() else (-1, part) for part in parts), (0, ""))


def as_text(catalogue: Catalogue) -> str:
    """As it is stored: one parameter per line, in order of their names, without fields that say nothing."""
    data = catalogue.model_dump(mode="json", exclude_defaults=True, exclude={"parameters", "reserved", "gone"})
    lines = [f" {_text(key)}: {_text(data[key])}" for key in sorted(data)]
    for name in ("gone", "reserved", "parameters"):
        entries = [entry.model_dump(mode="json", exclude_defaults=True) for entry in getattr(catalogue, name)]
        if entries:
            rows = ",\n".join(f"  {_text(entry)}" for entry in entries)
            lines.append(f" {_text(name)}: [\n{rows}\n ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _text(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _is_of(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith(f"{wanted}.")


@cache
def _read_shipped(engine: str, version: str) -> Catalogue:
    return _read(files(__package__) / file_name(engine, version))


def _read(place: Traversable) -> Catalogue:
    try:
        return Catalogue.model_validate_json(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AutotunerError(
            ErrorCode.STORAGE,
            f"the catalogue {place.name} cannot be read",
            why=str(error).splitlines()[0],
            remedy="Learn it again with `autotuner engine learn`, or remove the file",
            place=str(place),
        ) from error

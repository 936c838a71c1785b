"""What is known of an engine beyond its parser: what is worth tuning, what is dangerous, units, flags that went.

One TOML file per engine in ``knowledge``. Flags are named as the engine's command line has them; what a file names and
a version does not have is passed over, so one file serves all versions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from autotuner.contracts.engine import CatalogueParameter, GoneFlag
from autotuner.contracts.values import Frozen, Scalar


class ParserPlaces(Frozen):
    """Where an installed engine keeps its parser; the first that is there counts."""

    parsers: tuple[str, ...] = Field(description="module:attribute of functions that add options to a parser")
    classes: tuple[str, ...] = Field((), description="module:attribute of parser classes; else argparse's own")
    distributions: tuple[str, ...] = Field(description="packages that carry the engine's version")
    env: dict[str, str] = Field(default_factory=dict, description="set while the parser is asked")


class Danger(Frozen):
    """Flags that load code, open the network or read files."""

    does: str = Field(description="what the flag does, as the end of a sentence that begins with it")
    flags: tuple[str, ...] = Field(description="flags one by one, or patterns with *")


class Knowledge(Frozen):
    """The file of one engine."""

    programs: tuple[tuple[str, ...], ...] = ()
    positionals: tuple[str, ...] = ()
    dotted_json: bool = False
    parser: ParserPlaces | None = None
    dangers: tuple[Danger, ...] = Field((), description="the first that names a flag counts")
    harmless: tuple[str, ...] = Field((), description="flags that a pattern of dangers fits by chance")
    tuned: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict, description="flag → values worth trying")
    units: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="unit → flags")
    names: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="flag → other names of the parameter")
    values: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict, description="flag → values its parser has not")
    lossy: tuple[str, ...] = Field((), description="flags whose values may make answers worse")
    without_restart: tuple[str, ...] = ()
    deprecated: dict[str, str] = Field(default_factory=dict, description="flag → what to use instead")
    gone: tuple[GoneFlag, ...] = ()


@cache
def knowledge(engine: str) -> Knowledge:
    """What is known of an engine; empty for one without a file."""
    place = files(__package__) / "knowledge" / f"{engine}.toml"
    if not place.is_file():
        return Knowledge()
    data: Any = tomllib.loads(place.read_text(encoding="utf-8"))
    return Knowledge.model_validate(data)


def marked(known: Knowledge, parameters: Iterable[CatalogueParameter]) -> tuple[CatalogueParameter, ...]:
    """The parameters with what is known of them."""
    units = {flag: unit for unit, flags in known.units.items() for flag in flags}
    return tuple(_marked(known, units, entry) for entry in parameters)


def _marked(known: Knowledge, units: Mapping[str, str], entry: CatalogueParameter) -> CatalogueParameter:
    spelling = entry.flag or entry.key
    does, rule = _danger(known, entry)
    update: dict[str, Any] = {
        "danger": does,
        "danger_rule": rule,
        "commonly_tuned": tuple(value for value in known.tuned.get(spelling, ()) if _takes(entry, value)),
        "unit": units.get(spelling, entry.unit),
        "aliases": known.names.get(spelling, entry.aliases),
        "lossy": entry.lossy or spelling in known.lossy,
        "restart_needed": spelling not in known.without_restart,
        "deprecated": known.deprecated.get(spelling, entry.deprecated),
    }
    if spelling in known.values and not entry.choices:
        update["choices"] = known.values[spelling]
        update["type"] = "choice" if entry.type == "str" else entry.type
    return entry.model_copy(update=update)


def _danger(known: Knowledge, entry: CatalogueParameter) -> tuple[str, str]:
    spellings = [flag for flag in (entry.flag, *entry.flags, entry.key) if flag]
    if any(flag in known.harmless for flag in spellings):
        return "", ""
    for danger in known.dangers:
        for pattern in danger.flags:
            if any(fnmatchcase(flag, pattern) for flag in spellings):
                return danger.does, pattern if "*" in pattern else "list"
    return "", ""


def _takes(entry: CatalogueParameter, value: Scalar) -> bool:
    """Whether a value worth trying is one of this version's."""
    return entry.type != "choice" or value in entry.choices

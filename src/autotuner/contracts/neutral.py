"""Neutral settings: what a person asks for whatever the engine, and the table in which an engine says how it writes it.

A searched neutral field is a parameter of its own, ``__<block>__<field>`` (``__parallel__tp``). It stays in the stored
parameters of an experiment and becomes engine parameters just before launch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from enum import Enum
from types import MappingProxyType

from autotuner.contracts.engine import CatalogueParameter, PlanContext
from autotuner.contracts.values import Scalar

PRESET = "preset"
"""Field that holds the name of a block's preset."""

Fields = Mapping[str, Scalar]
"""Neutral fields by name, and what is known of model and GPU (names with a point) beside them."""


class Own(Enum):
    """Stands for the field's own value in what a row sets."""

    VALUE = "value"


VALUE = Own.VALUE

Computed = Callable[[Fields, PlanContext], Scalar]
"""Makes an engine's value of a field's. ValueError with the sentence when it cannot."""


@dataclass(frozen=True)
class Row:
    """How an engine writes a neutral field. Of the rows of a field the first that fits counts."""

    field: str
    sets: Mapping[str, Scalar | Own | Computed] = made(default_factory=dict)
    """Flag (or key of its configuration file) → value. A row fits only if the catalogue has them all."""
    values: tuple[Scalar, ...] = ()
    """Of the field; empty: any."""
    when: Mapping[str, tuple[Scalar, ...]] = made(default_factory=dict)
    """What other fields and facts must be; None stands for not given or not known."""
    error: str = ""
    """Why the engine cannot do it; such a row sets nothing. Field and value are put in front."""
    note: str = ""
    """What a reader of the plan must know; ``{method}`` stands for how the checkpoint is quantised."""
    own_sense: str = ""
    """Why a value that was meant for another engine is not taken over; empty: it is. ``field`` is put in front."""


@dataclass(frozen=True)
class Preset:
    """A named group of values of one block."""

    fields: Mapping[str, Scalar]
    excluded: str = ""
    """Why it is not run, whatever else is asked; empty: it may be."""


@dataclass(frozen=True)
class Block:
    """Neutral fields that belong together."""

    prefix: str
    """Of the parameters' names."""
    place: str
    """Key of the document."""
    fields: tuple[CatalogueParameter, ...]
    """Names, types and values that are allowed, whatever the engine makes of them."""
    presets: Mapping[str, Preset] = made(default_factory=dict)
    default_preset: str | None = None
    """The one that changes nothing."""
    joint: bool = True
    """Whether a searched field is always a parameter of its own; else only where it is not one of the engine's."""

    def key(self, name: str) -> str:
        """The parameter's name of a field."""
        return neutral_key(self.prefix, name)


@dataclass(frozen=True)
class NeutralTable:
    """What an engine makes of neutral settings. Empty: nothing can be said neutrally of it."""

    blocks: tuple[Block, ...] = ()
    rows: tuple[Row, ...] = ()
    facts: Callable[[PlanContext], Fields] = made(default=lambda context: MappingProxyType({}))
    """What rows may ask of model and GPU, by names with a point."""


def neutral_key(prefix: str, name: str) -> str:
    """``__parallel__tp``."""
    return f"__{prefix}__{name}"


def split_key(key: str) -> tuple[str, str] | None:
    """Block and field of such a name; None for another one."""
    if not key.startswith("__"):
        return None
    prefix, found, name = key[2:].partition("__")
    return (prefix, name) if found and prefix and name else None

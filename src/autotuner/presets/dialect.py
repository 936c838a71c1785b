"""What the names in a preset mean to one engine: its own parameters, or settings that every engine may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autotuner.config.parameters import same_value
from autotuner.config.structured import ADAPTED, GROUPS, NEUTRAL_NAMES, PRESETS_FIELD
from autotuner.contracts.engine import Engine
from autotuner.contracts.neutral import PRESET, VALUE, Row, split_key
from autotuner.contracts.values import Scalar
from autotuner.planning.neutral import Neutral
from autotuner.planning.values import takes
from autotuner.presets.merge import PARAMETERS, Place, by_spelling


@dataclass(frozen=True)
class Said:
    """One setting that every engine may have, with a value."""

    key: str
    """Such as ``__parallel__tp``."""
    value: Scalar

    @property
    def name(self) -> str:
        """Such as ``tp``."""
        found = split_key(self.key)
        return found[1] if found is not None else self.key


class Dialect:
    """The names of one engine in one version."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.neutral = Neutral(engine.neutral, engine.catalogue)
        self._keys = {one.name: block.key(one.name) for block in engine.neutral.blocks for one in block.fields}
        self._rows: dict[str, list[tuple[Row, Any]]] = {}
        for row in engine.neutral.rows:
            if row.error or row.when or len(row.sets) != 1 or row.field not in self._keys:
                continue
            ((flag, sets),) = row.sets.items()
            parameter = engine.catalogue.find(flag)
            if parameter is not None:
                self._rows.setdefault(parameter.name, []).append((row, sets))
        plain = {key: self.neutral.plain(key) for key in self._keys.values()}
        self._plain = {parameter.name: key for key, parameter in plain.items() if parameter is not None}

    def key(self, place: Place) -> str | None:
        """The setting that a key of ``parameters`` or of a structured block stands for; None where it is none, or one
        whose values have other names there (``quantization_config``).
        """
        block, name = place
        if block == PARAMETERS:
            parameter = self.engine.catalogue.find(name)
            return self.neutral.named(name) if parameter is None else self._plain.get(parameter.name)
        group = self.neutral.block(GROUPS.get(block, ""))
        key = None if group is None else group.key(PRESET if name == PRESETS_FIELD else NEUTRAL_NAMES.get(name, name))
        return key if key is not None and self.neutral.known(key) is not None else None

    def identify(self, place: Place) -> str:
        """What ``merge`` asks: places with the same text are one parameter."""
        key = self.key(place)
        if key is not None:
            return key
        parameter = self.engine.catalogue.find(place[1]) if place[0] == PARAMETERS else None
        return by_spelling(place) if parameter is None else parameter.name

    def planned(self, place: Place) -> str:
        """The planner's name of it, under which experiments have its value."""
        block, name = place
        parameter = self.engine.catalogue.find(name) if block == PARAMETERS else None
        if parameter is not None:
            return parameter.name
        adapted = ADAPTED.get(name) if block == "quantization_config" else None
        key = self.key(place) if adapted is None else self._keys.get(adapted[0])
        direct = None if key is None else self.neutral.direct(key)
        return direct.name if direct is not None else key or by_spelling(place)

    def said(self, name: str, value: Scalar) -> Said | None:
        """A flag's value as a setting that every engine may have; None where it is this engine's alone."""
        parameter = self.engine.catalogue.find(name)
        if parameter is None:
            key = self.neutral.named(name)
            return None if key is None else Said(key, value)
        rows = self._rows.get(parameter.name, ())
        for row, sets in rows:
            if sets is VALUE and self._means(row, value):
                return Said(self._keys[row.field], value)
        for row, sets in rows:
            constant = isinstance(sets, str | int | float | bool) and value is not None and same_value(sets, value)
            if constant and len(row.values) == 1:
                return Said(self._keys[row.field], row.values[0])
        return None

    def sense(self, key: str) -> str:
        """Why values of this setting are not taken over from or to this engine; empty: they are."""
        found = split_key(key)
        rows = () if found is None else (row for row in self.engine.neutral.rows if row.field == found[1])
        return next((row.own_sense for row in rows if row.own_sense), "")

    def _means(self, row: Row, value: Scalar) -> bool:
        known = self.neutral.known(self._keys[row.field])
        if known is None:
            return False
        if value is None:
            return not row.values
        if row.values and not any(same_value(value, one) for one in row.values):
            return False
        return takes(known, value)

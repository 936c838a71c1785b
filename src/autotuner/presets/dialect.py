"""What the names in a preset mean to one engine: its own parameters, or settings that every engine may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autotuner.config.block import Block
from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, parse_spec, same_value
from autotuner.config.structured import (
    ADAPTED,
    AGREEING,
    GROUPS,
    NEUTRAL_NAMES,
    AdvancedTuningConfig,
    MemoryConfig,
    ParallelConfig,
    QuantConfig,
    SchedulingConfig,
)
from autotuner.contracts.engine import Catalogue, CatalogueParameter, PlanContext
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.neutral import PRESET, VALUE, NeutralTable, Row, split_key
from autotuner.contracts.values import Scalar
from autotuner.planning.neutral import Neutral
from autotuner.planning.values import described, takes
from autotuner.presets.merge import PARAMETERS, Place, by_spelling



_BLOCKS: dict[str, type[Block]] = {
    "parallel_config": ParallelConfig,
    "quant_config": QuantConfig,
    "memory_config": MemoryConfig,
    "scheduling_config": SchedulingConfig,
    "advanced_tuning_config": AdvancedTuningConfig,
}

_FIELDS: dict[tuple[str, str], Place] = {
    (GROUPS[block], NEUTRAL_NAMES.get(name, name)): (block, name)
    for block, kind in reversed(_BLOCKS.items())
    for name in reversed(kind.model_fields)
    if name != "presets"
}
"""Group and neutral name of a setting → the field that says it; of two fields the first."""


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

    def __init__(self, engine: str, catalogue: Catalogue, table: NeutralTable) -> None:
        self.engine = engine
        self.catalogue = catalogue
        self.neutral = Neutral(table, catalogue)
        self._keys = {one.name: block.key(one.name) for block in table.blocks for one in block.fields}
        self._rows: dict[str, list[tuple[Row, Any]]] = {}
        for row in table.rows:
            if row.error or row.when or len(row.sets) != 1 or row.field not in self._keys:
                continue
            ((flag, sets),) = row.sets.items()
            parameter = catalogue.find(flag)
            if parameter is not None:
                self._rows.setdefault(parameter.name, []).append((row, sets))
        plain = {key: self.neutral.plain(key) for key in self._keys.values()}
        self._plain = {parameter.name: key for key, parameter in plain.items() if parameter is not None}

    def key(self, place: Place) -> str | None:
        """The setting that a key of ``parameters`` or of a structured block stands for; None: it is of this engine only,
        or unknown.
        """
        block, name = place
        if block == PARAMETERS:
            parameter = self.catalogue.find(name)
            return self.neutral.named(name) if parameter is None else self._plain.get(parameter.name)
        if block == "quantization_config":
            name = ADAPTED[name][0] if name in ADAPTED else "gemm_dtype" if name in AGREEING else ""
            return self._keys.get(name)
        if block in GROUPS:
            found = self.neutral.block(GROUPS[block])
            key = None if found is None else found.key(NEUTRAL_NAMES.get(name, name if name != "presets" else PRESET))
            return key if key is not None and self.neutral.known(key) is not None else None
        return None

    def identify(self, place: Place) -> str:
        """What ``merge`` asks: places with the same text are one parameter."""
        # Its fields may be called otherwise and have other values, so they are told apart.
        key = None if place[0] == "quantization_config" else self.key(place)
        if key is not None:
            return key
        parameter = self.catalogue.find(place[1]) if place[0] == PARAMETERS else None
        return by_spelling(place) if parameter is None else parameter.name

    def planned(self, place: Place) -> str:
        """The planner's name of it, under which experiments have its value."""
        block, name = place
        parameter = self.catalogue.find(name) if block == PARAMETERS else None
        if parameter is not None:
            return parameter.name
        key = self.key(place)
        direct = None if key is None else self.neutral.direct(key)
        return direct.name if direct is not None else key or by_spelling(place)

    def said(self, name: str, value: Scalar) -> Said | None:
        """A flag's value as a setting that every engine may have; None where it is this engine's alone."""
        parameter = self.catalogue.find(name)
        if parameter is None:
            key = self.neutral.named(name)
            return None if key is None else Said(key, value)
        rows = self._rows.get(parameter.name, ())
        for row, sets in rows:
            if sets is VALUE and self._means(row, value):
                return Said(self._keys[row.field], value)
        for row, sets in rows:
            if isinstance(sets, str | int | float | bool) and value is not None and same_value(sets, value):
                if len(row.values) == 1:
                    return Said(self._keys[row.field], row.values[0])
        return None

    def refusal(self, said: Said, context: PlanContext) -> str | None:
        """Why this engine cannot take what was meant for another one; None: it can."""
        known = self.neutral.known(said.key)
        if known is None:
            return f"{self.engine} has no setting for {said.name}"
        if said.value is None:
            return None
        if said.name == PRESET:
            return None if self._has_layout(said) else f"{self.engine} has no preset {said.value!r}"
        sense = self.sense(said.key)
        if sense:
            return f"{said.name}: {sense}"
        if not takes(known, said.value):
            return f"{said.name} takes {described(known)}"
        why = self.neutral.refusal(said.key, said.value, context)
        direct = self.neutral.direct(said.key)
        if why is None and direct is not None and not takes(direct, said.value):
            return f"{direct.flag or direct.name} of {self.engine} takes {described(direct)}"
        return why

    def sense(self, key: str) -> str:
        """Why values of this setting are not taken over from or to this engine; empty: they are."""
        found = split_key(key)
        rows = () if found is None else (row for row in self.neutral.table.rows if row.field == found[1])
        return next((row.own_sense for row in rows if row.own_sense), "")

    def document_field(self, key: str) -> Place | None:
        """Block and field of a document that say a setting; None where there is none."""
        found = split_key(key)
        return None if found is None else _FIELDS.get(found)

    def same_flag(self, parameter: CatalogueParameter) -> CatalogueParameter | None:
        """The parameter of this engine that has the same flag as another engine's; None where it has none."""
        flags = [flag for flag in (parameter.flag, *parameter.flags) if flag]
        return next((found for flag in flags if (found := self.catalogue.by_flag.get(flag)) is not None), None)

    def _means(self, row: Row, value: Scalar) -> bool:
        known = self.neutral.known(self._keys.get(row.field, ""))
        if known is None:
            return False
        if value is None:
            return not row.values
        if row.values and not any(same_value(value, one) for one in row.values):
            return False
        return takes(known, value)

    def _has_layout(self, said: Said) -> bool:
        found = split_key(said.key)
        block = None if found is None else self.neutral.block(found[0])
        return block is not None and said.value in block.presets


def said_in_block(dialect: Dialect, place: Place, value: Any) -> Iterator[Said]:
    """What a field of a structured block says, value by value; of a range its ends."""
    key = dialect.key(place)
    name = place[1]
    renamed: Mapping[str, str] = ADAPTED[name][1] if place[0] == "quantization_config" and name in ADAPTED else {}
    for one in values_of(value):
        if key is not None:
            yield Said(key, renamed.get(one, one) if isinstance(one, str) else one)


def values_of(value: Any) -> list[Scalar]:
    """The values of a field: of a scalar itself, of a range its ends."""
    try:
        spec = parse_spec(value)
    except AutotunerError:
        return []
    match spec:
        case Fixed():
            return [spec.value]
        case Choices():
            return list(spec.values)
        case IntRange() | FloatRange():
            return [spec.low, spec.high]

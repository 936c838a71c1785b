"""A task document in flat form (engine parameters) and in structured form (blocks that hold for every engine).

Only what says exactly the same in the other form is converted; everything else stays where it is. So nothing is lost:
both forms plan the same configurations, and converting back gives the first form again, with the engine's own names of
parameters and one name of each field.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autotuner.config.keys import block_at
from autotuner.config.load import check_part
from autotuner.config.parameters import Fixed, ParameterSpec, dump_spec, parse_spec, same_value
from autotuner.config.problems import DocumentError
from autotuner.config.structured import (
    ADAPTED,
    AGREEING,
    GROUPS,
    NEUTRAL_NAMES,
    PRESETS_FIELD,
    STRUCTURED,
    UNSEARCHED,
    renamed,
)
from autotuner.contracts.engine import Catalogue, CatalogueParameter
from autotuner.contracts.neutral import VALUE, Row, split_key
from autotuner.contracts.values import Scalar
from autotuner.planning.neutral import Neutral
from autotuner.planning.values import standing_for, takes

Form = Literal["flat", "structured"]
FLAT: Form = "flat"
STRUCTURED_FORM: Form = "structured"

QUANTIZATION = "quantization_config"


@dataclass(frozen=True)
class Converted:
    """A document in another form."""

    data: dict[str, Any]
    stays: tuple[str, ...]
    """Key paths that have no counterpart in that form."""


def to_structured(data: Mapping[str, Any], neutral: Neutral, catalogue: Catalogue) -> Converted:
    """The document with those of its ``parameters`` as fields of blocks that a field says.

    ``data``: sound keys and values, as ``config.load.check_part`` takes them. Null counts as not given in blocks.
    """
    forms = _Forms(neutral, catalogue)
    made = _copied(data)
    parameters = dict(made.pop("parameters", {}))
    left: dict[str, Any] = {}
    moved: dict[str, str] = {}
    for spelling, value in parameters.items():
        found = forms.field_of(spelling, parse_spec(value))
        if found is None or forms.said(found, made):
            left[spelling] = value
            continue
        block, field, _ = found
        made.setdefault(block, {})[field] = value
        moved[f"parameters.{spelling}"] = f"{block}.{field}"
    if left:
        made["parameters"] = left
    _mark(made, STRUCTURED_FORM)
    _move_origins(made, moved)
    return Converted(made, tuple(f"parameters.{spelling}" for spelling in left))


def to_flat(data: Mapping[str, Any], neutral: Neutral, catalogue: Catalogue) -> Converted:
    """The document with the fields of its blocks as ``parameters``: the engine's own where it has one that takes the
    values as they are, else neutral ones. Named presets stay, as nothing else says them.
    """
    forms = _Forms(neutral, catalogue)
    made = _copied(data)
    parameters = dict(made.pop("parameters", {}))
    meant = {name for spelling in parameters if (name := forms.meaning(spelling)) is not None}
    stays: list[str] = []
    moved: dict[str, str] = {}
    for block in STRUCTURED:
        fields = dict(made.pop(block, {}))
        beside = {**fields, **(data.get("quant_config") or {})} if block == QUANTIZATION else fields
        left: dict[str, Any] = {}
        for field, value in fields.items():
            found = forms.parameter_of(block, field, value, beside)
            if found is None or forms.meaning(found[0]) in meant:
                left[field] = value
            elif found[0]:
                parameters[found[0]] = found[1]
                moved[f"{block}.{field}"] = f"parameters.{found[0]}"
                meant |= {name for name in (forms.meaning(found[0]),) if name is not None}
        if left:
            made[block] = left
            stays += [f"{block}.{field}" for field in left]
    if parameters:
        made["parameters"] = parameters
    _mark(made, FLAT)
    _move_origins(made, moved)
    return Converted(made, tuple(stays))


def _copied(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without what null says is not given."""
    made = {key: copy.deepcopy(value) for key, value in data.items() if value is not None}
    for block in STRUCTURED:
        if block in made:
            made[block] = {field: value for field, value in made[block].items() if value is not None}
            if not made[block]:
                del made[block]
    return made


def _mark(data: dict[str, Any], form: Form) -> None:
    """Say the form where it was said before, or where it is not the usual one."""
    metadata = dict(data.get("metadata") or {})
    if form == STRUCTURED_FORM:
        metadata["config_format"] = form
    elif metadata.get("config_format") is not None:
        del metadata["config_format"]
    data.pop("metadata", None)
    if metadata:
        data["metadata"] = metadata


def _move_origins(data: dict[str, Any], moved: Mapping[str, str]) -> None:
    """The record of a document's layers names values by their place."""
    record = data.get("assembled")
    if record is not None and record.get("origins"):
        data["assembled"] = {
            **record,
            "origins": {moved.get(place, place): layer for place, layer in record["origins"].items()},
        }


class _Forms:
    """Which parameter and which field are one, on an engine."""

    def __init__(self, neutral: Neutral, catalogue: Catalogue) -> None:
        self._neutral = neutral
        self._catalogue = catalogue
        self._rows: dict[str, list[Row]] = {}
        for row in neutral.table.rows:
            self._rows.setdefault(row.field, []).append(row)

    def meaning(self, spelling: str) -> str | None:
        """What a key of ``parameters`` is to the planner; None for an unknown one."""
        known = self._catalogue.find(spelling)
        return known.name if known is not None else self._neutral.named(spelling)

    def field_of(self, spelling: str, spec: ParameterSpec) -> tuple[str, str, str] | None:
        """Block, field and neutral name that say the same as a parameter; None for none."""
        if spec == Fixed(value=None):  # in a block that would be not given
            return None
        known = self._catalogue.find(spelling)
        keys = self._neutral.named(spelling) if known is None else next(self._written(known, spec), None)
        found = None if keys is None else _document_field(keys)
        if keys is None or found is None:
            return None
        try:
            check_part({found[0]: {found[1]: dump_spec(spec)}})
        except DocumentError:
            return None
        return (*found, keys)

    def said(self, found: tuple[str, str, str], data: Mapping[str, Any]) -> bool:
        """Whether the document's blocks say something of that setting already."""
        prefix, name = split_key(found[2]) or ("", "")
        for block, group in GROUPS.items():
            for field in data.get(block, {}):
                if group == prefix and NEUTRAL_NAMES.get(field, field) in (name, PRESETS_FIELD):
                    return True
        adapters = [field for field, (adapted, _) in ADAPTED.items() if adapted == name]
        return prefix == "quant" and any(field in data.get(QUANTIZATION, {}) for field in adapters)

    def parameter_of(
        self, block: str, field: str, value: object, beside: Mapping[str, object]
    ) -> tuple[str, object] | None:
        """Name and value of the parameter that says the same as a field; None for none.

        ``beside``: the fields beside it. A flag would beat the presets among them, so such a field stays. An empty
        name: it repeats what another field says.
        """
        spec = parse_spec(value) if field != PRESETS_FIELD else Fixed(value=None)
        if field == PRESETS_FIELD or field in UNSEARCHED or PRESETS_FIELD in beside:
            return None
        if block == QUANTIZATION:
            if field in AGREEING:
                repeats = "gemm_quant_mode" in beside and parse_spec(beside["gemm_quant_mode"]) == spec
                return ("", value) if repeats else None
            name, others = ADAPTED[field]
            group, spec = "quant", renamed(spec, others)
        else:
            group, name = GROUPS[block], NEUTRAL_NAMES.get(field, field)
        known_block = self._neutral.block(group)
        key = "" if known_block is None else known_block.key(name)
        setting = self._neutral.known(key)
        if setting is None:
            return None
        own = self._own(key, setting, spec)
        if own is not None:
            return own.name, dump_spec(spec)
        shadowed = self._catalogue.find(name) is not None or self._neutral.named(name) != key
        return None if shadowed else (name, dump_spec(spec))

    def _own(self, key: str, setting: CatalogueParameter, spec: ParameterSpec) -> CatalogueParameter | None:
        """The engine's parameter that takes every value of a neutral setting as it is, whatever else holds."""
        name = (split_key(key) or ("", ""))[1]
        found: set[str] = set()
        for value in standing_for(setting, spec):
            row = self._always(name, value)
            if row is None:
                return None
            found.add(row)
        known = self._catalogue.find(found.pop()) if len(found) == 1 else None
        if known is None or not all(v is None or takes(known, v) for v in standing_for(known, spec)):
            return None
        # Both ways: the parameter alone must lead back to the setting.
        return known if next(self._written(known, spec), None) == key else None

    def _written(self, known: CatalogueParameter, spec: ParameterSpec) -> Iterator[str]:
        """Neutral settings that become this parameter for every value, and take all of them."""
        for block in self._neutral.table.blocks:
            for setting in block.fields:
                values = list(standing_for(known, spec))
                flags = [self._always(setting.name, value) for value in values]
                same = all(flag is not None and self._catalogue.find(flag) == known for flag in flags)
                if same and all(value is None or takes(setting, value) for value in values):
                    yield block.key(setting.name)

    def _always(self, name: str, value: Scalar) -> str | None:
        """The flag that takes a value as it is in any case; None where that hangs on something."""
        for row in self._rows.get(name, ()):
            if row.values and value is not None and not any(same_value(value, one) for one in row.values):
                continue
            plain = not row.when and not row.error and not row.note and list(row.sets.values()) == [VALUE]
            return next(iter(row.sets)) if plain else None
        return None


def _document_field(key: str) -> tuple[str, str] | None:
    """Block and field of a document that give a neutral setting; None for none."""
    prefix, name = split_key(key) or ("", "")
    for place, group in GROUPS.items():
        block = block_at((place,)) if group == prefix else None
        for field in block.model_fields if block is not None else ():
            if NEUTRAL_NAMES.get(field, field) == name and field != PRESETS_FIELD:
                return place, field
    return None

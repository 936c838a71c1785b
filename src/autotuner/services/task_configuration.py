"""The document of a task by sections: each value with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

from autotuner.config.assembled import AppliedLayer
from autotuner.config.document import TaskDocument
from autotuner.config.keys import block_at
from autotuner.config.layers import DOCUMENT, values_by_place
from autotuner.config.load import to_data, validate
from autotuner.contracts.store import TaskRecord
from autotuner.contracts.values import Frozen, canonical_json
from autotuner.presets.layering import LAYER
from autotuner.services.report.json_export import finite

DEFAULT = "default"

Section = Literal[
    "basic",
    "model",
    "runtime",
    "parameters",
    "optimization",
    "benchmark",
    "quantization",
    "parallel",
    "slo",
    "quality",
    "metadata",
]

SECTIONS: Mapping[Section, tuple[str, ...]] = {
    "basic": ("task_name", "description", "base_runtime", "deployment_mode", "labels"),
    "model": ("model",),
    "runtime": ("runtime", "simulation", "deployment"),
    "parameters": ("parameters", "memory_config", "scheduling_config", "advanced_tuning_config"),
    "optimization": ("optimization",),
    "benchmark": ("benchmark",),
    "quantization": ("quant_config", "quantization_config"),
    "parallel": ("parallel_config", "system_config"),
    "slo": ("slo",),
    "quality": ("quality",),
    "metadata": ("metadata",),
}
"""Keys of a document by section. ``profiles``, ``presets`` and their merging were carried out, and stand as layers."""


class PresetThen(Frozen):
    """A stored preset, as it was when a document was put together."""

    slug: str = Field(description="its slug at that time")
    number: int | None = Field(None, description="number of the stored preset; null: not known")
    revision: int | None = Field(None, description="its revision at that time; null: not known")


class ConfiguredValue(Frozen):
    """A value of the document."""

    place: str = Field(description="key path, such as optimization.max_iterations")
    value: Any = Field(description="as the document has it: a value, or what is searched")
    layer: str = Field(
        description="what gave it: the document, a layer that was merged below it (such as profile:balanced:"
        "balanced-params or preset:balanced), or default: it is the field's own default, said or not"
    )
    presets: tuple[PresetThen, ...] = Field((), description="of a layer of presets: those that it was merged from")
    description: str = Field("", description="what the field is, with its unit; empty: its key is free")


class ConfigurationSection(Frozen):
    """The values of a part of the document."""

    name: Section = Field(description="which part")
    values: tuple[ConfiguredValue, ...] = Field(description="in the order of the document")


class TaskConfiguration(Frozen):
    """What a task's document says, and where each value comes from."""

    sections: tuple[ConfigurationSection, ...] = Field(description="those that say something")
    layers: tuple[str, ...] = Field(description="what was merged, the weakest first; empty: the document alone")
    notes: tuple[str, ...] = Field(description="what was left out of the layers, and why")


def task_configuration(task: TaskRecord) -> TaskConfiguration:
    """The sections of a task's document. AutotunerError as ``config.load.validate`` for one that cannot be read."""
    document = validate(task.document, name=task.name).model_copy(update={"task_name": task.name})
    record = document.assembled
    applied = {} if record is None else {layer.name: layer for layer in record.layers}
    origins = {} if record is None else record.origins
    found: dict[str, list[ConfiguredValue]] = {}
    for value in _values(document, origins, applied):
        found.setdefault(value.place.partition(".")[0], []).append(value)
    made = {
        name: tuple(value for block in blocks for value in found.get(block, ())) for name, blocks in SECTIONS.items()
    }
    return TaskConfiguration(
        sections=tuple(ConfigurationSection(name=name, values=values) for name, values in made.items() if values),
        layers=tuple(applied),
        notes=() if record is None else record.notes,
    )


def _values(
    document: TaskDocument, origins: Mapping[str, str], applied: Mapping[str, AppliedLayer]
) -> Iterator[ConfiguredValue]:
    for place, value in values_by_place(to_data(document)).items():
        if value == {}:  # an empty block
            continue
        keys = place.split(".")
        block = block_at(keys[:-1])
        field = None if block is None else block.model_fields.get(keys[-1])
        layer = origins.get(place, DEFAULT if field is not None and _is_usual(field, value) else DOCUMENT)
        yield ConfiguredValue(
            place=place,
            value=finite(value),
            layer=layer,
            presets=tuple(_presets(layer, applied)),
            description=(field.description or "") if field is not None else "",
        )


def _presets(layer: str, applied: Mapping[str, AppliedLayer]) -> Iterator[PresetThen]:
    """The presets behind a layer; several that agreed or were merged are one layer, with + between them."""
    if not layer.startswith(LAYER):
        return
    for slug in layer.removeprefix(LAYER).split("+"):
        known = applied.get(LAYER + slug)
        yield PresetThen(
            slug=slug,
            number=None if known is None else known.number,
            revision=None if known is None else known.revision,
        )


def _is_usual(field: FieldInfo, value: object) -> bool:
    """Whether plain data is a field's default."""
    if field.is_required():
        return False
    default = field.get_default(call_default_factory=True)
    return canonical_json(list(default) if isinstance(default, tuple) else default) == canonical_json(value)

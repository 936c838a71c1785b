"""Which layer each parameter of a plan has its value from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from autotuner.config.document import TaskDocument
from autotuner.config.layers import DOCUMENT
from autotuner.config.parameters import Fixed, dump_spec
from autotuner.contracts.engine import Catalogue
from autotuner.contracts.values import MODEL_KEY, Configuration, Scalar, canonical_json
from autotuner.planning.dimensions import AnyDimension
from autotuner.planning.parameters import Given
from autotuner.planning.plan import Provenance
from autotuner.planning.resolve import ENV_PREFIX, ModelFile, Resolver

ENGINE_DEFAULT, DERIVED = "engine default", "derived"
"""Layers below all of a document's own, and of what follows from other settings."""

LOOKED_AT = 64
"""Values of a neutral setting that are expanded to see what they become."""


def provenance(
    document: TaskDocument,
    given: Mapping[str, Given],
    dimensions: Sequence[AnyDimension],
    catalogue: Catalogue,
    models: Sequence[ModelFile],
    resolver: Resolver,
) -> dict[str, Provenance]:
    """Every parameter once: what the document and its layers give, what follows from it, the engine's defaults."""
    origins = document.assembled.origins if document.assembled is not None else {}
    searched = {dimension.name for dimension in dimensions}
    shown: dict[str, Provenance] = {}
    if MODEL_KEY in searched:
        shown[MODEL_KEY] = Provenance(
            [model.name for model in models], origins.get("model.id_or_path", DOCUMENT), searched=True
        )
    for name, parameter in given.items():
        layer = origins.get(parameter.place, DOCUMENT)
        shown[name] = Provenance(dump_spec(parameter.spec), layer, searched=name in searched)
    for variable, spec in document.runtime.env.items():
        name = ENV_PREFIX + variable
        layer = origins.get(f"runtime.env.{variable}", DOCUMENT)
        shown[name] = Provenance(dump_spec(spec), layer, searched=name in searched)
    for name, entry in _derived(given, dimensions, resolver).items():
        shown.setdefault(name, entry)
    for known in catalogue.parameters:
        if known.name not in shown:
            shown[known.name] = Provenance(known.default, ENGINE_DEFAULT)
    return shown


def _derived(
    given: Mapping[str, Given], dimensions: Sequence[AnyDimension], resolver: Resolver
) -> dict[str, Provenance]:
    """Engine parameters that neutral settings become, with the values that they get from them."""
    values: dict[str, dict[str, Scalar]] = {}
    sources: dict[str, list[str]] = {}
    for configuration in looked_at(given, dimensions):
        expansion = resolver.expansion(configuration)
        for name, value in expansion.parameters.items():
            values.setdefault(name, {})[canonical_json(value)] = value
            places = [given[key].place for key in _behind(expansion.sources[name], given)]
            sources.setdefault(name, []).extend(place for place in places if place not in sources[name])
    return {
        name: Provenance(
            list(found.values()) if len(found) > 1 else next(iter(found.values())),
            DERIVED,
            searched=len(found) > 1,
            source=", ".join(sources[name]),
        )
        for name, found in values.items()
    }


def _behind(key: str, given: Mapping[str, Given]) -> Iterator[str]:
    """The setting itself where the document gives it, and the presets of its block."""
    preset = f"__{key[2:].partition('__')[0]}__preset"
    yield from (name for name in (key, preset) if name in given)


def setting_notes(
    given: Mapping[str, Given], dimensions: Sequence[AnyDimension], resolver: Resolver
) -> tuple[str, ...]:
    """What a reader must know of what the engine makes of neutral settings, each sentence once."""
    noted = [note for configuration in looked_at(given, dimensions) for note in resolver.expansion(configuration).notes]
    return tuple(dict.fromkeys(noted))


def looked_at(given: Mapping[str, Given], dimensions: Sequence[AnyDimension]) -> Iterator[Configuration]:
    """The fixed settings alone, and each value of each searched one beside them."""
    yield {}
    for dimension in dimensions:
        found = given.get(dimension.name)
        if not dimension.name.startswith("__") or found is None or isinstance(found.spec, Fixed):
            continue
        size = dimension.size or 1
        for index in islice(range(size), LOOKED_AT):
            yield {dimension.name: dimension.value(index) if dimension.size else dimension.at(0.0)}

"""A catalogue from an installed engine's own parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autotuner.contracts.engine import Catalogue, CatalogueParameter, CatalogueSource
from autotuner.engines.catalogues.marks import knowledge, marked
from autotuner.engines.catalogues.options import ParserOption, parameters_of
from autotuner.engines.catalogues.shelf import Shelf

PROBE = Path(__file__).with_name("probe.py")
"""Run by the engine's interpreter."""


def learned_catalogue(engine: str, told: dict[str, Any], shelf: Shelf) -> Catalogue:
    """The catalogue of what the probe has written. ValueError for something that is none.

    Value lists that the parser does not have are taken from the catalogue of the same version, where there is one.
    """
    known = knowledge(engine)
    options = [ParserOption.model_validate(option) for option in told["options"]]
    version = told["version"]
    if not isinstance(version, str) or not version:
        raise ValueError("the engine's version is not known")
    version = version.partition("+")[0]
    shipped = next((held for held in shelf.versions(engine) if held.version == version), None)
    before = {} if shipped is None else {entry.flag: entry for entry in shipped.read().parameters}
    parameters = [_with_values(entry, before.get(entry.flag)) for entry in parameters_of(options)]
    positionals = tuple(option.dest for option in options if not option.options)
    return Catalogue(
        engine=engine,
        version=version,
        parameters=marked(known, parameters),
        source=CatalogueSource(kind="parser", name=str(told["parser"])),
        gone=known.gone,
        programs=known.programs,
        positionals=positionals or known.positionals,
        dotted_json=known.dotted_json,
    )


def _with_values(entry: CatalogueParameter, shipped: CatalogueParameter | None) -> CatalogueParameter:
    if shipped is None or entry.choices or not shipped.choices or entry.type not in ("str", "list"):
        return entry
    return entry.model_copy(update={"type": shipped.type, "choices": shipped.choices, "words": shipped.words})

"""The engines and their parameters as lists show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from autotuner.contracts.engine import CatalogueParameter, Runtime
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.engines.registry import ENGINES, engine
from autotuner.services.catalogues import CatalogueSummary, catalogue, summaries
from autotuner.services.settings import Settings

ParameterType = Literal["int", "float", "bool", "choice", "str", "list", "json"]


class EngineSummary(Frozen):
    """An engine, and whether it can be started here."""

    name: str = Field(description="as in base_runtime")
    aliases: tuple[str, ...] = Field((), description="other accepted names")
    parameters: int | None = Field(None, description="how many its command line has; null: it cannot be loaded")
    predicted: bool = Field(False, description="whether its figures are predictions, and no server is started")
    version: str | None = Field(None, description="what would be started here; null: it cannot be started here")
    remedy: str | None = Field(None, description="why it cannot be started here, and what to do; null: it can be")
    catalogues: tuple[CatalogueSummary, ...] = Field((), description="known command lines, the newest version first")


class ParameterQuery(Frozen):
    """Which parameters; all of it must hold."""

    search: str | None = Field(None, description="text in a name, a flag or the meaning; case is ignored")
    type: ParameterType | None = Field(None, description="only parameters of this type")
    commonly_tuned: bool = Field(False, description="only what is commonly tuned")
    dangerous: bool | None = Field(None, description="only what loads code, opens the network or reads files, or not")


class FoundParameters(Frozen):
    """Some parameters of a catalogue."""

    engine: str
    version: str
    parameters: tuple[CatalogueParameter, ...]


def list_engines(settings: Settings) -> list[EngineSummary]:
    """Those that can be tuned, the default first, then those of which only the command line is known."""
    known = summaries(settings)
    return [*(_tunable(name, tuple(known.get(name, ()))) for name in ENGINES.names()), *_only_known(known)]


def _tunable(name: str, catalogues: tuple[CatalogueSummary, ...]) -> EngineSummary:
    try:
        found = engine(name)
    except AutotunerError as error:
        return EngineSummary(name=name, remedy=_remedy(error), catalogues=catalogues)
    version, remedy = None, None
    try:
        version = found.check_runtime(Runtime()).version
    except AutotunerError as error:
        remedy = _remedy(error)
    return EngineSummary(
        name=name,
        aliases=found.aliases,
        parameters=len(found.catalogue.parameters),
        predicted=found.predicted,
        version=version,
        remedy=remedy,
        catalogues=catalogues,
    )


def _only_known(known: dict[str, list[CatalogueSummary]]) -> Iterator[EngineSummary]:
    for name in sorted(known.keys() - set(ENGINES.names())):
        remedy = "only its command line is known: show, diff and check"
        yield EngineSummary(name=name, parameters=known[name][0].flags, remedy=remedy, catalogues=tuple(known[name]))


def _remedy(error: AutotunerError) -> str:
    return f"{error.what}: {error.remedy}"


def find_parameters(name: str, version: str | None, query: ParameterQuery, settings: Settings) -> FoundParameters:
    """The parameters of an engine's version (None: the newest known) that match, in the catalogue's order.

    AutotunerError(NOT_FOUND) for an engine or version that there is not.
    """
    try:
        found = catalogue(name, version, settings)
    except AutotunerError as error:
        if error.code is not ErrorCode.UNKNOWN_NAME:
            raise
        raise AutotunerError(
            ErrorCode.NOT_FOUND, error.what, why=error.why, remedy=error.remedy, place=error.place
        ) from error
    listed = tuple(entry for entry in found.parameters if matches(entry, query))
    return FoundParameters(engine=found.engine, version=found.version, parameters=listed)


def matches(entry: CatalogueParameter, query: ParameterQuery) -> bool:
    """Whether a parameter is looked for."""
    wanted = (query.search or "").lower()
    return (
        (not query.commonly_tuned or bool(entry.commonly_tuned))
        and (query.dangerous is None or entry.dangerous is query.dangerous)
        and (query.type is None or entry.type == query.type)
        and any(wanted in place.lower() for place in (*entry.spellings, entry.help))
    )

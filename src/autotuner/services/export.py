"""A task document to be kept or handed on: with its profiles carried out, in flat or structured form."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.load import check_part, to_data
from autotuner.contracts.engine import Engine
from autotuner.planning.forms import FLAT, Converted, Form, to_flat, to_structured
from autotuner.planning.neutral import Neutral
from autotuner.services.documents import read_data
from autotuner.services.planning import installed_engine_of
from autotuner.services.queries import named_task
from autotuner.services.settings import Settings
from autotuner.services.stored import open_stored


async def exported(source: str, settings: Settings, *, form: Form | None) -> Converted:
    """The document of a file (``-``: standard input) or of a stored task, by its name or number, as plain data.

    A file's document has the keys that it gives; a stored one has the defaults, too. ``form`` None: as it is.
    AutotunerError: MISSING_FILE or NOT_FOUND where there is neither, and what is wrong with the document.
    """
    if await asyncio.to_thread(_is_file, source):
        data: Mapping[str, Any] = await asyncio.to_thread(read_data, source, settings=settings)
    else:
        async with open_stored(settings) as store:
            data = (await named_task(store, source)).document
    return await asyncio.to_thread(converted, data, settings, form)


def _is_file(source: str) -> bool:
    """Whether a file is meant and no stored task: there is one of that name, or the name is that of a file."""
    return source == "-" or source.endswith((".yaml", ".yml", ".json")) or Path(source).is_file()


def converted(data: Mapping[str, Any], settings: Settings, form: Form | None) -> Converted:
    """A document in another form, with the names of its engine. DocumentError for unknown keys and values."""
    document = check_part(dict(data))
    if form is None:
        return Converted(dict(data), ())
    engine, _ = installed_engine_of(document, settings)
    return in_form(data, engine, form)


def in_form(data: Mapping[str, Any], engine: Engine, form: Form) -> Converted:
    """Sound data of a document in another form, with an engine's names."""
    neutral = Neutral(engine.neutral, engine.catalogue)
    change = to_flat if form == FLAT else to_structured
    return change(data, neutral, engine.catalogue)


def flat_parameters(document: TaskDocument, engine: Engine) -> dict[str, Any]:
    """The parameters of a document; where it gives none, those that follow from its structured blocks."""
    given = to_data(document)
    return dict((given if document.parameters else in_form(given, engine, FLAT).data).get("parameters", {}))

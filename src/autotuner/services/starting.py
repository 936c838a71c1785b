"""The document that somebody starts from who has none yet."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field

from autotuner.contracts.engine import Runtime
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import Frozen
from autotuner.engines.registry import DEFAULT_ENGINE, ENGINES, demonstration, engine, engine_for_model
from autotuner.services.documents import quick_data
from autotuner.services.models import GENERATED
from autotuner.services.settings import Settings

MADE_HERE = next(iter(GENERATED))
"""The model of somebody who has none: it is made on first use."""

FIRST_PROFILE = "balanced"
"""For an engine of which no model is at hand here: the profile for a first try."""

LEFT_TO_PROFILES = ("description", "parameters", "optimization", "slo")
"""Keys of the demonstration that give way to profiles; its load is the one that is predicted."""


class Wish(Frozen):
    """What is known already of the task."""

    model: str | None = Field(None, description="name on a model hub, or path; null: one that is at hand, if any is")
    engine: str | None = Field(None, description="inference engine; null: the one for the model, else one that runs")
    profiles: tuple[str, ...] = Field((), description="profiles that say what is searched, in order")


class StartingPoint(Frozen):
    """A task document to go on from."""

    document: dict[str, Any] = Field(description="a task document with what differs from the defaults")
    why: str = Field(description="why this one, whole sentences")


def starting_point(wish: Wish, settings: Settings) -> StartingPoint:
    """A document that can be run here where there is one: a real server with a model that is made on the spot, else
    predictions. With profiles, the document leaves to them what is searched and how.

    May make a model: not to be called by a coroutine. AutotunerError: UNKNOWN_NAME for an engine, and what is wrong
    with a model file.
    """
    name = _engine(wish)
    found = engine(name)
    if found.predicted:
        return _predicted(wish.profiles)
    model = wish.model or (MADE_HERE if name == DEFAULT_ENGINE else None)
    said = (
        f"The model {MADE_HERE} is made here on first use, with random weights: name your own for results that count."
        if model == MADE_HERE
        else "Name the model that is to be served."
        if model is None
        else ""
    )
    if name == DEFAULT_ENGINE and model is not None and not wish.profiles:
        why = "It searches the parameters that matter most, at the highest load at which people still read along."
        return StartingPoint(document=quick_data(model, settings), why=f"{why} {said}".strip())
    profiles = wish.profiles or (FIRST_PROFILE,)
    stem = PurePosixPath(model.rstrip("/")).name.removesuffix(".gguf").replace(":", "-") if model else name
    document = {
        "task_name": "-".join([stem, *profiles]),
        "base_runtime": name,
        "model": {"id_or_path": model},
        "profiles": list(profiles),
    }
    why = f"What is searched, and under which load, is said by {_listed(profiles)}."
    return StartingPoint(document=document, why=f"{why} {said}".strip())


def _predicted(profiles: Sequence[str]) -> StartingPoint:
    """The demonstration. What it predicts holds for its own model, so another one is not put in its place."""
    document = copy.deepcopy(demonstration())
    model = document["model"]["id_or_path"]
    why = f"Its figures are predictions of {model}: no server is started, and it takes seconds."
    if profiles:
        kept = {key: value for key, value in document.items() if key not in LEFT_TO_PROFILES}
        name = "-".join([str(document["task_name"]), *profiles])
        document = {**kept, "task_name": name, "profiles": list(profiles)}
    return StartingPoint(document=document, why=why)


def _engine(wish: Wish) -> str:
    """The engine that is asked for, the one for the model, or the first that can be started here."""
    if wish.engine is not None:
        return ENGINES.resolve(wish.engine)
    if wish.model is not None:
        return engine_for_model(wish.model).name
    try:
        engine(DEFAULT_ENGINE).check_runtime(Runtime())
    except AutotunerError:
        return ENGINES.resolve(str(demonstration()["base_runtime"]))
    return DEFAULT_ENGINE


def _listed(profiles: Sequence[str]) -> str:
    return f"the profile {profiles[0]}" if len(profiles) == 1 else f"the profiles {', '.join(profiles)}"

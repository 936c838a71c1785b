"""Where task documents come from: a file, a model alone, or the demonstration."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.load import apply_sets, check_part, read_mapping, to_data, validate
from autotuner.config.search_checks import AT_THE_LIMIT
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.registry import demonstration, engine_for_model
from autotuner.presets.layering import NO_PRESETS, Chosen
from autotuner.services.from_context import read_request, task_from_context
from autotuner.services.host import host_facts
from autotuner.services.layering import Assembled, Parts, assemble_document
from autotuner.services.models import model_path
from autotuner.services.profiles import open_profiles
from autotuner.services.settings import Settings, load_settings

QUICK_CONCURRENCY = 8
"""Requests in flight of `autotuner quick`: enough to show what batching does, few enough for a small machine."""


_FIXED_LOAD = {
    "num_concurrency": [QUICK_CONCURRENCY],
    "max_time_per_iteration": 5,
    "min_requests": 30,
    "max_window": 60,
}

_SEARCHED_LOAD = {
    "profile": "search",
    "max_time_per_iteration": 2,
    "max_window": 20,
    "load_search": {"highest": 64, "start": QUICK_CONCURRENCY, "probes": 10, "confirm_probes": 7, "tolerance": 0.1},
}
"""Of `autotuner quick`: few short probes and a wide tolerance, so that it takes minutes."""

_SEARCHED_OPTIMIZATION = {"max_iterations": 8, "confirm": {"top_k": 1, "starts": 5}}

_READING = {"ttft": {"p90": {"threshold": 2.0}}, "tpot": {"p90": {"threshold": 0.1}}}
"""What nine of ten who read along get: the first words within two seconds, then ten tokens a second."""


def read_document(
    path: str, *, sets: Sequence[str] = (), profiles: Sequence[str] = (), settings: Settings | None = None
) -> TaskDocument:
    """The task document of a file (``-``: standard input), with ``--set`` changes; its name is the default task name.

    Profiles and stored presets that it names are merged below what it says. ``profiles``: others in place of its own.
    ``settings``: where profiles and presets lie and which engines are known; None: the environment's. Not to be called
    by a coroutine. AutotunerError: MISSING_FILE, everything that ``config.load.parse`` finds wrong, NOT_FOUND for a
    preset, or for a name among ``profiles``, that there is not, and what ``assemble_document`` finds.
    """
    data, name = _read(path, sets)
    made = _assembled(data, name, profiles, settings)
    document = validate(data, name=name) if made is None else made.document
    return _named(document, "task" if path == "-" else Path(path).stem)


def read_data(path: str, *, settings: Settings) -> dict[str, Any]:
    """The keys that a document's file gives, or that its profiles give below it; checked. AutotunerError as above."""
    data, name = _read(path, ())
    made = _assembled(data, name, (), settings)
    if made is not None:
        return {**made.data, "assembled": to_data(made.document)["assembled"]}
    validate(data, name=name)
    return data


def _read(path: str, sets: Sequence[str]) -> tuple[dict[str, Any], str]:
    """What a file says with ``--set`` changes, and what errors call it."""
    name = "standard input" if path == "-" else path
    data = read_mapping(_text(path), name=name)
    return (apply_sets(data, sets, name=name) if sets else data), name


def _text(path: str) -> str:
    if path == "-":
        return sys.stdin.read()
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AutotunerError(
            ErrorCode.INVALID_DOCUMENT,
            "the task document is not text",
            why=f"byte {error.start} is not UTF-8",
            remedy="Give a YAML or JSON file",
            place=path,
        ) from None
    except OSError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            "the task document cannot be read",
            why=(error.strerror or str(error)).lower(),
            remedy="Give the path of a YAML or JSON file; `autotuner quick MODEL` needs none",
            place=path,
        ) from None


def _assembled(data: dict[str, Any], name: str, profiles: Sequence[str], settings: Settings | None) -> Assembled | None:
    """The document put together with profiles and presets; None for one without. Not to be called by a coroutine."""
    if not profiles and not data.get("profiles") and not data.get("presets"):
        return None
    known = settings or load_settings(os.environ)
    book = open_profiles(known)
    for profile in profiles:
        book.profiles.get(profile)
    part = check_part(data, name=name)
    parts = Parts(data, profiles=profiles or part.profiles or (), presets=_chosen(part, known))
    return assemble_document(parts, book, known, name=name)


def _chosen(part: TaskDocument, settings: Settings) -> Chosen:
    """The stored presets that a document names. Not to be called by a coroutine."""
    if not part.presets:
        return NO_PRESETS
    from autotuner.services.preset_merging import chosen_presets  # the store is slow to import

    return asyncio.run(chosen_presets(settings, part.presets, part.merge_strategy))


def quick_document(
    model: str, settings: Settings, *, objective: str | None = None, sets: Sequence[str] = ()
) -> TaskDocument:
    """The task of ``quick_data``, with ``--set`` changes."""
    data = quick_data(model, settings, objective=objective)
    return _whole(apply_sets(data, sets, name="quick"), "quick", settings)


def quick_data(model: str, settings: Settings, *, objective: str | None = None) -> dict[str, Any]:
    """A sensible task for a model: the parameters that its engine commonly tunes, a short mixed load.

    What is sought is the highest goodput at the largest load at which people still read along; with an objective made
    of latencies, that at a fixed load.
    """
    engine = engine_for_model(model)
    facts = engine.read_model(model_path(model, engine, settings))
    searches = objective not in AT_THE_LIMIT
    cores = len(host_facts().cores)
    suggestion = engine.suggest(facts, max(1, cores - 1), QUICK_CONCURRENCY)
    return {
        "task_name": f"quick-{_stem(model)}",
        "description": suggestion.reason,
        "base_runtime": engine.name,
        "model": {"id_or_path": model},
        "parameters": {k: list(v) if isinstance(v, tuple | list) else v for k, v in suggestion.parameters.items()},
        "optimization": {
            "objective": objective or "maximize_goodput",
            **(_SEARCHED_OPTIMIZATION if searches else {"max_iterations": 12, "confirm": {"starts": 5}}),
        },
        "benchmark": {
            "traffic_scenarios": ["0.75*D(64,32)+0.25*D(256,32)"],
            **(_SEARCHED_LOAD if searches else _FIXED_LOAD),
        },
        **({"slo": _READING} if searches else {}),
    }


def profile_document(
    model: str,
    profiles: Sequence[str],
    settings: Settings,
    *,
    objective: str | None = None,
    sets: Sequence[str] = (),
) -> TaskDocument:
    """The task of a model with profiles, on this machine. AutotunerError: NOT_FOUND for an unknown profile, and what
    ``task_from_context`` finds wrong.
    """
    book = open_profiles(settings)
    for profile in profiles:
        book.profiles.get(profile)
    overrides = apply_sets({}, sets, name="quick")
    requests = check_part({key: overrides.pop(key) for key in ("presets", "merge_strategy") if key in overrides})
    asked = {
        "task_name": "-".join(["quick", _stem(model), *dict.fromkeys(profiles)]),
        "model_name": model,
        "profiles": list(profiles),
        "optimization_objective": objective,
        "user_overrides": overrides,
    }
    presets = _chosen(requests, settings)
    return task_from_context(read_request(asked), book, settings, presets=presets, mode="local").document


def demo_document(*, sets: Sequence[str] = (), settings: Settings | None = None) -> TaskDocument:
    """The demonstration: a search over predicted figures of a large model on GPUs; nothing is started."""
    return _whole(apply_sets(demonstration(), sets, name="demo"), "demo", settings)


def _whole(data: dict[str, Any], name: str, settings: Settings | None) -> TaskDocument:
    made = _assembled(data, name, (), settings)
    return validate(data, name=name) if made is None else made.document


def _stem(model: str) -> str:
    return Path(model).stem.replace(":", "-")


def _named(document: TaskDocument, name: str) -> TaskDocument:
    return document if document.task_name else document.model_copy(update={"task_name": name})

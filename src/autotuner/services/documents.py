"""Where task documents come from: a file, a model alone, or the demonstration."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.load import apply_sets, parse, validate
from autotuner.config.search_checks import AT_THE_LIMIT
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.registry import demonstration, engine_for_model
from autotuner.services.host import host_facts
from autotuner.services.models import model_path
from autotuner.services.settings import Settings

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


def read_document(path: str, *, sets: Sequence[str] = ()) -> TaskDocument:
    """The task document of a file (``-``: standard input), with ``--set`` changes; its name is the default task name.

    AutotunerError: MISSING_FILE, and everything that ``config.load.parse`` finds wrong.
    """
    if path == "-":
        return _named(parse(sys.stdin.read(), name="standard input", sets=sets), "task")
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
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
    return _named(parse(text, name=path, sets=sets), file.stem)


def quick_document(
    model: str, settings: Settings, *, objective: str | None = None, sets: Sequence[str] = ()
) -> TaskDocument:
    """A sensible task for a model: the parameters that its engine commonly tunes, a short mixed load.

    What is sought is the highest goodput at the largest load at which people still read along; with an objective made
    of latencies, that at a fixed load.
    """
    engine = engine_for_model(model)
    facts = engine.read_model(model_path(model, engine, settings))
    searches = objective not in AT_THE_LIMIT
    cores = len(host_facts().cores)
    suggestion = engine.suggest(facts, max(1, cores - 1), QUICK_CONCURRENCY)
    data: dict[str, Any] = {
        "task_name": f"quick-{Path(model).stem.replace(':', '-')}",
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
    return validate(apply_sets(data, sets, name="quick"), name="quick")


def demo_document(*, sets: Sequence[str] = ()) -> TaskDocument:
    """The demonstration: a search over predicted figures of a large model on GPUs; nothing is started."""
    return validate(apply_sets(demonstration(), sets, name="demo"), name="demo")


def _named(document: TaskDocument, name: str) -> TaskDocument:
    return document if document.task_name else document.model_copy(update={"task_name": name})

"""What lists show of a task's document and result, as columns, so that they need not read either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from autotuner.contracts.listing import TaskOutcome


def shown_of_document(document: Mapping[str, Any]) -> dict[str, str | None]:
    """Columns model and objective; several are named one after the other, and what is no name is None."""
    return {
        "model": _words(_inner(document, "model", "id_or_path")),
        "objective": _words(_inner(document, "optimization", "objective")),
    }


def engine_of(document: Mapping[str, Any], identity: Mapping[str, Any]) -> str | None:
    """Column engine: the one that was planned, else the one that the document names."""
    return _words(identity.get("engine") or document.get("base_runtime"))


def best_score(result: Mapping[str, Any] | None) -> float | None:
    """Column best_score: the winner's, in natural units."""
    score = None if result is None else _inner(result, "winner", "score")
    return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def outcome(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Column outcome: a ``TaskOutcome``. None without a result, and for one that is written in another way, such as
    another version's: a list shows the task all the same.
    """
    if result is None:
        return None
    gain = result.get("gain") or {}
    try:
        made = TaskOutcome(
            verdict=result.get("verdict"),
            unit=result["unit"],
            direction=result["direction"],
            predicted=result.get("predicted") or False,
            gain=gain.get("gain"),
            gain_low=gain.get("low"),
            gain_high=gain.get("high"),
            significant=gain.get("significant"),
        )
    except (ValidationError, AttributeError, KeyError):
        return None
    return made.model_dump(mode="json")


def _inner(value: Mapping[str, Any], block: str, key: str) -> object:
    found = value.get(block)
    return found.get(key) if isinstance(found, Mapping) else None


def _words(value: object) -> str | None:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else None

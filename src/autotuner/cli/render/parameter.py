"""An engine's parameter in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autotuner.contracts.engine import CatalogueParameter
    from autotuner.contracts.values import Scalar

LENGTH = 100


def allowed_values(entry: CatalogueParameter) -> str:
    """What it takes: ``f16, q8_0``, ``int from 1 to 256``, ``true, false``."""
    if entry.choices:
        listed = ", ".join(value_text(choice) for choice in entry.choices)
        return f"any of {listed}" if entry.type == "list" else listed
    words = "".join(f", {word}" for word in entry.words)
    if entry.type == "list":
        return f"list of {'text' if entry.items == 'str' else entry.items}{words}"
    if entry.low is None and entry.high is None:
        return {"bool": "true, false", "str": "text", "json": "JSON"}.get(entry.type, entry.type) + words
    low = "…" if entry.low is None else f"{entry.low:g}"
    high = "…" if entry.high is None else f"{entry.high:g}"
    return f"{entry.type} from {low} to {high}{words}"


def default_value(entry: CatalogueParameter) -> str:
    """The engine's own value, as a task document spells it."""
    return "engine's choice" if entry.default is None else value_text(entry.default)


def value_text(value: Scalar) -> str:
    """A value as a task document spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def shortened(text: str, length: int = LENGTH) -> str:
    """The text for a column: cut at a word, with an ellipsis, when it is longer."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0].rstrip(",;") + " …"

"""Which values a parameter of a catalogue takes, and what to say of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, ParameterSpec, same_value
from autotuner.contracts.engine import CatalogueParameter
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar, canonical_json

_WITH_SUFFIX = re.compile(r"\d+(\.\d+)?[kKmMgGtT]")


def check_values(parameter: CatalogueParameter, spec: ParameterSpec, place: str) -> None:
    """AutotunerError(INVALID_VALUE) that names each value of another type or out of range. None is always fine."""
    bad = [value for value in standing_for(parameter, spec) if value is not None and not takes(parameter, value)]
    if bad:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{parameter.name} cannot be {' or '.join(map(canonical_json, bad[:10]))}",
            why=f"it takes {described(parameter)}",
            remedy=f"Correct it, or leave it out: the engine's default is {canonical_json(parameter.default)}",
            place=place,
        )


def standing_for(parameter: CatalogueParameter, spec: ParameterSpec) -> Iterator[Scalar]:
    """Values that stand for all of a spec: if these are fine, all are."""
    match spec:
        case Fixed():
            yield spec.value
        case Choices():
            yield from spec.values
        case IntRange():
            every = range(spec.low, spec.high + 1, spec.step)
            # A range has its extremes at its ends; among choices there may be gaps, but no more values than choices.
            yield from (
                islice(every, len(parameter.choices) + 1) if parameter.type == "choice" else {every[0], every[-1]}
            )
        case FloatRange():
            yield from (spec.low, spec.high) if parameter.type in ("int", "float") else (spec.low,)


def takes(parameter: CatalogueParameter, value: str | int | float | bool) -> bool:
    """Whether the value is one of the parameter's; lists and JSON are given as JSON text."""
    match parameter.type:
        case "bool":
            return isinstance(value, bool)
        case "choice":
            return any(same_value(value, choice) for choice in parameter.choices)
        case "str":
            return isinstance(value, str)
        case "json":
            return isinstance(value, str) and _parsed(value) is not None
        case "list":
            return not isinstance(value, bool) and all(_takes_item(parameter, item) for item in items(parameter, value))
        case "int" | "float":
            if isinstance(value, str):
                return value in parameter.words or (parameter.suffixes and bool(_WITH_SUFFIX.fullmatch(value)))
            number = int if parameter.type == "int" else (int, float)
            return isinstance(value, number) and not isinstance(value, bool) and _within(parameter, float(value))


def items(parameter: CatalogueParameter, value: str | int | float | bool) -> list[str | int | float]:
    """Elements of a list's value: those of a JSON list, else the one that it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        parsed = _parsed(value)
        if parsed is not None and isinstance(parsed[0], list):
            return [item if isinstance(item, str | int | float) else json.dumps(item) for item in parsed[0]]
    return [value]


def described(parameter: CatalogueParameter) -> str:
    """What it takes, in words."""
    if parameter.type == "bool":
        return "true or false"
    if parameter.type == "choice":
        return f"one of {', '.join(map(str, parameter.choices))}"
    if parameter.type == "str":
        return "text"
    if parameter.type == "json":
        return "JSON, as text"
    if parameter.type == "list":
        some = f"any of {', '.join(map(str, parameter.choices))}" if parameter.choices else "one value"
        return f"{some}, or a JSON list of them as text"
    kind = "a whole number, without a point" if parameter.type == "int" else "a number"
    low, high = (None if end is None else repr(int(end) if end == int(end) else end) for end in _ends(parameter))
    if low is not None and high is not None:
        kind = f"{kind} from {low} to {high}"
    elif low is not None or high is not None:
        kind = f"{kind} of at least {low}" if low is not None else f"{kind} of at most {high}"
    return " or ".join((kind, *parameter.words))


def _takes_item(parameter: CatalogueParameter, item: str | int | float) -> bool:
    if item in parameter.words:
        return True
    if parameter.choices:
        return any(same_value(item, choice) for choice in parameter.choices)
    if parameter.items not in ("int", "float"):
        return isinstance(item, str | int | float) and not isinstance(item, bool)
    number = int if parameter.items == "int" else (int, float)
    return isinstance(item, number) and not isinstance(item, bool) and _within(parameter, float(item))


def _parsed(text: str) -> tuple[object] | None:
    """What a JSON text holds, in a tuple of its own since it may be null; None for other text."""
    try:
        return (json.loads(text),)
    except ValueError:
        return None


def _within(parameter: CatalogueParameter, value: float) -> bool:
    low, high = parameter.low, parameter.high
    return (low is None or value >= low) and (high is None or value <= high)


def _ends(parameter: CatalogueParameter) -> tuple[float | None, float | None]:
    return parameter.low, parameter.high

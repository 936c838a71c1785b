"""What a document says of one parameter: a fixed value, choices, or a range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from autotuner.config.problems import nearest, refuse
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen, Scalar


class Fixed(Frozen):
    """One value, not searched. None: left to the engine."""

    value: Scalar = Field(description="the value")


class Choices(Frozen):
    """Values to choose from, in the order given, each once. ``True`` is not 1, ``"8"`` is not 8; ``1.0`` is 1."""

    values: tuple[Scalar, ...] = Field(min_length=1, description="distinct values")


class IntRange(Frozen):
    """Whole numbers low, low + step, … ≤ high."""

    low: int = Field(description="least value")
    high: int = Field(description="greatest value, included")
    step: int = Field(1, ge=1, description="distance of two neighbours")
    log: bool = Field(False, description="equal steps in the logarithm: small values are searched more finely")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if wrong := _range_problem(self.low, self.high, self.log, stepped=self.step != 1):
            raise refuse(*wrong)
        return self


class FloatRange(Frozen):
    """Numbers from low to high: all of them, or low + n × step."""

    low: float = Field(description="least value", allow_inf_nan=False)
    high: float = Field(description="greatest value, included", allow_inf_nan=False)
    step: float | None = Field(None, gt=0, allow_inf_nan=False, description="distance of two neighbours, if stepped")
    log: bool = Field(False, description="equal steps in the logarithm: small values are searched more finely")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if wrong := _range_problem(self.low, self.high, self.log, stepped=self.step is not None):
            raise refuse(*wrong)
        return self


ParameterSpec = Fixed | Choices | IntRange | FloatRange


def _range_problem(low: float, high: float, log: bool, *, stepped: bool) -> tuple[str, str] | None:
    if low > high:
        return f"low {low} is above high {high}", "Swap the two"
    if log and low <= 0:
        return f"a log scale cannot begin at {low}", "Set low above 0, or leave log out"
    if log and stepped:
        return "log and step exclude each other", "Leave one of them out"
    return None


def parse_spec(value: object) -> ParameterSpec:
    """The typed form of ``[values]``, ``{type: …}`` or a scalar. AutotunerError(INVALID_VALUE) for anything else."""
    if isinstance(value, Fixed | Choices | IntRange | FloatRange):
        return value
    if isinstance(value, Mapping):
        return _rich(value)
    if isinstance(value, list | tuple):
        return Choices(values=_distinct(value))
    return Fixed(value=_scalar(value))


def dump_spec(spec: ParameterSpec) -> object:
    """The shortest form that ``parse_spec`` turns into an equal spec."""
    match spec:
        case Fixed(value=value):
            return value
        case Choices(values=values):
            return list(values)
        case IntRange():
            shown: dict[str, object] = {"type": "int", "low": spec.low, "high": spec.high}
            if spec.step != 1:
                shown["step"] = spec.step
        case FloatRange():
            shown = {"type": "float", "low": spec.low, "high": spec.high}
            if spec.step is not None:
                shown["step"] = spec.step
    if spec.log:
        shown["log"] = True
    return shown


def same_value(one: Scalar, other: Scalar) -> bool:
    """Whether two values are one: numbers by size (1 is 1.0), but True is not 1 and text is not a number."""
    return _key(one) == _key(other)


def _key(value: Scalar) -> tuple[str, Scalar]:
    if isinstance(value, bool):
        return "bool", value
    return ("number", value) if isinstance(value, int | float) else ("other", value)


_KINDS = ("choice", "int", "float", "bool")
_RICH_KEYS = ("type", "values", "low", "high", "step", "log")


def _rich(given: Mapping[object, object]) -> ParameterSpec:
    unknown = [key for key in given if key not in _RICH_KEYS]
    if unknown:
        meant = nearest(str(unknown[0]), _RICH_KEYS)
        remedy = f"Write {meant}" if meant else f"Use {', '.join(_RICH_KEYS)}"
        raise _invalid(f"{unknown[0]!r} is not part of a parameter's description", remedy)
    fields = {key: value for key, value in given.items() if value is not None}
    kind = fields.get("type")
    if kind not in _KINDS:
        why = "the type is missing" if kind is None else f"{kind!r} is not a type"
        raise _invalid(why, "Write type: choice, int, float or bool")
    ranged = [key for key in ("low", "high", "step", "log") if key in fields]
    if "values" in fields:
        if ranged:
            raise _invalid(f"values and {ranged[0]} exclude each other", "Give values, or low and high")
        return _typed_choices(str(kind), fields["values"])
    if kind == "bool" and not ranged:
        return Choices(values=(False, True))
    if kind not in ("int", "float"):
        raise _invalid(f"a {kind} needs values", "Write values: [ … ]")
    for key in ("low", "high"):
        if key not in fields:
            raise _invalid(f"{key} is missing", "Give low and high, or values")
    log = fields.get("log", False)
    if not isinstance(log, bool):
        raise _invalid(f"log is {log!r}", "Write log: true or log: false")
    return _int_range(fields, log) if kind == "int" else _float_range(fields, log)


def _int_range(fields: Mapping[object, object], log: bool) -> IntRange:
    low, high, step = (_whole(fields.get(key, 1), key) for key in ("low", "high", "step"))
    if step <= 0:
        raise _invalid(f"the step is {step}", "Set step above 0")
    if wrong := _range_problem(low, high, log, stepped=step != 1):
        raise _invalid(*wrong)
    return IntRange(low=low, high=high, step=step, log=log)


def _float_range(fields: Mapping[object, object], log: bool) -> FloatRange:
    low, high = _number(fields["low"], "low"), _number(fields["high"], "high")
    step = _number(fields["step"], "step") if "step" in fields else None
    if step is not None and step <= 0:
        raise _invalid(f"the step is {step:g}", "Set step above 0")
    if wrong := _range_problem(low, high, log, stepped=step is not None):
        raise _invalid(*wrong)
    return FloatRange(low=low, high=high, step=step, log=log)


def _typed_choices(kind: str, given: object) -> Choices:
    if not isinstance(given, list | tuple):
        raise _invalid("values is not a list", "Write values: [ … ]")
    values = _distinct(given)
    if kind == "int":
        values = tuple(_whole(v, "a value") for v in values)
    elif kind == "float":
        values = tuple(_number(v, "a value") for v in values)
    elif kind == "bool" and not all(isinstance(v, bool) for v in values):
        raise _invalid("not every value is true or false", "Write values: [true, false]")
    return Choices(values=values)


def _distinct(values: Sequence[object]) -> tuple[Scalar, ...]:
    if not values:
        raise _invalid("the list is empty", "Give at least one value, or leave the parameter out")
    first: dict[tuple[str, Scalar], Scalar] = {}
    for value in values:
        scalar = _scalar(value)
        first.setdefault(_key(scalar), scalar)
    return tuple(first.values())


def _scalar(value: object) -> Scalar:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _invalid(f"{value} is not a finite number", "Use a finite number")
        return value
    raise _invalid(f"a {type(value).__name__} is not a value", "Use text, a number, true, false or null")


def _whole(value: object, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(f"{key} is {value!r}, not a whole number", "Write a whole number without quotes")
    return value


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _invalid(f"{key} is {value!r}, not a finite number", "Write a number without quotes")
    return float(value)


def _invalid(why: str, remedy: str) -> AutotunerError:
    return AutotunerError(ErrorCode.INVALID_VALUE, "invalid parameter", why=why, remedy=remedy)


def _validated(value: object) -> ParameterSpec:
    try:
        return parse_spec(value)
    except AutotunerError as error:
        raise refuse(error.why, error.remedy, error.code) from None


_SCALAR_SCHEMA = {"type": ["string", "number", "boolean", "null"]}
_RICH_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type"],
    "properties": {
        "type": {"enum": list(_KINDS), "description": "kind of the values"},
        "values": {"type": "array", "items": _SCALAR_SCHEMA, "minItems": 1, "description": "values to choose from"},
        "low": {"type": "number", "description": "least value"},
        "high": {"type": "number", "description": "greatest value, included"},
        "step": {"type": "number", "exclusiveMinimum": 0, "description": "distance of two neighbours"},
        "log": {"type": "boolean", "description": "search small values more finely"},
    },
}

Spec = Annotated[
    ParameterSpec,
    PlainValidator(_validated),
    PlainSerializer(dump_spec),
    WithJsonSchema(
        {"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA, "minItems": 1}, _RICH_SCHEMA]}
    ),
]
"""A parameter as a field of the document."""

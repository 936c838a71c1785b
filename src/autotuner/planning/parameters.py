"""The document's parameters: named after the engine's catalogue, and their values checked against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from autotuner.config.document import TaskDocument
from autotuner.config.optimization import Reference
from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, ParameterSpec, same_value
from autotuner.contracts.engine import Catalogue, CatalogueParameter, canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import MODEL_KEY, Scalar, canonical_json
from autotuner.planning.resolve import ENV_PREFIX, ModelFile, find_parameter

RESERVED = "__"
"""Names that begin so are the planner's own (model file, environment); no flag has such a name."""


@dataclass(frozen=True)
class Given:
    """A parameter of the document."""

    name: str
    """Canonical name."""
    spelling: str
    """As the document has it."""
    known: CatalogueParameter | None
    """None: the catalogue lacks it, and the document allows that."""
    spec: ParameterSpec

    @property
    def flag(self) -> str:
        """The flag of an unknown one: as written if written with dashes in front, else ``--`` and dashes inside."""
        return self.spelling if self.spelling.startswith("-") else "--" + self.spelling.replace("_", "-")


def read_parameters(document: TaskDocument, catalogue: Catalogue) -> dict[str, Given]:
    """The document's parameters by canonical name.

    AutotunerError: UNKNOWN_PARAMETER, CONTRADICTION (two spellings of one parameter), INVALID_VALUE.
    """
    return _read(document.parameters, catalogue, "parameters", allow_unknown=document.runtime.allow_unknown_flags)


def read_reference(
    document: TaskDocument, number: int, reference: Reference, catalogue: Catalogue, models: tuple[ModelFile, ...]
) -> tuple[dict[str, Given], dict[str, Scalar]]:
    """What a reference sets: engine parameters by canonical name, and the planner's own names with their values.

    Of the latter there are the model file, one of the document's, and the environment variables that the document
    names. AutotunerError as for ``read_parameters``.
    """
    place = f"optimization.references.{number}.parameters"
    own = {name: value for name, value in reference.parameters.items() if name.startswith(RESERVED)}
    for name, value in own.items():
        if name == MODEL_KEY:
            _one_of(f"{place}.{name}", "the model", value, [model.name for model in models])
        elif name.removeprefix(ENV_PREFIX) not in document.runtime.env or not name.startswith(ENV_PREFIX):
            find_parameter(catalogue, name, place=f"{place}.{name}", allow_unknown=False)
    flags: dict[str, ParameterSpec] = {
        name: Fixed(value=value) for name, value in reference.parameters.items() if name not in own
    }
    return _read(flags, catalogue, place, allow_unknown=document.runtime.allow_unknown_flags), own


def _read(
    specs: Mapping[str, ParameterSpec], catalogue: Catalogue, place: str, *, allow_unknown: bool
) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for spelling, spec in specs.items():
        here = f"{place}.{spelling}"
        free = allow_unknown and not canonical(spelling).startswith(RESERVED)
        known = find_parameter(catalogue, spelling, place=here, allow_unknown=free)
        name = known.name if known else canonical(spelling)
        if name in found:
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"{found[name].spelling!r} and {spelling!r} are one parameter",
                why=f"both mean {name}",
                remedy="Keep one of them",
                place=here,
            )
        if known is not None:
            _check(known, spec, here)
        found[name] = Given(name, spelling, known, spec)
    return found


def _one_of(place: str, what: str, value: Scalar, allowed: list[str]) -> None:
    if value not in allowed:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{what} cannot be {canonical_json(value)}",
            why=f"the document names {', '.join(allowed)}",
            remedy="Write one of these names, or add it to model.id_or_path",
            place=place,
        )


# ---- values


def _check(parameter: CatalogueParameter, spec: ParameterSpec, place: str) -> None:
    """AutotunerError(INVALID_VALUE) that names each value of another type or out of range. None is always fine."""
    bad = [value for value in _values(parameter, spec) if value is not None and not _takes(parameter, value)]
    if bad:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"{parameter.name} cannot be {' or '.join(map(canonical_json, bad[:10]))}",
            why=f"it takes {_described(parameter)}",
            remedy=f"Correct it, or leave it out: the engine's default is {canonical_json(parameter.default)}",
            place=place,
        )


def _values(parameter: CatalogueParameter, spec: ParameterSpec) -> Iterator[Scalar]:
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


def _takes(parameter: CatalogueParameter, value: str | int | float | bool) -> bool:
    match parameter.type:
        case "bool":
            return isinstance(value, bool)
        case "choice":
            return any(same_value(value, choice) for choice in parameter.choices)
        case "str" | "list" | "json":
            return isinstance(value, str)
        case "int" | "float":
            if value in parameter.words:
                return True
            number = int if parameter.type == "int" else (int, float)
            return isinstance(value, number) and not isinstance(value, bool) and _within(parameter, float(value))


def _within(parameter: CatalogueParameter, value: float) -> bool:
    low, high = parameter.low, parameter.high
    return (low is None or value >= low) and (high is None or value <= high)


def _described(parameter: CatalogueParameter) -> str:
    if parameter.type == "bool":
        return "true or false"
    if parameter.type == "choice":
        return f"one of {', '.join(map(str, parameter.choices))}"
    if parameter.type in ("str", "list"):
        return "text"
    if parameter.type == "json":
        return "JSON as text"
    kind = "a whole number, without a point" if parameter.type == "int" else "a number"
    low, high = (None if end is None else repr(int(end) if end == int(end) else end) for end in _ends(parameter))
    if low is not None and high is not None:
        return f"{kind} from {low} to {high}"
    return f"{kind} of at least {low}" if low is not None else kind if high is None else f"{kind} of at most {high}"


def _ends(parameter: CatalogueParameter) -> tuple[float | None, float | None]:
    return parameter.low, parameter.high

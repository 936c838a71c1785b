"""Parameters of a catalogue as an argument list and as a configuration file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from autotuner.config.parameters import same_value
from autotuner.contracts.engine import Catalogue, CatalogueParameter
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import Row
from autotuner.contracts.values import Scalar, canonical_json
from autotuner.planning.values import described, items, takes

Value = str | int | float | bool


class CommandLine:
    """Writes the parameters of one catalogue. ``rows``: of several flags of a parameter the one that they name."""

    def __init__(self, catalogue: Catalogue, rows: Iterable[Row]) -> None:
        self._owned = {parameter.name for parameter in catalogue.reserved}
        self._engine = catalogue.engine
        self._place = {parameter.name: number for number, parameter in enumerate(catalogue.parameters)}
        self._parameters = catalogue.parameters
        self._written: dict[str, str] = {}
        for row in rows:
            for flag in row.sets:
                parameter = catalogue.find(flag) if flag.startswith("-") else None
                if parameter is not None:
                    self._written.setdefault(parameter.name, flag)

    def checked(self, parameters: Mapping[str, Scalar]) -> list[tuple[CatalogueParameter, Value]]:
        """The parameters that differ from the engine's defaults, in the catalogue's order.

        AutotunerError: UNKNOWN_PARAMETER, INVALID_VALUE, CONTRADICTION (a reserved one), with the parameter's name as
        place.
        """
        for name, value in parameters.items():
            if name in self._owned and value is not None:
                raise AutotunerError(
                    ErrorCode.CONTRADICTION,
                    f"{name} cannot be set",
                    why="the tuner sets it itself, anew at each start",
                    remedy="leave it out",
                    place=name,
                )
            if name not in self._place and name not in self._owned:
                raise AutotunerError(
                    ErrorCode.UNKNOWN_PARAMETER,
                    f"{name} is no parameter of {self._engine}",
                    why="its catalogue has no such name",
                    remedy="see the engine's parameters for the name that is meant",
                    place=name,
                )
        found: list[tuple[CatalogueParameter, Value]] = []
        for name in sorted(parameters.keys() - self._owned, key=self._place.__getitem__):
            parameter, value = self._parameters[self._place[name]], parameters[name]
            if value is None:
                continue
            if not takes(parameter, value):
                raise AutotunerError(
                    ErrorCode.INVALID_VALUE,
                    f"{parameter.name} cannot be {canonical_json(value)}",
                    why=f"it takes {described(parameter)}",
                    remedy="give one of the allowed values, or leave the parameter out",
                    place=parameter.name,
                )
            if not same_value(value, parameter.default):
                found.append((parameter, value))
        return found

    def flags(self, values: Iterable[tuple[CatalogueParameter, Value]]) -> list[str]:
        """The arguments of those parameters that have a flag."""
        words: list[str] = []
        for parameter, value in values:
            if parameter.flag:
                words += _flag(parameter, self._written.get(parameter.name, parameter.flag), value)
        return words


def file_text(values: Iterable[tuple[CatalogueParameter, Value]]) -> str:
    """The configuration file of those parameters that have no flag; empty when there are none.

    It is JSON, which every reader of YAML reads, too.
    """
    tree: dict[str, object] = {}
    for parameter, value in values:
        if parameter.flag:
            continue
        *outer, last = parameter.key.split(".")
        here = tree
        for key in outer:
            inner = here.setdefault(key, {})
            if not isinstance(inner, dict):
                raise AutotunerError(
                    ErrorCode.CONTRADICTION,
                    f"{parameter.key} and {key} are both set",
                    why="the one is part of the other",
                    remedy="leave one of them out",
                    place=parameter.name,
                )
            here = inner
        here[last] = _plain(parameter, value)
    return json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n" if tree else ""


def _plain(parameter: CatalogueParameter, value: Value) -> object:
    if parameter.type == "json" and isinstance(value, str):
        return json.loads(value)
    return items(parameter, value) if parameter.type == "list" else value


def _flag(parameter: CatalogueParameter, flag: str, value: Value) -> list[str]:
    if parameter.type == "bool":
        if value is True:
            return [flag]
        return [parameter.off_flags[0]] if parameter.off_flags else []
    if parameter.type != "list":
        return _with_value(flag, str(value))
    texts = [str(item) for item in items(parameter, value)]
    if parameter.arity == "repeat":
        return [word for text in texts for word in _with_value(flag, text)]
    if parameter.arity in ("some", "any"):
        return [flag, *texts]
    return _with_value(flag, str(value))


def _with_value(flag: str, text: str) -> list[str]:
    """A value that looks like a flag, or like nothing, stays with its flag."""
    return [f"{flag}={text}"] if not text or (text.startswith("-") and not _is_number(text)) else [flag, text]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

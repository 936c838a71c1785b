"""A table of figures as a prior: what somebody predicted, or measured elsewhere, of some configurations. Pure."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import Prediction
from autotuner.contracts.values import Configuration, Scalar
from autotuner.planning.knowledge import OBJECTIVES

FIGURES = ("throughput", "throughput_per_gpu", "goodput", "ttft", "tpot", "latency")
"""Columns that are figures: tokens/s of a server, tokens/s per GPU, requests/s, and seconds."""
PLACE = "optimization.predictions"
MAX_ROWS = 200_000

Key = tuple[str | float, ...]


class PredictionTable:
    """The rows of a table by parameters. ``parameters``: canonical name of each column that is one."""

    def __init__(self, name: str, parameters: Sequence[str], rows: Mapping[Key, Mapping[str, float]]) -> None:
        self.name = name
        self.parameters = tuple(parameters)
        self._rows = rows
        self._levels = [
            sorted({cell for key in rows if isinstance(cell := key[i], float)}) for i in range(len(self.parameters))
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, values: Mapping[str, Scalar]) -> Mapping[str, float] | None:
        """The figures of a configuration: words as they are, numbers by the nearest that the table has, by ratio."""
        key = tuple(
            _nearest(_cell(values.get(name)), levels)
            for name, levels in zip(self.parameters, self._levels, strict=True)
        )
        return self._rows.get(key)


class TablePrior:
    """A table as a prior of one task.

    ``values`` gives a configuration's parameters by canonical name, ``gpus`` those that it takes. ``objectives``: names
    as in the document. ``limits``: name → metric and threshold.
    """

    def __init__(
        self,
        table: PredictionTable,
        *,
        values: Callable[[Configuration], Mapping[str, Scalar]],
        gpus: Callable[[Configuration], int | None],
        objectives: Sequence[str],
        limits: Mapping[str, tuple[str, float]],
    ) -> None:
        self.name = table.name
        self._table = table
        self._values = values
        self._gpus = gpus
        self._objectives = tuple(objectives)
        self._limits = dict(limits)

    @property
    def described(self) -> str:
        """How large it is, a clause."""
        return f"{len(self._table)} rows by {', '.join(self._table.parameters)}"

    def predict(self, configuration: Configuration) -> Prediction | None:
        """What the table says of a configuration; None where it has no such row."""
        figures = self._table.find(self._values(configuration))
        if figures is None:
            return None
        return Prediction(
            tuple(self._objective(name, figures, configuration) for name in self._objectives),
            {
                limit: math.log(figures[metric] / threshold)
                for limit, (metric, threshold) in self._limits.items()
                if metric in figures and threshold > 0
            },
        )

    def _objective(self, name: str, figures: Mapping[str, float], configuration: Configuration) -> float | None:
        known = OBJECTIVES.get(name)
        if known is None:
            return None
        metric, sign = known
        if name == "maximize_goodput" and "goodput" in figures:
            return math.log(figures["goodput"] / (self._gpus(configuration) or 1))
        if metric != "throughput":
            return sign * math.log(figures[metric]) if metric in figures else None
        if "throughput_per_gpu" in figures:
            return sign * math.log(figures["throughput_per_gpu"])
        if "throughput" in figures:
            return sign * math.log(figures["throughput"] / (self._gpus(configuration) or 1))
        return None


def read_table(text: str, *, name: str, canonical: Callable[[str], str | None]) -> PredictionTable:
    """The table of a CSV text. ``canonical``: the parameter that a column means, None for one that is none.

    Other columns are passed over. Rows with the same parameters count by their geometric mean. AutotunerError
    (INVALID_DOCUMENT) for a text without a parameter or a figure, and for a figure that is no number above 0.
    """
    reader = csv.DictReader(text.splitlines())
    columns = [column.strip() for column in reader.fieldnames or ()]
    reader.fieldnames = columns
    figures = [column for column in columns if column in FIGURES]
    parameters = {column: found for column in columns if column not in FIGURES and (found := canonical(column))}
    if not figures:
        raise _unusable(name, f"it has no column of figures: {', '.join(columns) or 'no header'}", _COLUMNS)
    if not parameters:
        raise _unusable(name, "none of its columns is a parameter of this engine", _COLUMNS)
    logs: defaultdict[Key, dict[str, list[float]]] = defaultdict(dict)
    for number, row in enumerate(reader, start=2):
        if number > MAX_ROWS:
            raise _unusable(name, f"it has more than {MAX_ROWS} rows", "Leave rows out")
        key = tuple(_cell(row.get(column)) for column in parameters)
        for figure in figures:
            value = (row.get(figure) or "").strip()
            if value:
                logs[key].setdefault(figure, []).append(math.log(_positive(value, name, number, figure)))
    rows = {
        key: {figure: math.exp(math.fsum(values) / len(values)) for figure, values in found.items()}
        for key, found in logs.items()
    }
    if not rows:
        raise _unusable(name, "no row has a figure", _COLUMNS)
    return PredictionTable(name, list(parameters.values()), rows)


_COLUMNS = f"Give a first line with names of parameters and of figures ({', '.join(FIGURES)})"


def _positive(value: str, name: str, line: int, figure: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise _unusable(name, f"line {line}: {figure} is {value!r}", "Give a number above 0, or leave the cell empty")
    return number


def _cell(value: object) -> str | float:
    """A number where it is one; else the word in small letters."""
    text = str("" if value is None else value).strip().lower()
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _nearest(value: str | float, levels: Sequence[float]) -> str | float:
    if not isinstance(value, float) or not levels or value in levels:
        return value
    if value <= 0 or levels[0] <= 0:
        return min(levels, key=lambda level: (abs(level - value), level))
    return min(levels, key=lambda level: (abs(math.log(level / value)), level))


def _unusable(name: str, why: str, remedy: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_DOCUMENT, f"{name} is no table of predictions", why=why, remedy=remedy, place=PLACE
    )

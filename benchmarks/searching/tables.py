"""Medians and 90th percentiles over runs, as text and as Markdown."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from searching.running import BUDGET, TOLERANCES, Run

STARTS_S = (60.0, 180.0, 600.0)
"""Seconds of a start for which GPU-seconds are counted."""

NEVER = math.inf


@dataclass(frozen=True)
class Row:
    """Figures of one strategy over some runs; inf: not within the budget."""

    labels: tuple[str, ...]
    runs: int
    needed: dict[float, tuple[float, float]]
    """By tolerance: median and 90th percentile of experiments."""
    never: dict[float, float]
    """By tolerance: share of the runs that did not come within it."""
    gpu_seconds: dict[tuple[float, float], tuple[float, float]]
    """By tolerance and seconds of a start: median and 90th percentile."""
    at_least: dict[float, float]
    """By seconds of a start: median of the GPU-seconds to the first tolerance, where searches that never came within it
    count with what they had spent.
    """
    half_a_grid: float
    """Share of the runs that were within the last tolerance by half of all valid configurations."""


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    listed = sorted(values)
    return listed[max(0, math.ceil(share * len(listed)) - 1)]


def rows(runs: Iterable[Run], labels: Callable[[Run], tuple[str, ...]]) -> list[Row]:
    """One for each different label, in the order in which these come."""
    grouped: defaultdict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[labels(run)].append(run)
    return [_row(label, members) for label, members in grouped.items()]


def _row(labels: tuple[str, ...], runs: Sequence[Run]) -> Row:
    needed = {t: [_or_never(run.needed(t)) for run in runs] for t in TOLERANCES}
    return Row(
        labels,
        len(runs),
        needed={t: (quantile(values, 0.5), quantile(values, 0.9)) for t, values in needed.items()},
        never={t: values.count(NEVER) / len(runs) for t, values in needed.items()},
        gpu_seconds={
            (t, start): (quantile(spent, 0.5), quantile(spent, 0.9))
            for t in TOLERANCES
            for start in STARTS_S
            for spent in [[_or_never(run.gpu_seconds(t, start)) for run in runs]]
        },
        at_least={
            start: quantile((run.gpu_seconds_at_least(TOLERANCES[0], start) for run in runs), 0.5) for start in STARTS_S
        },
        half_a_grid=sum(n <= run.size / 2 for n, run in zip(needed[TOLERANCES[-1]], runs, strict=True)) / len(runs),
    )


def _or_never(value: float | None) -> float:
    return NEVER if value is None else float(value)


def header(labels: Sequence[str]) -> list[str]:
    """Titles of the columns."""
    near = [f"{t:.0%}" for t in TOLERANCES]
    return [
        *labels,
        "runs",
        *(f"{t}: median" for t in near),
        *(f"{t}: p90" for t in near),
        *(f"{t}: never" for t in near),
        *(f"GPU-h to {near[0]}, {start:.0f} s" for start in STARTS_S),
        f"{near[-1]} by half the grid",
    ]


def cells(row: Row) -> list[str]:
    """What stands below them."""
    first = TOLERANCES[0]
    return [
        *row.labels,
        str(row.runs),
        *(_count(row.needed[t][0]) for t in TOLERANCES),
        *(_count(row.needed[t][1]) for t in TOLERANCES),
        *(f"{row.never[t]:.0%}" for t in TOLERANCES),
        *(_hours(row.gpu_seconds[first, start][0]) for start in STARTS_S),
        f"{row.half_a_grid:.0%}",
    ]


def _count(value: float) -> str:
    return f"> {BUDGET}" if value == NEVER else f"{value:.0f}"


def _hours(seconds: float) -> str:
    return "never" if seconds == NEVER else f"{seconds / 3600:.2f}"


def text(titles: Sequence[str], found: Sequence[Row]) -> str:
    """Columns aligned for a terminal."""
    table = [list(titles), *map(cells, found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in table)


def markdown(titles: Sequence[str], found: Sequence[Row]) -> str:
    """The same for the documentation."""
    lines = [list(titles), ["---"] * len(titles), *map(cells, found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

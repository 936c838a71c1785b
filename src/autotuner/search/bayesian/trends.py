"""What is expected of a figure before it is measured: straight and bent lines along parameters, and predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autotuner.contracts.search import Direction, Limit, Prediction, PredictsMany, Prior
from autotuner.contracts.values import Configuration
from autotuner.search.bayesian.encoding import Axis
from autotuner.search.bayesian.told import flattened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

UNSAID = 0.5
"""Standard deviation of how far configurations of which nothing is predicted differ from the others on average."""


CATEGORY = 0.25
"""Of what a category does, such as a kernel of another format: predictions carry over to it least of all."""


@dataclass(frozen=True)
class Spreads:
    """Standard deviations of what trends do.

    ``line``: slope along an axis, natural logarithm per axis unit (four doublings); ``bend``: curvature; ``factor``: of
    a prediction, around 1.
    """

    line: float
    bend: float
    factor: float


@dataclass(frozen=True)
class Design:
    """Columns of trends at some configurations. ``factors``, ``spreads``: expected factor of each column, and its
    standard deviation.
    """

    columns: Matrix
    factors: Matrix
    spreads: Matrix


def design(axes: Sequence[Axis], places: Matrix, predicted: Matrix | None, given: Spreads) -> Design:
    """The trends of one figure. ``predicted``: its logarithms, NaN where nothing is said; None: no prediction."""
    columns: list[Matrix] = []
    spreads: list[float] = []
    for number, axis in enumerate(axes):
        if not axis.categories:
            off = places[:, number] - axis.middle
            columns += [off, off * off]
            spreads += [given.line, given.bend]
        else:
            named = [places[:, number] == value for value in range(axis.size)]
            columns += [one.astype(float) for one in named]
            spreads += [CATEGORY] * len(named)
    factors = [0.0] * len(columns)
    if predicted is not None:
        missing = np.isnan(predicted)
        columns += [np.where(missing, 0.0, predicted), missing.astype(float)]
        factors += [1.0, 0.0]
        spreads += [given.factor, UNSAID]
    stacked = np.array(columns).reshape(len(columns), len(places)).T
    return Design(stacked, np.array(factors), np.array(spreads))


def predictions(
    prior: Prior, configurations: Sequence[Configuration], directions: Sequence[Direction], limits: Sequence[Limit]
) -> Matrix:
    """What a prior says of each figure, first of the objectives, then of the limits; NaN where nothing."""
    many = prior.predict_many(configurations) if isinstance(prior, PredictsMany) else map(prior.predict, configurations)
    rows = [_row(said, directions, limits) for said in many]
    return np.array(rows, dtype=float).reshape(len(rows), len(directions) + len(limits))


def _row(said: Prediction | None, directions: Sequence[Direction], limits: Sequence[Limit]) -> list[float]:
    if said is None:
        return [math.nan] * (len(directions) + len(limits))
    gains = [
        math.nan if log is None else log if direction == "maximize" else -log
        for log, direction in zip(said.log_objectives, directions, strict=True)
    ]
    logs = [said.log_ratios.get(limit.name) for limit in limits]
    return gains + [math.nan if log is None else flattened(math.exp(log)) for log in logs]

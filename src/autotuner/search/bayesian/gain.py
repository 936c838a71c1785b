"""What measuring a configuration is expected to gain: improvement × keeping the limits × starting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from autotuner.contracts.search import Limit
from autotuner.search.bayesian.model import Belief

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_DEAREST = 3.0
"""Logarithm of the largest factor by which a penalty is taken to worsen a score: beyond, nothing can win."""
_NEGLIGIBLE = 1e-3
"""A gain of this share is no reason to take what may not start or keep its limits rather than what will."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


@dataclass(frozen=True)
class Seen:
    """What is believed of the measured configurations, by hypothesis; whether each kept its limits; and its row."""

    beliefs: Sequence[Belief]
    kept: NDArray[np.bool_]
    rows: NDArray[np.int64]


class Gain:
    """Expected gain over what is believed of the best measured configuration.

    A configuration counts with what is believed of it, not with what was measured, and for less the likelier it is to
    violate a limit after all: one lucky measurement must not end the search.
    """

    def __init__(self, seen: Seen, limits: Sequence[Limit], objectives: int) -> None:
        self._seen = seen
        self._limits = tuple(limits)
        self._objectives = objectives

    def expected(self, beliefs: Sequence[Belief]) -> Matrix:
        """Of candidates, as a share of the best: improvement × keeping all limits."""
        total = np.zeros(beliefs[0].means.shape[1])
        for belief, seen in zip(beliefs, self._seen.beliefs, strict=True):
            mean, variance = penalised(belief, self._limits, self._objectives)
            worth = self._worth(seen)[self._seen.kept]
            best = float(worth.max()) if len(worth) else None
            total += belief.weight * (improvement(mean[0], variance[0], best) + _NEGLIGIBLE) * self._kept(belief)
        return total

    def best(self, count: int) -> list[int]:
        """Rows of the best measured ones that kept their limits; of all where none did."""
        worth = sum(seen.weight * self._worth(seen) for seen in self._seen.beliefs)
        order = np.argsort(-np.asarray(worth), kind="stable")
        fine = [i for i in order if self._seen.kept[i]] or list(order)
        return [int(self._seen.rows[i]) for i in fine[:count]]

    def _worth(self, belief: Belief) -> Matrix:
        mean, _ = penalised(belief, self._limits, self._objectives)
        worth: Matrix = mean[0] + np.log(np.maximum(self._kept(belief), 1e-30))
        return worth

    def _kept(self, belief: Belief) -> Matrix:
        return kept(belief, self._limits, self._objectives)


def kept(belief: Belief, limits: Sequence[Limit], objectives: int) -> Matrix:
    """Probability that a configuration violates no limit."""
    found = np.ones(belief.means.shape[1])
    for number, limit in enumerate(limits, start=objectives):
        if limit.violated_from is not None:
            room = math.log1p(limit.violated_from) - belief.means[number]
            found *= ndtr(room / np.sqrt(belief.variances[number]))
    return found


def penalised(belief: Belief, limits: Sequence[Limit], objectives: int) -> tuple[Matrix, Matrix]:
    """Means and variances of the gains less the logarithm of the penalty's factor, one row per objective.

    The penalty of a limit that may be missed is taken over its own uncertainty, by Gauss-Hermite quadrature.
    """
    mean = np.zeros(belief.means.shape[1])
    variance = np.zeros_like(mean)
    for number, limit in enumerate(limits, start=objectives):
        if limit.weight == 0 or (limit.violated_from is not None and limit.violated_from <= 0):
            continue
        deviation = np.sqrt(belief.variances[number])
        cost = [_cost(belief.means[number] + node * deviation, limit) for node in _NODES]
        share = _WEIGHTS / _WEIGHTS.sum()
        own = sum(w * c for w, c in zip(share, cost, strict=True))
        mean += own
        variance += sum(w * (c - own) ** 2 for w, c in zip(share, cost, strict=True))
    return belief.means[:objectives] - mean, belief.variances[:objectives] + variance


def _cost(log_ratio: Matrix, limit: Limit) -> Matrix:
    """Logarithm of the factor by which a miss worsens a score."""
    miss = np.maximum(np.expm1(np.minimum(log_ratio, 5.0)), 0.0)
    factor = np.log1p(limit.weight * np.expm1(np.minimum(miss / limit.steepness, 20.0)))
    found: Matrix = np.minimum(factor, _DEAREST)
    return found


def improvement(mean: Matrix, variance: Matrix, best: float | None) -> Matrix:
    """Expected improvement of a figure whose logarithm is normal, as a share of the best; without one, its expectation.

    ``best``: logarithm of the best so far. E[max(e^X − B, 0)] / B in closed form, as in the formula of Black and
    Scholes.
    """
    deviation = np.sqrt(variance)
    if best is None:
        alone: Matrix = np.exp(mean - mean.max() + 0.5 * variance)
        return alone
    above = (mean - best) / deviation
    gain: Matrix = np.exp(np.minimum(mean - best + 0.5 * variance, 50.0)) * ndtr(above + deviation) - ndtr(above)
    return np.maximum(gain, 0.0)

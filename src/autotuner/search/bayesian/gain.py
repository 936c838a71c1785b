"""What measuring a configuration is expected to gain: improvement × keeping the limits × starting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr
from scipy.stats import qmc

from autotuner.contracts.search import Limit
from autotuner.search.bayesian.model import Belief

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_DEAREST = 3.0
"""Logarithm of the largest factor by which a penalty is taken to worsen a score: beyond, nothing can win."""
_HEDGE = 0.05
"""Weight of the gain under doubt."""
_DOUBT = 0.15
"""By how much a model may be wrong beyond what it knows: standard deviation of a figure's logarithm."""
_HOPE = 2.0
"""Deviations above its mean at which a candidate may turn out to be."""
_BOX = 9
"""Two to this power points fill the box of several objectives."""
_CLOSELY = 512
"""Candidates that all of them are looked at for; the others gain less."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


@dataclass(frozen=True)
class Seen:
    """What is believed of the measured configurations, by hypothesis; whether each kept its limits; and its row."""

    beliefs: Sequence[Belief]
    kept: NDArray[np.bool_]
    rows: NDArray[np.int64]


class Gain:
    """Expected gain over what is believed of the best measured configurations.

    A configuration counts with what is believed of it, not with what was measured, and for less the likelier it is to
    violate a limit after all: one lucky measurement must not end the search.
    """

    def __init__(self, seen: Seen, limits: Sequence[Limit], objectives: int) -> None:
        self._seen = seen
        self._limits = tuple(limits)
        self._objectives = objectives

    def expected(self, beliefs: Sequence[Belief]) -> Matrix:
        """Of candidates, as a share of the best (of several objectives: of the volume): improvement × keeping limits.

        A small part is what is gained if the model is wrong by more than it knows, so that a search which sees nothing
        to be gained goes on near the best.
        """
        total = np.zeros(beliefs[0].means.shape[1])
        for belief, seen in zip(beliefs, self._seen.beliefs, strict=True):
            mean, variance = penalised(belief, self._limits, self._objectives)
            worth = self._worth(seen)[:, self._seen.kept]
            if self._objectives > 1 and worth.shape[1]:
                total += belief.weight * hypervolume_improvement(mean, variance, worth) * self.kept(belief)
                continue
            best = float(worth[0].max()) if worth.shape[1] else None
            total += belief.weight * improvement(mean[0], variance[0], best) * self.kept(belief)
            if best is not None:
                doubted = replace(belief, variances=belief.variances + _DOUBT**2)
                gain = improvement(mean[0], variance[0] + _DOUBT**2, best)
                total += _HEDGE * belief.weight * gain * self.kept(doubted)
        return total

    def best(self, count: int) -> list[int]:
        """Rows of the best measured ones, by the first objective, that kept their limits; of all where none did."""
        worth = sum(seen.weight * self._worth(seen)[0] for seen in self._seen.beliefs)
        order = np.argsort(-np.asarray(worth), kind="stable")
        fine = [i for i in order if self._seen.kept[i]] or list(order)
        return [int(self._seen.rows[i]) for i in fine[:count]]

    def promising(self, beliefs: Sequence[Belief], count: int) -> NDArray[np.int64]:
        """Numbers of the candidates that may turn out to be best: by mean and deviation, and by keeping limits."""
        reach = np.zeros(beliefs[0].means.shape[1])
        for belief in beliefs:
            mean, variance = penalised(belief, self._limits, self._objectives)
            hope = mean[0] + _HOPE * np.sqrt(variance[0]) + np.log(np.maximum(self.kept(belief), 1e-30))
            reach += belief.weight * hope
        found: NDArray[np.int64] = np.argsort(-reach, kind="stable")[:count]
        return found

    def kept(self, belief: Belief) -> Matrix:
        """Probability that a configuration violates no limit."""
        return kept(belief, self._limits, self._objectives)

    def worth_of(self, draws: Matrix) -> Matrix:
        """The first objective's gain less its penalty, of draws (figures × …); minus infinity where a limit breaks."""
        worth: Matrix = draws[0].copy()
        for number, limit in enumerate(self._limits, start=self._objectives):
            if limit.violated_from is None or limit.violated_from > 0:
                worth -= _cost(draws[number], limit)
            if limit.violated_from is not None:
                worth[draws[number] > math.log1p(limit.violated_from)] = -np.inf
        return worth

    def _worth(self, belief: Belief) -> Matrix:
        """One row per objective."""
        mean, _ = penalised(belief, self._limits, self._objectives)
        worth: Matrix = mean + np.log(np.maximum(self.kept(belief), 1e-30))
        return worth


def hypervolume_improvement(mean: Matrix, variance: Matrix, measured: Matrix) -> Matrix:
    """Expected gain of volume that is beaten, as a share of what the measured ones beat; one row per objective.

    The box from the worst to beyond the best is filled with points; a candidate gains those that it beats and that
    nothing measured beats. The probability that it beats a point is a product over objectives, which are independent
    here, so only the box is sampled.
    """
    low = measured.min(axis=1)
    high = np.maximum(measured.max(axis=1), np.quantile(mean + np.sqrt(variance), 0.999, axis=1))
    edge = 0.1 * np.maximum(high - low, 0.01)
    low, high = low - edge, high + edge
    points = low + (high - low) * qmc.Sobol(len(low), scramble=False).random_base2(_BOX)
    beaten = (points[:, None, :] <= measured.T[None, :, :]).all(axis=2).any(axis=1)
    free = points[~beaten]
    found = np.zeros(mean.shape[1])
    if not len(free):
        return found
    deviation = np.sqrt(variance)
    few = _beats(mean, deviation, free[:: max(1, len(free) // 32)])
    top = np.argsort(-few, kind="stable")[:_CLOSELY]
    found[top] = _beats(mean[:, top], deviation[:, top], free)
    return found * len(free) / max(1, int(beaten.sum()))


def _beats(mean: Matrix, deviation: Matrix, points: Matrix) -> Matrix:
    """Share of the points that each candidate is expected to beat."""
    chance = np.ones((mean.shape[1], len(points)))
    for number in range(len(mean)):
        chance *= ndtr((mean[number][:, None] - points[:, number][None, :]) / deviation[number][:, None])
    found: Matrix = chance.mean(axis=1)
    return found


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

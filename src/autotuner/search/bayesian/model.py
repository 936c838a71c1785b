"""What is believed of every configuration after what was told: of each objective, of each limit, and of crashing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from autotuner.search.bayesian.candidates import Candidates, tables
from autotuner.search.bayesian.encoding import Axis
from autotuner.search.bayesian.kernel import Kernel, matern
from autotuner.search.bayesian.process import Beliefs, Data, Process, Settings, condition, fit
from autotuner.search.bayesian.told import Told
from autotuner.search.bayesian.trends import Spreads, design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Trust:
    """How much is left to be learned beside trends and predictions."""

    beliefs: Beliefs
    spreads: Spreads


LOOSE = Trust(
    Beliefs(length=(0.0, 1.0), own=(-1.6, 0.7), joint=(-2.0, 0.7), noise=(-4.0, 0.5), offset=1.0),
    Spreads(line=0.6, bend=0.35, factor=0.3),
)
"""Effects of single parameters beyond the trends of 20 %, of several together of 14 %, and noise of 2 %, each by a
factor of about 2; effects reach over four doublings, by a factor of about 3."""
CLOSE = Trust(
    Beliefs(length=(0.0, 1.0), own=(-2.5, 0.5), joint=(-2.5, 0.5), noise=(-4.0, 0.5), offset=0.7),
    Spreads(line=0.2, bend=0.1, factor=0.2),
)
"""Predictions are right but for some 8 %."""

_OPEN = 0.15
"""Share of the weight that hypotheses keep whatever was measured: all of them may be wrong somewhere else."""
_NEGLIGIBLE = 0.01
"""Hypotheses that are less likely are left out."""
_UNTRUSTING = 0.2
"""Probability, before anything is measured, that no prior helps."""
_NEVER = -2.9
"""Flattened logarithm of a ratio below which a limit needs no model."""
_CHUNK = 4096
"""Candidates that are predicted at once."""
_LOAD_UNIT = math.log(16.0)
"""The load is an axis like any other number: four doublings are one unit."""
_CRASH = Settings(Kernel(np.ones(0), 0.6, 0.6), 0.2, -1.0, 0.7)
"""Of 1 for a crash and −1 for a start; lengths are put in."""


@dataclass(frozen=True)
class Known:
    """What is known of some configurations: ``places``, and what each prior ``predicted`` of each figure."""

    places: Matrix
    predicted: tuple[Matrix, ...]

    def part(self, rows: NDArray[np.int64]) -> Known:
        """Of some of them."""
        return Known(self.places[rows], tuple(p[rows] for p in self.predicted))


@dataclass(frozen=True)
class Belief:
    """Of the candidates, under one hypothesis: means and variances, one row per figure.

    Figures are first the objectives (as gains: more is better), then the limits, all logarithms.
    """

    weight: float
    means: Matrix
    variances: Matrix


@dataclass(frozen=True)
class _Fitted:
    """The process of one figure, under one hypothesis; ``prior``: number of the one that is believed, None for none."""

    process: Process
    places: Matrix
    figure: int
    prior: int | None
    centre: float = 0.0
    spreads: Spreads | None = None
    """None: there are no trends."""

    def predict(self, own: Candidates, known: Known, axes: Sequence[Axis]) -> tuple[Matrix, Matrix]:
        """Mean and variance at the candidates."""
        kernel, n = self.process.settings.kernel, len(self.places)
        width = own.rows.shape[1]
        lengths = zip(tables(own, axes[:width], self.places), kernel.lengths[:width], strict=True)
        table = np.vstack([np.hstack([matern(r), r * r]) for r in (d / length for d, length in lengths)])
        # The load, where it is an axis, is the same for all candidates: the scored one.
        away = np.abs(self.places[:, width:] / kernel.lengths[width:])
        alone, square = matern(away).sum(axis=1), (away**2).sum(axis=1)
        columns = self.columns(known, axes)
        means, variances = np.zeros(len(own)), np.zeros(len(own))
        for start in range(0, len(own), _CHUNK):
            part = slice(start, start + _CHUNK)
            sums = own.chosen[part] @ table
            cross = kernel.own**2 * (sums[:, :n] + alone) + kernel.joint**2 * matern(np.sqrt(sums[:, n:] + square))
            means[part], variances[part] = self.process.predict(cross, columns[part])
        return means, variances

    def draws(self, known: Known, axes: Sequence[Axis], count: int, rng: np.random.Generator) -> Matrix:
        """Draws × candidates of the figure without noise."""
        kernel, columns = self.process.settings.kernel, self.columns(known, axes)
        places = known.places
        between = [axis.distances(places[:, n], places[:, n]) for n, axis in enumerate(axes)]
        cross = [axis.distances(places[:, n], self.places[:, n]) for n, axis in enumerate(axes)]
        mean, _ = self.process.predict(kernel.cross(cross), columns)
        covariance = self.process.covariance(kernel.cross(between), kernel.cross(cross), columns)
        values, vectors = np.linalg.eigh(covariance)
        found: Matrix = (
            mean + rng.standard_normal((count, len(places))) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        )
        return found

    def columns(self, known: Known, axes: Sequence[Axis]) -> Matrix:
        """The trends at some configurations."""
        if self.spreads is None:
            return np.zeros((len(known.places), 0))
        predicted = None if self.prior is None else known.predicted[self.prior][:, self.figure] - self.centre
        return design(axes, known.places, predicted, self.spreads).columns

    def expecting(self, known: Known, axes: Sequence[Axis], own: Candidates) -> _Fitted:
        """The same having seen what it expects of these."""
        data = self.process.data
        means, _ = self.predict(own, known, axes)
        places = np.vstack([self.places, known.places])
        seen = replace(
            data,
            axes=[axis.distances(places[:, n], places[:, n]) for n, axis in enumerate(axes)],
            y=np.append(data.y, means),
            variance=np.append(data.variance, np.zeros(len(means))),
            trends=np.vstack([data.trends, self.columns(known, axes)]),
        )
        return replace(self, process=condition(self.process.settings, seen), places=places)


@dataclass(frozen=True)
class _Hypothesis:
    prior: int | None
    weight: float
    figures: tuple[_Fitted, ...]
    posterior: float = 0.0


class Model:
    """Fitted to what was told. ``known``: of the rows of ``told``. The first ``rough`` priors are never close.

    Which prior is believed, if any, is a hypothesis of its own, and weighs what it explains: a wrong one loses its
    weight with the first measurements that contradict it.
    """

    def __init__(self, axes: Sequence[Axis], told: Told, known: Known, rough: int = 0) -> None:
        self._axes = tuple(axes)
        if (told.loads != 0).any():
            self._axes += (Axis("load", False, lambda value: None),)
            known = replace(known, places=np.hstack([known.places, told.loads[:, None] / _LOAD_UNIT]))
        self._figures = np.hstack([told.gains, told.misses])
        self._noises = np.hstack([told.gain_variances, told.miss_variances])
        self._objectives = told.gains.shape[1]
        priors = len(known.predicted)
        hypotheses = [_Hypothesis(None, math.log(_UNTRUSTING if priors else 1.0), self._fit(known, None, LOOSE))]
        for prior in range(priors):
            trusts = (LOOSE,) if prior < rough else (LOOSE, CLOSE)
            chance = math.log((1 - _UNTRUSTING) / priors / len(trusts))
            hypotheses += [_Hypothesis(prior, chance, self._fit(known, prior, trust)) for trust in trusts]
        logs = np.array([h.weight + sum(f.process.settings.evidence for f in h.figures) for h in hypotheses])
        weights = np.exp(logs - logs.max())
        chances = np.exp([h.weight for h in hypotheses])
        posterior = weights / weights.sum()
        weights = (1 - _OPEN) * posterior + _OPEN * chances / chances.sum()
        self._hypotheses = tuple(
            replace(h, weight=float(w), posterior=float(p))
            for h, w, p in zip(hypotheses, weights, posterior, strict=True)
            if w >= _NEGLIGIBLE
        )
        self._crash = _crash_process(axes, told)

    def expecting(self, own: Candidates, known: Known) -> Model:
        """The same having seen what it expects of these, such as configurations that are being measured."""
        known = self._at_the_scored_load(known)
        expecting = copy(self)
        expecting._hypotheses = tuple(
            replace(h, figures=tuple(f.expecting(known, self._axes, own) for f in h.figures)) for h in self._hypotheses
        )
        return expecting

    def _at_the_scored_load(self, known: Known) -> Known:
        """With the place of the scored load, where the load is an axis."""
        missing = len(self._axes) - known.places.shape[1]
        return replace(known, places=np.pad(known.places, ((0, 0), (0, missing))))

    def _fit(self, known: Known, prior: int | None, trust: Trust) -> tuple[_Fitted, ...]:
        fitted = []
        for figure in range(self._figures.shape[1]):
            y = self._figures[:, figure]
            rows = np.flatnonzero(~np.isnan(y))
            if len(rows) == 0 or (figure >= self._objectives and _far(y[rows])):
                continue
            places = known.places[rows]
            predicted = None if prior is None else known.predicted[prior][rows, figure]
            centre = 0.0 if predicted is None or np.isnan(predicted).all() else float(np.nanmean(predicted))
            columns = design(self._axes, places, None if predicted is None else predicted - centre, trust.spreads)
            data = Data(
                axes=[axis.distances(places[:, n], places[:, n]) for n, axis in enumerate(self._axes)],
                y=y[rows],
                variance=self._noises[rows, figure],
                trends=columns.columns,
                factors=columns.factors,
                spreads=columns.spreads,
            )
            typical = float(np.mean(data.y - data.trends @ data.factors))
            guess = typical if figure < self._objectives else 0.5 * typical
            process = condition(fit(data, trust.beliefs, guess), data)
            fitted.append(_Fitted(process, places, figure, prior, centre, trust.spreads))
        return tuple(fitted)

    @property
    def weights(self) -> dict[int | None, float]:
        """Probability of each prior's hypothesis; None: of that none helps."""
        total = sum(h.posterior for h in self._hypotheses)
        found: dict[int | None, float] = {}
        for hypothesis in self._hypotheses:
            found[hypothesis.prior] = found.get(hypothesis.prior, 0.0) + hypothesis.posterior / total
        return found

    @property
    def noise(self) -> float:
        """Standard deviation of the first objective's logarithm from start to start."""
        return sum(h.weight * h.figures[0].process.settings.noise for h in self._hypotheses)

    def beliefs(self, own: Candidates, known: Known) -> list[Belief]:
        """Of the candidates, by hypothesis. Limits of which nothing was told are taken to be kept."""
        found = []
        known, figures = self._at_the_scored_load(known), self._figures.shape[1]
        for hypothesis in self._hypotheses:
            means, variances = np.full((figures, len(own)), -10.0), np.full((figures, len(own)), 1e-12)
            for fitted in hypothesis.figures:
                means[fitted.figure], variances[fitted.figure] = fitted.predict(own, known, self._axes)
            found.append(Belief(hypothesis.weight, means, variances))
        return found

    def draws(self, known: Known, count: int, rng: np.random.Generator) -> Matrix:
        """Figures × draws × candidates: how all of it may be, jointly; each draw under one hypothesis."""
        known = self._at_the_scored_load(known)
        found = np.full((self._figures.shape[1], count, len(known.places)), -10.0)
        shares = np.array([h.weight for h in self._hypotheses])
        chosen = rng.choice(len(shares), size=count, p=shares / shares.sum())
        for number, hypothesis in enumerate(self._hypotheses):
            mine = np.flatnonzero(chosen == number)
            for fitted in hypothesis.figures if len(mine) else ():
                found[fitted.figure, mine] = fitted.draws(known, self._axes, len(mine), rng)
        return found

    def starts(self, own: Candidates) -> Matrix:
        """Probability that a candidate's server starts."""
        if self._crash is None:
            return np.ones(len(own))
        mean, variance = self._crash.predict(own, Known(own.rows, ()), self._axes[: own.rows.shape[1]])
        found: Matrix = ndtr(-mean / np.sqrt(0.02 + variance))
        return found


def _crash_process(axes: Sequence[Axis], told: Told) -> _Fitted | None:
    """A process of ±1, as a classifier: few failures tell of their neighbours, and of the values that they share."""
    if len(told.crashed) == 0:
        return None
    places = np.vstack([told.started, told.crashed])
    y = np.array([-1.0] * len(told.started) + [1.0] * len(told.crashed))
    none = np.zeros((len(y), 0))
    distances = [axis.distances(places[:, n], places[:, n]) for n, axis in enumerate(axes)]
    settings = replace(_CRASH, kernel=replace(_CRASH.kernel, lengths=np.full(len(axes), 0.7)))
    data = Data(distances, y, np.zeros(len(y)), none, np.zeros(0), np.zeros(0))
    return _Fitted(condition(settings, data), places, 0, None)


def _far(misses: Matrix) -> bool:
    """Whether a limit, such as that of errors where there were none, was never nearly reached."""
    return bool((misses < _NEVER).all())

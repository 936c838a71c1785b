"""What was told, as numbers: places, logarithms of figures, and what failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autotuner.contracts.search import Direction, Limit, Observation, Outcome, OutcomeKind, Trial
from autotuner.search.bayesian.encoding import Encoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_SMALLEST_RATIO = 1e-3
"""Ratios below are all the same: kept by far."""

_FAR = 2.0
"""Logarithms of ratios flatten out towards this above the limit, and towards 1.5 times it below: how far a figure is
beyond reach, such as the wait in an overloaded queue, tells little of where the limit is reached."""


@dataclass(frozen=True)
class Told:
    """Rows, one for each configuration and load that has figures, and the configurations that failed.

    ``gains``: one column per objective, natural logarithm of its score, turned so that more is better;
    ``misses``: per limit, the flattened logarithm of its ratio (NaN: none); each with the variance that repeats tell.
    ``loads``: logarithm of the load. ``trial``: which trial a row is of. ``kept``: per row, whether no limit is
    violated. ``started`` and ``crashed``: places of the configurations that gave figures, and of those that did not.
    """

    places: Matrix
    loads: Matrix
    gains: Matrix
    gain_variances: Matrix
    misses: Matrix
    miss_variances: Matrix
    trial: NDArray[np.int64]
    kept: NDArray[np.bool_]
    started: Matrix
    crashed: Matrix

    @property
    def scored(self) -> NDArray[np.int64]:
        """Numbers of the rows at the scored load."""
        found: NDArray[np.int64] = np.flatnonzero(self.loads == 0.0)
        return found


def flattened(ratio: float) -> float:
    """The logarithm of a ratio, flattened far from the limit."""
    log = math.log(max(ratio, _SMALLEST_RATIO))
    reach = _FAR if log > 0 else 1.5 * _FAR
    return reach * math.tanh(log / reach)


def limits_of(given: Sequence[Limit], trials: Sequence[Trial]) -> tuple[Limit, ...]:
    """The limits given; else hard ones for the margins that were told."""
    if given:
        return tuple(given)
    names = dict.fromkeys(
        name for trial in trials if trial.outcome.kind is OutcomeKind.MEASURED for name in trial.outcome.constraints
    )
    return tuple(Limit(name) for name in names)


def numbers(
    trials: Sequence[Trial], encoding: Encoding, directions: Sequence[Direction], limits: Sequence[Limit]
) -> Told:
    """What the trials tell. An outcome without usable figures is one that failed."""
    rows: list[tuple[int, Observation]] = []
    started: list[int] = []
    crashed: list[int] = []
    for number, trial in enumerate(trials):
        found = [o for o in observations(trial.outcome) if _usable(o)]
        if trial.outcome.kind is OutcomeKind.MEASURED and any(o.load == 1.0 for o in found):
            started.append(number)
            rows += [(number, observation) for observation in found]
        else:
            crashed.append(number)
    places = encoding.rows([trial.configuration for trial in trials])
    at = np.array([number for number, _ in rows], dtype=np.int64)
    found = [observation for _, observation in rows]
    gains = _gains(
        np.array([o.objectives for o in found], dtype=float).reshape(len(found), len(directions)), directions
    )
    return Told(
        places=places[at],
        loads=np.array([math.log(o.load) for o in found]),
        gains=gains,
        gain_variances=np.array([_squares(o.deviations, len(directions)) for o in found]).reshape(gains.shape),
        misses=_columns([{k: flattened(v) for k, v in o.ratios.items()} for o in found], limits, math.nan),
        miss_variances=_columns([{k: v * v for k, v in o.ratio_deviations.items()} for o in found], limits, 0.0),
        trial=at,
        kept=np.array([_keeps(o, limits) for o in found], dtype=bool),
        started=places[np.array(started, dtype=np.int64)],
        crashed=places[np.array(crashed, dtype=np.int64)],
    )


def observations(outcome: Outcome) -> tuple[Observation, ...]:
    """The figures of an outcome; where they are not told, scores and margins stand for them."""
    if outcome.observations or outcome.kind is not OutcomeKind.MEASURED:
        return outcome.observations
    ratios = {name: 1.0 + margin for name, margin in outcome.constraints.items() if not math.isnan(margin)}
    return (Observation(outcome.objectives, ratios),)


def _usable(observation: Observation) -> bool:
    """Whether all its scores are numbers."""
    return observation.load > 0 and all(math.isfinite(v) for v in observation.objectives)


def _gains(scores: Matrix, directions: Sequence[Direction]) -> Matrix:
    """Logarithms; of an objective that is not always positive the inverse hyperbolic sine, which is like one."""
    columns = []
    for column, direction in zip(scores.T, directions, strict=True):
        positive = bool((column > 0).all())
        own = np.log(column) if positive else np.arcsinh(column / (float(np.median(np.abs(column))) or 1.0))
        columns.append(own if direction == "maximize" else -own)
    return np.array(columns).reshape(len(directions), len(scores)).T


def _keeps(observation: Observation, limits: Sequence[Limit]) -> bool:
    return all(
        observation.ratios.get(limit.name, 1.0) <= 1.0 + limit.violated_from
        for limit in limits
        if limit.violated_from is not None
    )


def _squares(deviations: Sequence[float], count: int) -> list[float]:
    return [d * d for d in deviations] if len(deviations) == count else [0.0] * count


def _columns(rows: Sequence[Mapping[str, float]], limits: Sequence[Limit], missing: float) -> Matrix:
    values = [[row.get(limit.name, missing) for limit in limits] for row in rows]
    return np.array(values, dtype=float).reshape(len(rows), len(limits))

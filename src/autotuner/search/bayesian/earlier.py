"""Outcomes of an earlier search as a prior for another one."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.search import Dimension, Direction, Limit, Prediction, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.bayesian.candidates import places_only
from autotuner.search.bayesian.encoding import Encoding
from autotuner.search.bayesian.model import Known, Model
from autotuner.search.bayesian.told import numbers


class EarlierOutcomes:
    """What a process that was fitted to earlier outcomes expects, on the parameters that are searched now.

    ``trials``: with observations, under the names of the present objectives and limits.
    """

    def __init__(
        self,
        name: str,
        dimensions: Sequence[Dimension],
        trials: Sequence[Trial],
        directions: Sequence[Direction],
        limits: Sequence[Limit],
    ) -> None:
        self.name = name
        self._encoding = Encoding(dimensions)
        self._directions = tuple(directions)
        self._limits = tuple(limits)
        told = numbers(trials, self._encoding, directions, limits)
        self.measured = len(told.scored)
        """How many of them have figures."""
        self._model = None
        if self.measured and self._encoding.axes:
            self._model = Model(self._encoding.axes, told, Known(told.places, ()))

    def predict(self, configuration: Configuration) -> Prediction | None:
        """What is expected of a configuration."""
        return self.predict_many([configuration])[0]

    def predict_many(self, configurations: Sequence[Configuration]) -> list[Prediction | None]:
        """What is expected of each of them; None of all where nothing was measured."""
        if self._model is None or not configurations:
            return [None] * len(configurations)
        rows = self._encoding.rows(configurations)
        own = places_only(rows)
        (belief,) = self._model.beliefs(own, Known(rows, ()))
        starts = self._model.starts(own) >= 0.5
        signs = [1.0 if direction == "maximize" else -1.0 for direction in self._directions]
        count = len(signs)
        return [
            Prediction(
                tuple(sign * float(mean) for sign, mean in zip(signs, column[:count], strict=True)),
                {limit.name: float(mean) for limit, mean in zip(self._limits, column[count:], strict=True)},
                starts=bool(fine),
            )
            for column, fine in zip(belief.means.T, starts, strict=True)
        ]

"""What a search on a neighbouring task leaves behind for the next one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autotuner.contracts.search import OutcomeKind, Prediction, Trial
from autotuner.contracts.values import Configuration, Scalar
from searching.landscape import Task

LENGTH = 20
"""Experiments of the earlier search, which does not end sooner."""

_SHARPNESS = 4
"""Power of the distance by which an earlier experiment loses its weight."""


@dataclass(frozen=True)
class EarlierTask:
    """Implements ``contracts.search.Prior``: weighted means of what was measured, the nearest first of all.

    ``scale``: by the name of a limit, the earlier task's / this one's: the same figure is another ratio here.
    """

    name: str
    task: Task
    trials: Sequence[Trial]
    scale: Mapping[str, float]

    def predict(self, configuration: Configuration) -> Prediction | None:
        """None where nothing was measured."""
        measured = [trial for trial in self.trials if trial.outcome.kind is OutcomeKind.MEASURED]
        if not measured:
            return None
        weights = [self._weight(configuration, trial.configuration) for trial in measured]
        nearest = max(self.trials, key=lambda trial: self._weight(configuration, trial.configuration))

        def mean(of: Callable[[Trial], float]) -> float:
            return sum(w * of(trial) for w, trial in zip(weights, measured, strict=True)) / sum(weights)

        return Prediction(
            (mean(lambda trial: math.log(trial.outcome.objectives[0])),),
            {name: self._ratio(name, mean) for name in self.scale},
            starts=nearest.outcome.kind is OutcomeKind.MEASURED,
        )

    def _ratio(self, name: str, mean: Callable[[Callable[[Trial], float]], float]) -> float:
        return mean(lambda trial: math.log(trial.outcome.observations[0].ratios[name] * self.scale[name]))

    def _weight(self, one: Configuration, other: Configuration) -> float:
        square = sum(self._apart(d.name, one[d.name], other[d.name]) ** 2 for d in self.task.space.dimensions)
        return 1 / (square + 1e-3) ** (_SHARPNESS / 2)

    def _apart(self, name: str, one: Scalar, other: Scalar) -> float:
        dimension = next(d for d in self.task.space.dimensions if d.name == name)
        if one == other:
            return 0.0
        if dimension.kind == "categorical":
            return 1.0
        try:
            return abs(dimension.unit(one) - dimension.unit(other))
        except ValueError:  # a value that this task does not have
            return 1.0


def earlier(task: Task, neighbour: Task, trials: Sequence[Trial]) -> EarlierTask:
    """The prior that outcomes of the neighbour are, as far as the two have the same parameters and limits."""
    needed = {dimension.name for dimension in task.space.dimensions}
    scale = {name: neighbour.limits[name] / limit for name, limit in task.limits.items() if name in neighbour.limits}
    return EarlierTask(neighbour.name, task, [t for t in trials if needed <= set(t.configuration)], scale)

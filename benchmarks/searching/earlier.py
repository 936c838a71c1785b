"""What a search on a neighbouring task leaves behind for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autotuner.contracts.search import Limit, Prior, Trial
from autotuner.search.bayesian.earlier import EarlierOutcomes
from searching.landscape import Task

LENGTH = 20
"""Experiments of the earlier search, which does not end sooner."""


def earlier(task: Task, neighbour: Task, trials: Sequence[Trial]) -> Prior:
    """The prior that outcomes of the neighbour are. A figure is told as a multiple of this task's limit."""
    scale = {name: neighbour.limits[name] / limit for name, limit in task.limits.items() if name in neighbour.limits}
    told = [_scaled(trial, scale) for trial in trials]
    limits = [Limit(name) for name in scale]
    return EarlierOutcomes(f"task {neighbour.name}", task.space.dimensions, told, ("maximize",), limits)


def _scaled(trial: Trial, scale: dict[str, float]) -> Trial:
    outcome = trial.outcome
    observations = tuple(
        replace(o, ratios={name: o.ratios[name] * factor for name, factor in scale.items()})
        for o in outcome.observations
    )
    constraints = {name: ratio - 1 for o in observations for name, ratio in o.ratios.items()} or outcome.constraints
    return Trial(trial.configuration, replace(outcome, observations=observations, constraints=constraints))

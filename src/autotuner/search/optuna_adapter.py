"""Optuna's samplers behind our protocol.

The study is built anew for each ask from what was told, with a seed of its own, so there is no state to keep. Facts on
Optuna 5 that shape it: failed trials are ignored by every sampler, so a crash is given as a complete trial with a
violated constraint; running trials repel TPE (constant liar).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from autotuner.contracts.search import Dimension, Outcome, OutcomeKind, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.history import History, Stream
from autotuner.search.unseen import draw_unseen

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

STARTUP = 5
"""Random valid configurations before the model takes over; 5 did better than Optuna's 10 at 10 to 40 experiments."""
_REASKS = 12
_BELOW_ONE = math.nextafter(1.0, 0.0)


def tpe(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``tpe``: tree-structured Parzen estimator, multi-objective where there are several directions."""
    return TpeStrategy(setup, name="tpe")


class TpeStrategy:
    """TPE over the valid configurations; never repeats one."""

    def __init__(self, setup: SearchSetup, *, name: str) -> None:
        self._name = name
        self._history = History(setup)

    @property
    def name(self) -> str:
        """Registered name."""
        return self._name

    def tell(self, trial: Trial) -> None:
        """Take one outcome."""
        self._history.tell(trial)

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted."""
        known = self._history.known(pending)
        space = self._history.setup.space
        if len(self._history.trials) >= STARTUP and space.dimensions:
            proposed = self._model(pending, known)
            if proposed is not None:
                return proposed
        return draw_unseen(space, Stream(self._history.seed(len(pending), "draw")), known)

    def _model(self, pending: Sequence[Configuration], known: AbstractSet[str]) -> Configuration | None:
        """What TPE proposes; None when all its proposals are known or break a constraint."""
        from optuna.samplers import TPESampler

        space = self._history.setup.space
        distributions = {d.name: _distribution(d) for d in space.dimensions}
        study = self._study(pending, distributions)
        for number in range(_REASKS):
            # Refused proposals stay in the study as running trials, which drives the next one away from them.
            study.sampler = TPESampler(seed=self._history.seed(len(pending), number) % 2**32, n_startup_trials=1)
            params = study.ask(distributions).params
            configuration = {d.name: _decode(d, params[d.name]) for d in space.dimensions}
            # In this order: what breaks a constraint may have no command to take an identity from.
            if space.violation(configuration) is None and space.identity(configuration) not in known:
                return configuration
        return None

    def _study(self, pending: Sequence[Configuration], distributions: dict[str, BaseDistribution]) -> Study:
        import optuna
        from optuna.trial import TrialState, create_trial

        # Optuna reports each study and trial on stderr, which belongs to the program that uses us.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        setup = self._history.setup
        study = optuna.create_study(directions=list(setup.directions))
        worst = self._worst()
        for trial in self._history.trials:
            params = _encode(setup.space.dimensions, trial.configuration)
            if params is None:
                continue  # such as a baseline outside the space: nothing that the model could place
            measured = _usable(trial.outcome)
            study.add_trial(
                create_trial(
                    params=params,
                    distributions=distributions,
                    values=trial.outcome.objectives if measured else worst,
                    constraints=_constraints(trial.outcome),
                )
            )
        # Sorted: after an interruption the pending ones may be listed in another order.
        for configuration in sorted(pending, key=setup.space.identity):
            params = _encode(setup.space.dimensions, configuration)
            if params is not None:
                study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=distributions))
        return study

    def _worst(self) -> list[float]:
        """The value of an experiment without one: the worst seen, per objective. It never leaves this class."""
        rows = [t.outcome.objectives for t in self._history.trials if _usable(t.outcome)]
        if not rows:
            return [0.0] * len(self._history.setup.directions)
        return [
            max(column) if direction == "minimize" else min(column)
            for direction, column in zip(self._history.setup.directions, zip(*rows, strict=True), strict=True)
        ]


def _usable(outcome: Outcome) -> bool:
    """Whether the objectives can be given to a sampler."""
    return outcome.kind is OutcomeKind.MEASURED and all(math.isfinite(value) for value in outcome.objectives)


def _constraints(outcome: Outcome) -> dict[str, float]:
    """Margins, ≤ 0 kept; an outcome without usable objectives violates at least one."""
    margins = {name: 1.0 if math.isnan(margin) else margin for name, margin in outcome.constraints.items()}
    if not _usable(outcome) and not any(margin > 0 for margin in margins.values()):
        margins["infeasible"] = 1.0
    return margins


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Choices by index (ordered ones as integers), numbers by their position on the (log-)scaled axis."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind in {"int", "float"}:
        return FloatDistribution(0.0, 1.0)
    size = dimension.size
    if size is None:
        raise ValueError(f"{dimension.name}: choices without a number")
    return IntDistribution(0, size - 1) if dimension.kind == "ordered" else CategoricalDistribution(range(size))


def _decode(dimension: Dimension, internal: float) -> str | int | float | bool | None:
    if dimension.kind in {"int", "float"}:
        return dimension.at(min(internal, _BELOW_ONE))
    return dimension.value(int(internal))


def _encode(dimensions: Sequence[Dimension], configuration: Configuration) -> dict[str, int | float] | None:
    """The sampler's coordinates of a configuration; None when it does not lie in the space."""
    coordinates: dict[str, int | float] = {}
    for dimension in dimensions:
        if dimension.name not in configuration:
            return None
        value = configuration[dimension.name]
        try:
            if dimension.kind in {"int", "float"}:
                unit = dimension.unit(value)
                if not 0.0 <= unit <= 1.0:
                    return None
                coordinates[dimension.name] = unit
            else:
                coordinates[dimension.name] = dimension.index(value)
        except (TypeError, ValueError):
            return None
    return coordinates

"""Optuna's samplers behind our protocol.

The study is built anew for each ask from what was told, with a seed of its own, so there is no state to keep. Facts on
Optuna 5 that shape it: failed trials are ignored by every sampler, so a crash is given as a complete trial with a
violated constraint; running trials repel TPE (constant liar) and the Gaussian process.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autotuner.contracts.search import Dimension, Outcome, OutcomeKind, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.history import History, Stream
from autotuner.search.optuna_samplers import CMAES, GP, NSGA2, NSGA3, TPE, Method
from autotuner.search.unseen import draw_near, draw_unseen

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

_BELOW_ONE = math.nextafter(1.0, 0.0)


def tpe(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``tpe``: tree-structured Parzen estimator, multi-objective where there are several directions."""
    return OptunaStrategy(setup, TPE)


def gp(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``gp``: Optuna's Gaussian process. AutotunerError (MISSING_EXTRA) without torch."""
    return OptunaStrategy(setup, GP)


def nsga2(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``nsga2``: a genetic algorithm with non-dominated sorting."""
    return OptunaStrategy(setup, NSGA2)


def nsga3(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``nsga3``: the same with reference points, for many objectives."""
    return OptunaStrategy(setup, NSGA3)


def cmaes(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``cmaes``: covariance matrix adaptation; plain choices are drawn at random.

    AutotunerError (CONTRADICTION) for several objectives.
    """
    return OptunaStrategy(setup, CMAES)


class OptunaStrategy:
    """A sampler over the valid configurations; never repeats one."""

    def __init__(self, setup: SearchSetup, method: Method) -> None:
        method.check(setup)
        self._method = method
        self._history = History(setup)

    @property
    def name(self) -> str:
        """Registered name."""
        return self._method.name

    def tell(self, trial: Trial) -> None:
        """Take one outcome."""
        self._history.tell(trial)

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted.

        The first ones are those that ``random`` draws with the same seed.
        """
        known = self._history.known(pending)
        space = self._history.setup.space
        rng = Stream(self._history.seed(len(pending)))
        if len(self._history.trials) < self._method.startup or not space.dimensions:
            return draw_unseen(space, rng, known)
        with quiet():
            proposals = self._proposals(pending)
            refused: Configuration | None = None
            for configuration in proposals:
                # In this order: what breaks a constraint may have no command to take an identity from.
                if space.violation(configuration) is None and space.identity(configuration) not in known:
                    return configuration
                refused = refused or configuration
        return draw_near(space, rng, known, refused)

    def _proposals(self, pending: Sequence[Configuration]) -> Iterator[Configuration]:
        """What the sampler proposes, again and again; some break a constraint or are known."""
        space = self._history.setup.space
        distributions = {d.name: distribution_of(d) for d in space.dimensions}
        study = self._study(pending, distributions)
        for number in range(self._method.asks):
            # Refused proposals stay in the study as running trials, which drives the next one away from them.
            study.sampler = self._method.make(self._history.seed(len(pending), number) % 2**32)
            params = study.ask(distributions).params
            yield {d.name: decode(d, params[d.name]) for d in space.dimensions}

    def _study(self, pending: Sequence[Configuration], distributions: dict[str, BaseDistribution]) -> Study:
        import optuna
        from optuna.trial import TrialState, create_trial

        setup = self._history.setup

        def build(trials: Sequence[FrozenTrial]) -> Study:
            study = optuna.create_study(directions=list(setup.directions))
            study.add_trials(trials)
            return study

        study = self._method.study(self._told(distributions), build, distributions)
        # Sorted: after an interruption the pending ones may be listed in another order.
        for configuration in sorted(pending, key=setup.space.identity):
            params = _encode(setup.space.dimensions, configuration)
            if params is not None:
                study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=distributions))
        return study

    def _told(self, distributions: dict[str, BaseDistribution]) -> list[FrozenTrial]:
        """What was told as complete trials, in that order."""
        from optuna.trial import create_trial

        worst = self._worst()
        told: list[FrozenTrial] = []
        for trial in self._history.trials:
            params = _encode(self._history.setup.space.dimensions, trial.configuration)
            if params is None:
                continue  # such as a baseline outside the space: nothing that the model could place
            constraints = _constraints(trial.outcome)
            bad = not _usable(trial.outcome) or not (
                self._method.constraints or max(constraints.values(), default=0) <= 0
            )
            told.append(
                create_trial(
                    params=params,
                    distributions=distributions,
                    values=worst if bad else trial.outcome.objectives,
                    constraints=constraints if self._method.constraints else None,
                    system_attrs=self._method.attributes(len(told)),
                )
            )
        return told

    def _worst(self) -> list[float]:
        """The value of an experiment without one: the worst seen, per objective. It never leaves this class."""
        rows = [t.outcome.objectives for t in self._history.trials if _usable(t.outcome)]
        if not rows:
            return [0.0] * len(self._history.setup.directions)
        return [
            max(column) if direction == "minimize" else min(column)
            for direction, column in zip(self._history.setup.directions, zip(*rows, strict=True), strict=True)
        ]


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna reports each study and trial on stderr, which belongs to the program that uses us, and warns of samplers
    whose interface may change.
    """
    import optuna
    from optuna.exceptions import ExperimentalWarning

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _usable(outcome: Outcome) -> bool:
    """Whether the objectives can be given to a sampler."""
    return outcome.kind is OutcomeKind.MEASURED and all(math.isfinite(value) for value in outcome.objectives)


def _constraints(outcome: Outcome) -> dict[str, float]:
    """Margins, ≤ 0 kept; an outcome without usable objectives violates at least one."""
    margins = {name: 1.0 if math.isnan(margin) else margin for name, margin in outcome.constraints.items()}
    if not _usable(outcome) and not any(margin > 0 for margin in margins.values()):
        margins["infeasible"] = 1.0
    return margins


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Choices by index (ordered ones as integers), numbers by their position on the (log-)scaled axis."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind in {"int", "float"}:
        return FloatDistribution(0.0, 1.0)
    size = dimension.size
    if size is None:
        raise ValueError(f"{dimension.name}: choices without a number")
    return IntDistribution(0, size - 1) if dimension.kind == "ordered" else CategoricalDistribution(range(size))


def decode(dimension: Dimension, internal: float) -> str | int | float | bool | None:
    """The value of a sampler's coordinate."""
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

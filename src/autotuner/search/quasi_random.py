"""Quasi-random search: Optuna's QMC sampler, which follows a scrambled Sobol sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from autotuner.contracts.search import SearchSetup, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.history import History, Stream
from autotuner.search.optuna_adapter import decode, distribution_of, quiet
from autotuner.search.unseen import draw_unseen

_PER_KNOWN, _LONGEST = 16, 1000
"""The sequence is followed for 16 points per known configuration, at most so many; then one is drawn at random."""


class QuasiRandomSearch:
    """The strategy ``qmc``: of the points of one sequence the first that is valid and was not tried yet."""

    name = "qmc"

    def __init__(self, setup: SearchSetup) -> None:
        self._history = History(setup)

    def tell(self, trial: Trial) -> None:
        """Take one outcome; only the configuration matters here."""
        self._history.tell(trial)

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted."""
        known = self._history.known(pending)
        found = self._next(known)
        if found is not None:
            return found
        return draw_unseen(self._history.setup.space, Stream(self._history.seed(len(pending))), known)

    def _next(self, known: AbstractSet[str]) -> Configuration | None:
        space = self._history.setup.space
        if not space.dimensions:
            return None
        with quiet():
            for configuration in self._sequence(min(_LONGEST, _PER_KNOWN * (len(known) + _PER_KNOWN))):
                # In this order: what breaks a constraint may have no command to take an identity from.
                if space.violation(configuration) is None and space.identity(configuration) not in known:
                    return configuration
        return None

    def _sequence(self, length: int) -> Iterator[Configuration]:
        """From its beginning at each ask: where it stands follows from what is known, not from how it came there."""
        import optuna
        from optuna.samplers import QMCSampler
        from optuna.trial import TrialState, create_trial

        setup = self._history.setup
        dimensions = setup.space.dimensions
        distributions = {d.name: distribution_of(d) for d in dimensions}
        study = optuna.create_study()
        study.sampler = QMCSampler(scramble=True, seed=setup.seed % 2**32, warn_independent_sampling=False)
        # The sampler takes the space from the first trial, so there must be one.
        any_params = {name: distribution.to_external_repr(0.0) for name, distribution in distributions.items()}
        study.add_trial(create_trial(state=TrialState.RUNNING, params=any_params, distributions=distributions))
        for _ in range(length):
            params = study.ask(distributions).params
            yield {d.name: decode(d, params[d.name]) for d in dimensions}

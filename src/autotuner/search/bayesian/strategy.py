"""The strategy ``bayesian``: ask where most is expected to be gained."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from autotuner.contracts.search import SearchReport, SearchSetup, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.bayesian.candidates import Candidates, places_only
from autotuner.search.bayesian.cost import seconds
from autotuner.search.bayesian.encoding import Encoding
from autotuner.search.bayesian.gain import Gain, Seen
from autotuner.search.bayesian.model import Known, Model
from autotuner.search.bayesian.pool import Pool
from autotuner.search.bayesian.told import Told, limits_of, numbers
from autotuner.search.bayesian.trends import predictions
from autotuner.search.history import History, Stream
from autotuner.search.unseen import draw_unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

FIRST = 4
"""Configurations that are spread over the space before a model is asked, where nothing is known beforehand."""
_SPREAD_OVER = 256
"""Of so many random candidates the one that lies farthest from all tried ones comes next, while there is no model."""
_CLIMBS = 3
"""Rounds in which the neighbours of the most promising candidates are weighed, where not all can be."""
_PROMISING = 3
_DRAWN = 200
_DRAWS = 128
"""Candidates and draws of them by which the regret is estimated."""


class BayesianSearch:
    """Gaussian processes of the objectives and of each limit; expected improvement over what is known to be valid.

    All that it keeps between asks is made from what was told alone.
    """

    name = "bayesian"

    def __init__(self, setup: SearchSetup) -> None:
        self._setup = setup
        self._rough = () if setup.knowledge is None else (setup.knowledge,)
        self._priors = (*self._rough, *setup.priors)
        self._history = History(setup)
        self._encoding = Encoding(setup.space.dimensions)
        self._pool = Pool(setup, self._encoding)
        self._of_pool: Known | None = None
        self._learned: _Learned | None = None

    def tell(self, trial: Trial) -> None:
        """Take one outcome."""
        self._history.tell(trial)
        self._learned = None

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted."""
        space, default = self._setup.space, self._setup.default
        known = self._history.known(pending)
        if default is not None and space.violation(default) is None and space.identity(default) not in known:
            return default
        stream = Stream(self._history.seed(len(pending), "draw"))
        if not self._encoding.axes:
            return draw_unseen(space, stream, known)
        # Sorted: after an interruption the pending ones may be listed in another order.
        waiting = sorted(pending, key=space.identity)
        own = self._pool.some if self._pool.all is None else self._pool.all
        free = np.array([identity not in known for identity in own.identities], dtype=bool)
        if not free.any():
            return None if self._pool.all is not None else draw_unseen(space, stream, known)
        if self._of_pool is None:
            self._of_pool = self._known(own)
        scores = np.where(free, self._scores(own, self._of_pool, waiting, stream), -np.inf)
        best = _first(scores, stream)
        if self._pool.all is not None or self._learn().model is None:
            return own.configurations[best]
        promising = [own.configurations[i] for i in np.argsort(-scores, kind="stable")[:_PROMISING]]
        return self._climb(promising, float(scores[best]), known, waiting, stream)

    def report(self, pending: Sequence[Configuration] = ()) -> SearchReport:
        """What it makes of what was told: gain and regret expected, by draws from the model, and whom it believes."""
        learned = self._learn()
        if learned.model is None or learned.gain is None:
            return SearchReport()
        weights = {prior.name: learned.model.weights.get(number, 0.0) for number, prior in enumerate(self._priors)}
        best = learned.gain.best(1)[0]
        if len(self._setup.directions) > 1 or not learned.told.kept[best]:
            return SearchReport(priors=weights)
        regret = self._regret(learned.model, learned.gain, self._history.trials[learned.told.trial[best]].configuration)
        tolerance, tried = self._setup.regret_tolerance, len(self._history.trials)
        stop = None
        if tolerance is not None and regret <= tolerance and tried >= FIRST + len(self._encoding.axes):
            stop = (
                f"the best there is is expected to be {100 * regret:.2g} % better than the best found, "
                f"within the tolerance of {100 * tolerance:.3g} %"
            )
        return SearchReport(expected_regret=regret, priors=weights, stop=stop)

    def _regret(self, model: Model, gain: Gain, best: Configuration) -> float:
        """By how much the best there is is expected to be better, over joint draws of the most promising ones."""
        own = self._pool.some if self._pool.all is None else self._pool.all
        known = self._known(own)
        numbers = gain.promising(model.beliefs(own, known), _DRAWN)
        asked = self._pool.of([best, *(own.configurations[i] for i in numbers)])
        rng = np.random.default_rng(self._history.seed(0, "regret"))
        worth = gain.worth_of(model.draws(self._known(asked), _DRAWS, rng))
        starts = model.starts(asked)
        worth = np.where(rng.random(worth.shape) < starts, worth, -np.inf)
        found = worth[:, 0]
        # Where the best found itself breaks a limit in a draw, anything that keeps it is what is missed.
        kept = found[np.isfinite(found)]
        base = np.where(np.isfinite(found), found, np.median(kept) if len(kept) else 0.0)
        return float(np.mean(np.expm1(np.clip(worth.max(axis=1) - base, 0.0, 3.0))))

    def _climb(
        self,
        promising: list[Configuration],
        top: float,
        known: AbstractSet[str],
        waiting: Sequence[Configuration],
        stream: Stream,
    ) -> Configuration:
        """The best in reach of the most promising ones, first of all, by steps of one parameter."""
        best, centres = promising[0], [*self._best_measured(), *promising]
        for _ in range(_CLIMBS):
            near = self._pool.around(centres, stream, known)
            if not len(near):
                break
            scores = self._scores(near, self._known(near), waiting, stream)
            first = _first(scores, stream)
            if scores[first] <= top:
                break
            best, top = near.configurations[first], float(scores[first])
            centres = [near.configurations[i] for i in np.argsort(-scores, kind="stable")[:_PROMISING]]
        return best

    def _best_measured(self) -> list[Configuration]:
        learned = self._learn()
        if learned.gain is None:
            return []
        trials = [learned.told.trial[row] for row in learned.gain.best(_PROMISING)]
        foreign = {d.name for d in self._setup.space.dimensions}
        return [c for t in trials if foreign <= set(c := self._history.trials[t].configuration)]

    def _scores(self, own: Candidates, known: Known, waiting: Sequence[Configuration], stream: Stream) -> Matrix:
        learned = self._learn()
        if learned.model is None or learned.gain is None:
            return self._spread(own, waiting, stream)
        model = learned.model
        if waiting:
            expected = self._pool.of(waiting)
            model = model.expecting(expected, self._known(expected))
        gain: Matrix = learned.gain.expected(model.beliefs(own, known)) * model.starts(own)
        if self._setup.cost is not None:
            gain = gain / seconds(self._setup.cost, self._history.trials, own.configurations)
        return gain

    def _spread(self, own: Candidates, waiting: Sequence[Configuration], stream: Stream) -> Matrix:
        """How far each of some random candidates lies from all that were tried, as fractions of the farthest."""
        tried = self._encoding.rows([*(t.configuration for t in self._history.trials), *waiting])
        some = np.full(len(own), -np.inf)
        drawn = sorted({stream.randrange(len(own)) for _ in range(min(_SPREAD_OVER, len(own)))})
        distances = np.zeros((len(drawn), len(tried)))
        for number, axis in enumerate(self._encoding.axes):
            distances += axis.distances(own.rows[drawn, number], tried[:, number]) ** 2
        some[drawn] = distances.min(axis=1) if len(tried) else 0.0
        return some

    def _learn(self) -> _Learned:
        if self._learned is None:
            self._learned = self._model()
        return self._learned

    def _model(self) -> _Learned:
        trials, setup = self._history.trials, self._setup
        limits = limits_of(setup.limits, trials)
        told = numbers(trials, self._encoding, setup.directions, limits)
        if len(told.scored) == 0 or len(trials) < (1 if self._priors else FIRST):
            return _Learned(told, None, None)
        known = self._known(places_only(told.places, [trials[t].configuration for t in told.trial]))
        model = Model(self._encoding.axes, told, known, rough=len(self._rough))
        measured = known.part(told.scored)
        seen = Seen(model.beliefs(places_only(measured.places), measured), told.kept[told.scored], told.scored)
        return _Learned(told, model, Gain(seen, limits, len(setup.directions)))

    def _known(self, own: Candidates) -> Known:
        setup = self._setup
        limits = limits_of(setup.limits, self._history.trials)
        said = (predictions(prior, own.configurations, setup.directions, limits) for prior in self._priors)
        return Known(own.rows, tuple(said))


class _Learned:
    """What was made of what was told so far; no model, no gain while too little was told."""

    def __init__(self, told: Told, model: Model | None, gain: Gain | None) -> None:
        self.told = told
        self.model = model
        self.gain = gain


def _first(scores: Matrix, stream: Stream) -> int:
    """The number of the highest score; among equal ones at random."""
    equal = np.flatnonzero(scores >= scores.max() * (1 - 1e-12))
    return int(equal[stream.randrange(len(equal))])

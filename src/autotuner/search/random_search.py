"""Random search without repeats: the honest baseline of every other strategy."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.search import SearchSetup, Trial
from autotuner.contracts.values import Configuration
from autotuner.search.history import History, Stream
from autotuner.search.unseen import draw_unseen


class RandomSearch:
    """Uniform over the valid configurations that were not tried yet."""

    name = "random"

    def __init__(self, setup: SearchSetup) -> None:
        self._history = History(setup)

    def tell(self, trial: Trial) -> None:
        """Take one outcome."""
        self._history.tell(trial)

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted."""
        rng = Stream(self._history.seed(len(pending)))
        return draw_unseen(self._history.setup.space, rng, self._history.known(pending))

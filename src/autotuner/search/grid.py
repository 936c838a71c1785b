"""Grid search: every valid configuration, or a space-filling part of them when the budget is smaller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import SearchSetup, SearchSpace, Trial
from autotuner.contracts.values import Configuration, digest
from autotuner.search.history import History

_COUNTED = 20_000
"""Grids up to this size are enumerated to see whether the budget covers every valid point."""
_LARGEST_SAMPLE = 16
"""The low-discrepancy sequence is followed for at most 2 to this power points."""


class GridSearch:
    """Exhaustive in document order. A budget below the number of valid points gives a space-filling subset instead.

    The subset is the first distinct valid points of a scrambled Sobol sequence over the unit coordinates, so every
    value of every parameter gets its share, and a longer budget only adds points. What lies beyond the subset follows
    in document order. Nothing is held in memory but proposals that were not told yet.
    """

    name = "grid"

    def __init__(self, setup: SearchSetup) -> None:
        """Raises AutotunerError (CONTRADICTION) for a continuous space without a budget."""
        if setup.space.grid_size is None and setup.budget is None:
            continuous = [d.name for d in setup.space.dimensions if d.size is None]
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                "A grid search over continuous parameters has no end",
                why=f"{', '.join(continuous)} has no finite list of values and no number of experiments is given",
                remedy="Give optimization.max_iterations, a step or a list of values, or another strategy",
                place="optimization.strategy",
            )
        self._history = History(setup)
        self._points = _order(setup)
        self._open: dict[str, Configuration] = {}

    def tell(self, trial: Trial) -> None:
        """Take one outcome; only the configuration matters here."""
        self._open.pop(self._history.tell(trial), None)

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted."""
        known = self._history.known(pending)
        for identity, configuration in self._open.items():
            if identity not in known:
                return configuration
        space = self._history.setup.space
        told = self._history.known(())
        for configuration in self._points:
            identity = space.identity(configuration)
            if identity in told:
                continue
            self._open[identity] = configuration
            if identity not in known:
                return configuration
        return None


def _order(setup: SearchSetup) -> Iterator[Configuration]:
    """Valid configurations in the order of proposal; some may come twice."""
    space, budget = setup.space, setup.budget
    if budget is not None and not _covers(space, budget):
        yield from chain(_space_filling(setup, budget), space.enumerate() if space.grid_size is not None else ())
    else:
        yield from space.enumerate()


def _covers(space: SearchSpace, budget: int) -> bool:
    """Whether the budget pays for every valid configuration; a large grid is taken not to be covered."""
    if space.grid_size is None:
        return False
    if space.grid_size <= budget:
        return True
    if space.grid_size > _COUNTED:
        return False
    return all(number < budget for number, _ in enumerate(space.enumerate()))


def _space_filling(setup: SearchSetup, budget: int) -> Iterator[Configuration]:
    """The first ``budget`` distinct valid points of a scrambled Sobol sequence.

    A continuous space has no enumeration that could follow, so there the whole sequence is used.
    """
    from scipy.stats import qmc  # half a second to import

    space = setup.space
    dimensions = space.dimensions
    if not dimensions:
        return
    seed = int(digest([setup.seed, "grid"]), 16)
    seen: set[str] = set()
    done = 0
    for power in range(8, _LARGEST_SAMPLE + 1, 2):
        # The same seed gives the same sequence: a larger block begins with the smaller one.
        block = qmc.Sobol(len(dimensions), scramble=True, rng=seed).random_base2(power)
        for point in block[done:]:
            configuration = {d.name: d.at(float(u)) for d, u in zip(dimensions, point, strict=True)}
            identity = space.identity(configuration)
            if identity in seen or space.violation(configuration) is not None:
                continue
            seen.add(identity)
            yield configuration
            if len(seen) == budget and space.grid_size is not None:
                return
        done = len(block)

"""The search strategies by name."""

from __future__ import annotations

from collections.abc import Callable

from autotuner.contracts.registry import Registry
from autotuner.contracts.search import SearchSetup, SearchStrategy

STRATEGIES: Registry[Callable[[SearchSetup], SearchStrategy]] = Registry(
    kind="search strategy",
    group="autotuner.strategies",
    place="optimization.strategy",
    built_in={
        "grid": "autotuner.search.grid:GridSearch",
        "random": "autotuner.search.random_search:RandomSearch",
        "bayesian": "autotuner.search.bayesian.strategy:BayesianSearch",
        "tpe": "autotuner.search.optuna_adapter:tpe",
        "gp": "autotuner.search.optuna_adapter:gp",
        "nsga2": "autotuner.search.optuna_adapter:nsga2",
        "nsga3": "autotuner.search.optuna_adapter:nsga3",
        "cmaes": "autotuner.search.optuna_adapter:cmaes",
        "qmc": "autotuner.search.quasi_random:QuasiRandomSearch",
    },
    aliases={"grid_search": "grid", "random_search": "random", "bayesian_optimization": "bayesian"},
    preferred="bayesian",
)


def make_strategy(name: str, setup: SearchSetup) -> SearchStrategy:
    """A new strategy that was told nothing yet.

    Raises AutotunerError: UNKNOWN_NAME, or what the strategy itself refuses (CONTRADICTION, MISSING_EXTRA).
    """
    return STRATEGIES.load(name)(setup)

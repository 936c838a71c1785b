"""Strategies by name. A strategy's module is imported when it is made, so that heavy libraries wait until then."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import SearchSetup, SearchStrategy

StrategyFactory = Callable[[SearchSetup], SearchStrategy]

ENTRY_POINTS = "autotuner.strategies"
"""Group under which other distributions offer a ``StrategyFactory``. The built-in names can't be taken."""

_BUILT_IN = {
    "grid": ("autotuner.search.grid", "GridSearch"),
    "random": ("autotuner.search.random_search", "RandomSearch"),
    "bayesian": ("autotuner.search.bayesian", "bayesian"),
    "tpe": ("autotuner.search.optuna_adapter", "tpe"),
}
_ALIASES = {"grid_search": "grid", "random_search": "random", "bayesian_optimization": "bayesian"}


def strategy_names() -> list[str]:
    """Names of all strategies, without aliases."""
    offered = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return [*_BUILT_IN, *sorted(offered - set(_BUILT_IN))]


def resolve_strategy(name: str) -> str:
    """The registered name for a name or alias; AutotunerError (UNKNOWN_NAME) with the nearest one."""
    wanted = name.strip().lower().replace("-", "_")
    wanted = _ALIASES.get(wanted, wanted)
    names = strategy_names()
    if wanted in names:
        return wanted
    near = get_close_matches(wanted, [*names, *_ALIASES], n=1)
    raise AutotunerError(
        ErrorCode.UNKNOWN_NAME,
        f"There is no search strategy {name!r}",
        why=f"the strategies are {', '.join(names)}",
        remedy=f"Did you mean {near[0]!r}" if near else "Use one of these",
        place="optimization.strategy",
    )


def make_strategy(name: str, setup: SearchSetup) -> SearchStrategy:
    """A new strategy that was told nothing yet.

    Raises AutotunerError: UNKNOWN_NAME, or what the strategy itself refuses (CONTRADICTION, MISSING_EXTRA).
    """
    return _factory(resolve_strategy(name))(setup)


def _factory(name: str) -> StrategyFactory:
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        built_in: StrategyFactory = getattr(import_module(module), attribute)
        return built_in
    point = next(iter(entry_points(group=ENTRY_POINTS, name=name)))
    offered: StrategyFactory = point.load()
    return offered

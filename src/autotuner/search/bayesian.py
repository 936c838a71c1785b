"""The default strategy: the strongest one there is for few, costly, noisy experiments with constraints."""

from __future__ import annotations

from dataclasses import replace

from autotuner.contracts.search import SearchSetup, SearchStrategy
from autotuner.search.optuna_adapter import OptunaStrategy
from autotuner.search.optuna_samplers import TPE


def bayesian(setup: SearchSetup) -> SearchStrategy:
    """The strategy ``bayesian``; at present Optuna's TPE with few random starts."""
    return OptunaStrategy(setup, replace(TPE, name="bayesian"))

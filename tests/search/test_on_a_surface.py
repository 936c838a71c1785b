"""Strategies on a predicted landscape: one experiment is one row of the table at the load that fills it."""

from __future__ import annotations

from functools import cache
from statistics import median

from autotuner.contracts.engine import LaunchRequest, PlanContext, Runtime
from autotuner.contracts.search import Outcome, OutcomeKind, SearchSetup, SearchSpace
from autotuner.contracts.values import Configuration
from autotuner.engines.simulated.engine import SimulatedEngine
from autotuner.engines.simulated.prediction import Prediction
from autotuner.search.registry import make_strategy
from conformance.strategy_suite import run
from conformance.toy_space import Choices, ToySpace

OPTIMUM = 7007.72
"""Best output tokens/s of the node with TTFT ≤ 2 s and TPOT ≤ 50 ms."""


@cache
def landscape() -> tuple[SearchSpace, dict[str, Outcome]]:
    """The space of 1,260 valid rows and, by identity, what an experiment without noise says."""
    engine, context = SimulatedEngine(), PlanContext("m")
    (rule,) = engine.rules
    suggested = engine.suggest({}, None, 256).parameters
    kinds = {p.name: "ordered" if p.ordered else "categorical" for p in engine.catalogue.parameters}
    space = ToySpace(
        *(
            Choices(name, tuple(values), "ordered" if kinds[name] == "ordered" else "categorical")
            for name, values in suggested.items()
            if isinstance(values, tuple)
        ),
        rules=(lambda configuration: rule.check(configuration, context),),
    )
    outcomes = {}
    for configuration in space.enumerate():
        request = LaunchRequest("m", "m", configuration, Runtime(), context)
        prediction = Prediction.model_validate(engine.options(request))
        figures = prediction.at(prediction.saturating)
        margins = {"ttft": figures.ttft_s / 2.0 - 1, "tpot": figures.tpot_s / 0.05 - 1}
        outcomes[space.identity(configuration)] = Outcome(OutcomeKind.MEASURED, (figures.throughput,), margins)
    return space, outcomes


def best_after(name: str, seed: int, steps: int) -> float:
    """Best feasible throughput found."""
    space, outcomes = landscape()

    def outcome(configuration: Configuration) -> Outcome:
        return outcomes[space.identity(configuration)]

    trials = run(make_strategy(name, SearchSetup(space, ("maximize",), seed, budget=steps)), steps, outcome)
    kept = [t.outcome.objectives[0] for t in trials if max(t.outcome.constraints.values()) <= 0]
    return max(kept, default=0.0)


def test_the_landscape_is_the_known_one() -> None:
    space, outcomes = landscape()
    assert space.grid_size == 1440
    assert len(outcomes) == 1260
    feasible = [o.objectives[0] for o in outcomes.values() if max(o.constraints.values()) <= 0]
    assert abs(max(feasible) - OPTIMUM) < 0.01


def test_tpe_is_better_than_random_at_40_experiments() -> None:
    seeds = range(10)
    random = [best_after("random", seed, 40) for seed in seeds]
    tpe = [best_after("tpe", seed, 40) for seed in seeds]
    assert median(tpe) >= median(random)
    assert median(tpe) >= 0.93 * OPTIMUM
    assert max(tpe) <= OPTIMUM + 0.01


def test_the_default_is_far_better_than_random_at_20_experiments() -> None:
    """Without any knowledge beforehand; a guard against the day on which a change makes it worse."""
    found = [best_after("bayesian", seed, 20) for seed in range(5)]
    assert median(found) >= 0.95 * OPTIMUM
    assert min(found) >= 0.85 * OPTIMUM
    assert max(found) <= OPTIMUM + 0.01

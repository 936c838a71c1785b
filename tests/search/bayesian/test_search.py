"""What the strategy does with what it is told: priors, limits, crashes, costs, several objectives, its report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.search import (
    CostModel,
    Limit,
    Observation,
    Outcome,
    OutcomeKind,
    Prediction,
    SearchSetup,
    Spent,
    Trial,
)
from autotuner.contracts.values import Configuration
from autotuner.search.bayesian.cost import seconds
from autotuner.search.bayesian.earlier import EarlierOutcomes
from autotuner.search.bayesian.encoding import Encoding
from autotuner.search.bayesian.gain import Belief, hypervolume_improvement, improvement, penalised
from autotuner.search.bayesian.strategy import BayesianSearch
from autotuner.search.bayesian.told import numbers
from conformance.strategy_suite import run
from conformance.toy_space import Choices, Floats, ToySpace

LIMITS = (Limit("tpot"),)


def space() -> ToySpace:
    return ToySpace(
        Choices("tp", (1, 2, 4, 8)),
        Choices("seqs", (1, 2, 4, 8, 16, 32, 64, 128, 256)),
        Choices("tokens", (2048, 8192, 16384)),
        Choices("quant", ("bf16", "fp8", "fp8_block"), "categorical"),
    )


def figures(configuration: Configuration) -> tuple[float, float]:
    """Logarithms of throughput and of TPOT / limit: what batches, GPUs and precision do, roughly as they do it."""
    tp, seqs = math.log2(float(configuration["tp"] or 1)), math.log2(float(configuration["seqs"] or 1))
    fast = {"bf16": 0.0, "fp8": 0.5, "fp8_block": 0.1}[str(configuration["quant"])]
    tpot = math.log(2 ** (0.3 * seqs) + 2 ** (seqs - 5)) - 0.4 * tp - fast
    return 0.7 * seqs - tpot - 0.7 * tp, tpot - 0.7


def outcome(configuration: Configuration) -> Outcome:
    gain, miss = figures(configuration)
    seen = Observation((math.exp(gain),), {"tpot": math.exp(miss)})
    return Outcome(OutcomeKind.MEASURED, seen.objectives, {"tpot": math.exp(miss) - 1}, (seen,))


def best() -> float:
    kept = [figures(c)[0] for c in space().enumerate() if figures(c)[1] <= 0]
    return max(kept)


@dataclass(frozen=True)
class Said:
    """A prior from a function to the logarithms of throughput and TPOT."""

    name: str
    of: Callable[[Configuration], tuple[float, float]]

    def predict(self, configuration: Configuration) -> Prediction:
        gain, miss = self.of(configuration)
        return Prediction((gain,), {"tpot": miss})


def needed(priors: tuple[Said, ...] = (), seed: int = 0, steps: int = 40) -> int:
    """Experiments until within 5 % of the best."""
    setup = SearchSetup(space(), ("maximize",), seed, budget=steps, limits=LIMITS, priors=priors)
    trials = run(BayesianSearch(setup), steps, outcome)
    near = [figures(t.configuration)[1] <= 0 and figures(t.configuration)[0] >= best() - 0.05 for t in trials]
    return near.index(True) + 1 if any(near) else steps + 1


@pytest.mark.slow
def test_a_prior_that_ranks_well_saves_experiments_and_a_wrong_one_costs_few() -> None:
    """The right one is off in scale and offset, as predictions are; the wrong one says the opposite of it."""
    right = Said("right", lambda c: (0.8 * figures(c)[0] + 2, 0.9 * figures(c)[1] - 1))
    wrong = Said("wrong", lambda c: (-figures(c)[0], -figures(c)[1]))
    none = np.median([needed((), seed) for seed in range(3)])
    assert np.median([needed((right,), seed) for seed in range(3)]) <= min(4, none)
    assert np.median([needed((wrong,), seed) for seed in range(3)]) <= none + 3


def test_a_wrong_prior_loses_its_weight() -> None:
    wrong = Said("wrong", lambda c: (-figures(c)[0], -figures(c)[1]))
    right = Said("right", lambda c: figures(c))
    strategy = BayesianSearch(SearchSetup(space(), ("maximize",), 1, limits=LIMITS, priors=(wrong, right)))
    run(strategy, 6, outcome)
    weights = strategy.report().priors
    assert weights["wrong"] < 0.05
    assert weights["right"] > 0.9


def test_the_default_comes_first_and_never_again() -> None:
    default = {"tp": 2, "seqs": 64, "tokens": 8192, "quant": "bf16"}
    strategy = BayesianSearch(SearchSetup(space(), ("maximize",), 3, limits=LIMITS, default=default))
    trials = run(strategy, 6, outcome)
    assert [t.configuration for t in trials].count(default) == 1
    assert trials[0].configuration == default


def test_the_regret_falls_and_its_stop_is_said_in_words() -> None:
    setup = SearchSetup(space(), ("maximize",), 0, limits=LIMITS, regret_tolerance=0.02)
    strategy = BayesianSearch(setup)
    assert strategy.report().expected_regret is None
    run(strategy, 8, outcome)
    early = strategy.report()
    run(strategy, 22, outcome)
    late = strategy.report()
    assert early.expected_regret is not None
    assert late.expected_regret is not None
    assert late.expected_regret <= max(early.expected_regret, 0.02)
    assert late.stop is not None
    assert "within the tolerance of 2 %" in late.stop


def test_measured_crashes_are_avoided_where_a_rule_of_one_value_explains_them() -> None:
    def crashing(configuration: Configuration) -> Outcome:
        if configuration["quant"] == "bf16" and configuration["tp"] == 1:
            return Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0})
        return outcome(configuration)

    trials = run(BayesianSearch(SearchSetup(space(), ("maximize",), 2, limits=LIMITS)), 25, crashing)
    assert sum(t.outcome.kind is OutcomeKind.INFEASIBLE for t in trials) <= 3


def test_what_needs_no_restart_is_varied_without_one() -> None:
    """``tokens`` changes nothing but costs nothing: of two equal gains the cheaper is taken."""
    model = CostModel(300.0, 20.0, warm=frozenset({"tokens"}), gpus=lambda c: int(c["tp"] or 1))
    here = {"tp": 2, "seqs": 64, "tokens": 8192, "quant": "bf16"}
    told = Trial(here, Outcome(OutcomeKind.MEASURED, (1.0,), observations=(Observation((1.0,)),)))
    found = seconds(model, [told], [{**here, "tokens": 2048}, {**here, "seqs": 32}, {**here, "tp": 4, "seqs": 32}])
    assert list(found) == [40.0, 640.0, 1280.0]
    spent = Trial(
        here, Outcome(OutcomeKind.MEASURED, (1.0,), observations=told.outcome.observations, spent=Spent(100, 10))
    )
    assert list(seconds(model, [spent], [{**here, "tokens": 2048}, {**here, "seqs": 32}])) == [20.0, 220.0]


def test_several_objectives_spread_over_the_front() -> None:
    def two(configuration: Configuration) -> Outcome:
        gain, miss = figures(configuration)
        values = (math.exp(gain), math.exp(miss))
        return Outcome(OutcomeKind.MEASURED, values, observations=(Observation(values),))

    trials = run(BayesianSearch(SearchSetup(space(), ("maximize", "minimize"), 0)), 25, two)
    found = np.array([figures(t.configuration) for t in trials]) * [1, -1]
    everything = np.array([figures(c) for c in space().enumerate()]) * [1, -1]
    low = everything.min(axis=0)

    def volume(points: np.ndarray) -> float:
        total, reached = 0.0, low[1]
        for x, y in sorted(points.tolist(), reverse=True):
            if y > reached:
                total += (x - low[0]) * (y - reached)
                reached = y
        return total

    assert volume(found) >= 0.95 * volume(everything)


def test_other_loads_tell_of_the_scored_one() -> None:
    """What several loads of one start show is learned; only the scored load counts for the best."""

    def loads(configuration: Configuration) -> Outcome:
        gain, miss = figures(configuration)
        seen = [
            Observation((math.exp(gain + 0.5 * math.log(load)),), {"tpot": math.exp(miss + 0.3 * math.log(load))}, load)
            for load in (0.25, 1.0)
        ]
        return Outcome(OutcomeKind.MEASURED, (math.exp(gain),), {"tpot": math.exp(miss) - 1}, tuple(seen))

    setup = SearchSetup(space(), ("maximize",), 0, limits=LIMITS)
    trials = run(BayesianSearch(setup), 25, loads)
    found = max(figures(t.configuration)[0] for t in trials if figures(t.configuration)[1] <= 0)
    assert found >= best() - 0.05


def test_outcomes_of_an_earlier_task_are_a_prior() -> None:
    trials = [Trial(c, outcome(c)) for c in list(space().enumerate())[::7]]
    earlier = EarlierOutcomes("task before", space().dimensions, trials, ("maximize",), LIMITS)
    assert earlier.measured == len(trials)
    asked = list(space().enumerate())[3::11]
    said = earlier.predict_many(asked)
    off = [p.log_objectives[0] - figures(c)[0] for p, c in zip(said, asked, strict=True) if p and p.log_objectives[0]]
    assert len(off) == len(asked)
    assert np.std(off) < 0.15
    assert earlier.predict(asked[0]) == pytest.approx(said[0]) or earlier.predict(asked[0]) is not None


def test_an_earlier_task_without_figures_says_nothing() -> None:
    crash = Trial({"tp": 1}, Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0}))
    assert EarlierOutcomes("x", space().dimensions, [crash], ("maximize",), LIMITS).predict({"tp": 1}) is None


@given(
    mean=st.floats(-3, 3),
    deviation=st.floats(0.01, 1.5),
    best_log=st.floats(-3, 3),
)
@settings(max_examples=60, deadline=None)
def test_the_improvement_is_that_of_many_draws(mean: float, deviation: float, best_log: float) -> None:
    draws = mean + deviation * np.random.default_rng(0).standard_normal(200_000)
    drawn = float(np.mean(np.maximum(np.expm1(draws - best_log), 0.0)))
    exact = float(improvement(np.array([mean]), np.array([deviation**2]), best_log)[0])
    assert exact == pytest.approx(drawn, rel=0.1, abs=0.02)


def test_a_soft_limit_costs_what_its_penalty_says() -> None:
    """Certain of a ratio of 1.1: weight × (e^(0.1 / 0.1) − 1), whose logarithm of one more is 1."""
    belief = Belief(1.0, np.array([[2.0], [math.log(1.1)]]), np.array([[1e-12], [1e-12]]))
    mean, variance = penalised(belief, (Limit("tpot", violated_from=None),), 1)
    assert mean[0][0] == pytest.approx(2.0 - 1.0, abs=1e-6)
    assert variance[0][0] < 1e-6
    hard, _ = penalised(belief, (Limit("tpot"),), 1)
    assert hard[0][0] == 2.0


def test_what_is_certainly_dominated_gains_no_volume() -> None:
    front = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])
    mean = np.array([[0.5, 2.5, 1.5], [0.5, 0.5, 1.5]])
    found = hypervolume_improvement(mean, np.full((2, 3), 1e-8), front)
    assert found[0] == 0.0
    assert found[1] > 0.02
    assert found[2] > 0.02


@given(st.lists(st.sampled_from([1, 2, 4, 8, None, "odd", 3]), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_value_has_a_place(values: list[int | str | None]) -> None:
    own = ToySpace(Choices("tp", (1, 2, 4, 8)), Choices("kind", ("a", "b"), "categorical"), Floats("f", 0.1, 0.9))
    rows = Encoding(own.dimensions).rows([{"tp": v, "kind": v, "f": 0.5} for v in values])
    assert np.isfinite(rows).all()


def test_doublings_are_equally_far_apart_and_categories_too() -> None:
    own = ToySpace(Choices("seqs", (1, 2, 64, 128)), Choices("kind", ("a", "b", "c"), "categorical"))
    encoding = Encoding(own.dimensions)
    places = encoding.rows([{"seqs": s, "kind": k} for s, k in ((1, "a"), (2, "b"), (64, "c"), (128, "a"))])
    seqs, kind = (axis.distances(places[:, n], places[:, n]) for n, axis in enumerate(encoding.axes))
    assert seqs[0, 1] == pytest.approx(seqs[2, 3])
    assert kind.tolist() == [[0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]]


def test_outcomes_without_figures_are_failures_and_scores_may_be_negative() -> None:
    own = ToySpace(Choices("x", (0, 1, 2)))
    trials = [
        Trial({"x": 0}, Outcome(OutcomeKind.MEASURED, (-3.0,))),
        Trial({"x": 1}, Outcome(OutcomeKind.MEASURED, (5.0,))),
        Trial({"x": 2}, Outcome(OutcomeKind.MEASURED, (math.nan,))),
    ]
    told = numbers(trials, Encoding(own.dimensions), ("minimize",), ())
    assert len(told.crashed) == 1
    assert told.gains[0, 0] > told.gains[1, 0]

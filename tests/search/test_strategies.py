"""Every strategy passes the conformance suite; what they differ in is tested here too."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from importlib.util import find_spec

import pytest

from autotuner.contracts import registry
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import Outcome, OutcomeKind, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.values import Configuration
from autotuner.search import optuna_samplers
from autotuner.search.registry import STRATEGIES, make_strategy
from conformance.strategy_suite import (
    CHECKS,
    Make,
    check_seed_matters,
    check_two_objectives,
    mixed_space,
    run,
    small_space,
)
from conformance.toy_space import Choices, Floats, ToySpace


def maker(name: str) -> Make:
    def make(setup: SearchSetup) -> SearchStrategy:
        return make_strategy(name, setup)

    return make


needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed (the extra gp)")
DRAWING = [
    "random",
    "bayesian",
    "tpe",
    "nsga2",
    "nsga3",
    "qmc",
    "cmaes",
    pytest.param("gp", marks=[needs_torch, pytest.mark.slow]),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ["grid", *DRAWING])
def test_conformance(name: str, check: Callable[[Make], None]) -> None:
    if (name, check) == ("cmaes", check_two_objectives):
        with pytest.raises(AutotunerError) as caught:
            check(maker(name))
        assert caught.value.code is ErrorCode.CONTRADICTION
    else:
        check(maker(name))


@pytest.mark.parametrize("name", ["tpe", "nsga2", "nsga3", "cmaes"])
def test_the_first_points_are_those_of_random_search(name: str) -> None:
    setup = SearchSetup(mixed_space(), ("maximize",), 5, budget=40)
    ours, random = (run(make_strategy(each, setup), 5) for each in (name, "random"))
    assert [t.configuration for t in ours] == [t.configuration for t in random]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna_samplers, "find_spec", lambda name: None)
    with pytest.raises(AutotunerError) as caught:
        make_strategy("gp", SearchSetup(small_space(), ("maximize",), 0))
    assert caught.value.code is ErrorCode.MISSING_EXTRA
    assert "torch" in caught.value.why
    assert "inference-autotuner[gp]" in caught.value.remedy


@pytest.mark.parametrize("name", DRAWING)
def test_the_seed_decides_the_proposals(name: str) -> None:
    check_seed_matters(maker(name))


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("grid_search", "grid"),
        ("random_search", "random"),
        ("bayesian_optimization", "bayesian"),
        ("Grid-Search", "grid"),
        ("tpe", "tpe"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert STRATEGIES.resolve(alias) == name
    assert make_strategy(alias, SearchSetup(small_space(), ("maximize",), 0)).name == name


def test_unknown_name_names_the_nearest() -> None:
    with pytest.raises(AutotunerError) as caught:
        make_strategy("baysian", SearchSetup(small_space(), ("maximize",), 0))
    assert caught.value.code is ErrorCode.UNKNOWN_NAME
    assert "'bayesian'" in caught.value.remedy
    assert "grid" in caught.value.why


def test_entry_points_add_strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "autotuner.search.random_search:RandomSearch", STRATEGIES.group)
    points = EntryPoints([point])
    monkeypatch.setattr(registry, "entry_points", lambda **query: points.select(**query))
    monkeypatch.setattr(registry, "_offered", registry._offered.__wrapped__)  # not what was looked up before
    assert "mine" in STRATEGIES.names()
    assert make_strategy("mine", SearchSetup(small_space(), ("maximize",), 0)).ask() is not None


def test_grid_and_random_do_not_import_optuna() -> None:
    code = (
        "import sys\n"
        "from autotuner.contracts.search import SearchSetup\n"
        "from autotuner.search.registry import make_strategy\n"
        "from conformance.strategy_suite import small_space\n"
        "for name in ('grid', 'random'):\n"
        "    assert make_strategy(name, SearchSetup(small_space(), ('maximize',), 0)).ask() is not None\n"
        "heavy = {'optuna', 'scipy', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    path = ":".join(p for p in sys.path if p)
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})


def test_grid_is_exhaustive_in_document_order() -> None:
    space = small_space()
    for budget in (None, 10, 100):
        trials = run(make_strategy("grid", SearchSetup(space, ("maximize",), 0, budget=budget)), 50)
        assert [t.configuration for t in trials] == list(space.enumerate())


def test_grid_with_a_small_budget_fills_the_space() -> None:
    """24 of 1,200 points: every value of every parameter gets its share; the first 24 would hold one value of a."""
    space = ToySpace(Choices("a", tuple(range(10))), Choices("b", tuple(range(10))), Choices("c", tuple(range(12))))
    trials = run(
        make_strategy("grid", SearchSetup(space, ("maximize",), 4, budget=24)),
        24,
        lambda _: Outcome(OutcomeKind.MEASURED, (1.0,)),
    )
    for name, values in (("a", 10), ("b", 10), ("c", 12)):
        counts = Counter(t.configuration[name] for t in trials)
        assert len(counts) == values
        assert max(counts.values()) <= 4


def test_grid_subset_of_a_larger_budget_begins_with_that_of_a_smaller_one() -> None:
    space = mixed_space()
    short, long = (
        [t.configuration for t in run(make_strategy("grid", SearchSetup(space, ("maximize",), 4, budget=n)), n)]
        for n in (10, 30)
    )
    assert long[:10] == short


def test_grid_over_a_continuous_space_needs_a_budget() -> None:
    space = ToySpace(Floats("fraction", 0.1, 0.9))
    with pytest.raises(AutotunerError) as caught:
        make_strategy("grid", SearchSetup(space, ("maximize",), 0))
    assert caught.value.code is ErrorCode.CONTRADICTION
    assert "fraction" in caught.value.why


def test_random_is_uniform_over_what_is_valid() -> None:
    """10 valid points, drawn first by 600 seeds: each about 60 times."""
    space = small_space()
    counts: Counter[str] = Counter()
    for seed in range(600):
        proposed = make_strategy("random", SearchSetup(space, ("maximize",), seed)).ask()
        assert proposed is not None
        counts[space.identity(proposed)] += 1
    assert len(counts) == 10
    chi_squared = sum((count - 60) ** 2 / 60 for count in counts.values())
    assert chi_squared < 27.9  # 99.9th percentile with 9 degrees of freedom


def crash_space() -> tuple[ToySpace, Callable[[Configuration], Outcome]]:
    """Half of the space crashes, and towards the crash the score rises."""
    space = ToySpace(Choices("x", tuple(range(20))), Choices("y", tuple(range(20))))

    def outcome(configuration: Configuration) -> Outcome:
        x, y = configuration["x"], configuration["y"]
        assert isinstance(x, int)
        assert isinstance(y, int)
        if x >= 10:
            return Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0})
        return Outcome(OutcomeKind.MEASURED, (float(x - abs(y - 10)),))

    return space, outcome


@pytest.mark.parametrize("name", ["bayesian", "tpe", "nsga2", "cmaes"])
def test_a_crash_region_is_avoided(name: str) -> None:
    space, outcome = crash_space()
    crashes = 0
    for seed in range(5):
        trials = run(make_strategy(name, SearchSetup(space, ("maximize",), seed, budget=40)), 40, outcome)
        crashes += sum(t.outcome.kind is OutcomeKind.INFEASIBLE for t in trials[15:])
    assert crashes / (5 * 25) < 0.4  # half of the space crashes; 0.8 when crashes are not told


def test_objectives_must_match_the_directions() -> None:
    strategy = make_strategy("bayesian", SearchSetup(small_space(), ("maximize", "minimize"), 0))
    with pytest.raises(ValueError, match="told 1 objectives, expected 2"):
        strategy.tell(Trial({"tp": 1, "kind": "a"}, Outcome(OutcomeKind.MEASURED, (1.0,))))

"""What every search strategy must do, whatever its method. Call ``check_all`` (or single checks) with its factory."""

from __future__ import annotations

import math
import tracemalloc
import warnings
from collections.abc import Callable

from autotuner.contracts.search import Outcome, OutcomeKind, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.values import Configuration, Scalar, canonical_json
from conformance.toy_space import Choices, Floats, Integers, ToySpace

Make = Callable[[SearchSetup], SearchStrategy]


def mixed_space(*, continuous: bool = True) -> ToySpace:
    """All kinds of dimensions, with a rule over two of them and one that is ignored under a condition."""

    def launched(configuration: Configuration) -> dict[str, Scalar]:
        # "graph" changes nothing with eager execution: two configurations, one launch.
        return {k: v for k, v in configuration.items() if not (k == "graph" and configuration["eager"])}

    def rule(configuration: Configuration) -> str | None:
        return "8 GPUs are too many with kind c" if (configuration["tp"], configuration["kind"]) == (8, "c") else None

    return ToySpace(
        Choices("tp", (1, 2, 4, 8)),
        Choices("kind", ("a", "b", "c"), "categorical"),
        Choices("eager", (False, True)),
        Choices("graph", (None, "small", "large"), "categorical"),
        Integers("seqs", 1, 64, log=True),
        *([Floats("fraction", 0.01, 0.9, log=True)] if continuous else []),
        rules=(rule,),
        launched=launched,
    )


def small_space() -> ToySpace:
    """12 combinations, 10 of them valid."""
    return ToySpace(
        Choices("tp", (1, 2, 4, 8)),
        Choices("kind", ("a", "b", "c"), "categorical"),
        rules=(lambda c: "no" if c["kind"] == "c" and c["tp"] in {4, 8} else None,),
    )


def score(configuration: Configuration) -> Outcome:
    """A smooth benefit of tp and seqs, a crash for kind b with few seqs."""
    tp, seqs = configuration.get("tp", 1), configuration.get("seqs", 1)
    assert isinstance(tp, int)
    assert isinstance(seqs, int)
    if configuration.get("kind") == "b" and seqs < 4:
        return Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0})
    value = 10.0 - abs(math.log2(tp) - 1) - abs(math.log2(seqs) - 4)
    return Outcome(OutcomeKind.MEASURED, (value,), {"ttft": (tp - 4) / 4})


def run(strategy: SearchStrategy, steps: int, outcome: Callable[[Configuration], Outcome] = score) -> list[Trial]:
    """Ask and tell, one after the other."""
    trials = []
    for _ in range(steps):
        configuration = strategy.ask()
        if configuration is None:
            break
        trial = Trial(configuration, outcome(configuration))
        strategy.tell(trial)
        trials.append(trial)
    return trials


def check_valid_and_distinct(make: Make) -> None:
    space = mixed_space()
    trials = run(make(SearchSetup(space, ("maximize",), 3, budget=40)), 40)
    assert len(trials) == 40
    assert len({space.identity(t.configuration) for t in trials}) == 40
    for trial in trials:
        assert space.violation(trial.configuration) is None
        assert list(trial.configuration) == [d.name for d in space.dimensions]
        for dimension in space.dimensions:
            assert 0.0 <= dimension.unit(trial.configuration[dimension.name]) <= 1.0


def check_pending_are_not_proposed(make: Make) -> None:
    space = mixed_space()
    strategy = make(SearchSetup(space, ("minimize",), 5, budget=40))
    run(strategy, 8)
    pending: list[Configuration] = []
    for _ in range(6):
        proposed = strategy.ask(pending)
        assert proposed is not None
        assert space.identity(proposed) not in {space.identity(c) for c in pending}
        assert strategy.ask(pending[::-1]) == proposed
        pending.append(proposed)


def check_resumes_anywhere(make: Make) -> None:
    """20 steps with two configurations in flight; broken after each tell, a new object goes on as the old one."""
    setup = SearchSetup(mixed_space(), ("maximize",), 7, budget=20)
    strategy = make(setup)
    told: list[Trial] = []
    flight: list[Configuration] = []
    for _ in range(20):
        while len(flight) < 2:
            resumed = make(setup)
            for trial in told:
                resumed.tell(trial)
            expected = strategy.ask(flight)
            assert expected is not None
            assert canonical_json(resumed.ask(flight)) == canonical_json(expected)
            flight.append(expected)
        trial = Trial(flight[0], score(flight[0]))
        flight = flight[1:]
        strategy.tell(trial)
        told.append(trial)


def check_ask_changes_nothing(make: Make) -> None:
    strategy = make(SearchSetup(mixed_space(), ("maximize",), 9, budget=20))
    run(strategy, 9)
    assert strategy.ask() == strategy.ask()


def check_void_teaches_nothing(make: Make) -> None:
    """A void outcome is not proposed again, and its being told changes nothing else."""
    setup = SearchSetup(mixed_space(), ("maximize",), 11, budget=20)
    first, second = make(setup), make(setup)
    for trial in run(first, 8):
        second.tell(trial)
    void = first.ask()
    assert void is not None
    first.tell(Trial(void, Outcome(OutcomeKind.VOID)))
    after = first.ask()
    assert after is not None
    assert setup.space.identity(after) != setup.space.identity(void)
    for strategy in (first, second):
        strategy.tell(Trial(void, score(void)))
    assert first.ask() == second.ask()


def check_exhaustion(make: Make) -> None:
    """Every valid configuration is proposed, then None; also where the last ones are pending."""
    space = small_space()
    strategy = make(SearchSetup(space, ("maximize",), 13))
    trials = run(strategy, 50)
    assert {space.identity(t.configuration) for t in trials} == {space.identity(c) for c in space.enumerate()}
    assert len(trials) == 10
    assert strategy.ask() is None
    partly = make(SearchSetup(space, ("maximize",), 13))
    for trial in trials[:8]:
        partly.tell(trial)
    assert partly.ask([t.configuration for t in trials[8:]]) is None
    assert partly.ask([trials[8].configuration]) == trials[9].configuration


def check_nothing_to_search(make: Make) -> None:
    strategy = make(SearchSetup(ToySpace(), ("maximize",), 1, budget=5))
    assert strategy.ask() == {}
    strategy.tell(Trial({}, Outcome(OutcomeKind.MEASURED, (1.0,))))
    assert strategy.ask() is None


def check_foreign_configurations(make: Make) -> None:
    """A baseline outside the space is taken, and outcomes without a usable number too."""
    space = mixed_space()
    strategy = make(SearchSetup(space, ("maximize",), 15, budget=20))
    strategy.tell(Trial({"tp": 3, "kind": "z", "eager": None}, Outcome(OutcomeKind.MEASURED, (1.0,))))
    strategy.tell(Trial({"tp": 1}, Outcome(OutcomeKind.INFEASIBLE, (), {})))
    run(strategy, 6, lambda _: Outcome(OutcomeKind.MEASURED, (math.nan,), {"ttft": math.nan}))
    assert strategy.ask() is not None


def check_two_objectives(make: Make) -> None:
    def outcome(configuration: Configuration) -> Outcome:
        tp = configuration["tp"]
        assert isinstance(tp, int)
        return Outcome(OutcomeKind.MEASURED, (float(tp), 1.0 / tp)) if tp < 8 else score({"kind": "b"})

    trials = run(make(SearchSetup(mixed_space(), ("maximize", "minimize"), 17, budget=15)), 15, outcome)
    assert len(trials) == 15


def check_huge_grid_is_flat(make: Make) -> None:
    """10^9 combinations are never held in memory."""
    space = ToySpace(*[Integers(f"p{i}", 0, 9) for i in range(9)])
    assert space.grid_size == 10**9
    setup = SearchSetup(space, ("maximize",), 19, budget=12)
    outcome = Outcome(OutcomeKind.MEASURED, (1.0,))
    run(make(setup), 8, lambda _: outcome)  # imports and caches of libraries are not what is looked at
    tracemalloc.start()
    trials = run(make(setup), 12, lambda _: outcome)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trials) == 12
    assert peak < 16 * 2**20


def check_quiet(make: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(make(SearchSetup(mixed_space(), ("maximize",), 21, budget=12)), 12)


CHECKS: tuple[Callable[[Make], None], ...] = (
    check_valid_and_distinct,
    check_pending_are_not_proposed,
    check_resumes_anywhere,
    check_ask_changes_nothing,
    check_void_teaches_nothing,
    check_exhaustion,
    check_nothing_to_search,
    check_foreign_configurations,
    check_two_objectives,
    check_huge_grid_is_flat,
    check_quiet,
)


def check_seed_matters(make: Make) -> None:
    """For strategies that draw: other seeds, other proposals; equal seeds, equal ones."""
    runs = [
        canonical_json([t.configuration for t in run(make(SearchSetup(mixed_space(), ("maximize",), seed)), 10)])
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]

"""How many configurations there are, and drawing from them without listing them."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from autotuner.contracts.attempt import Command
from autotuner.contracts.engine import LaunchRequest, PlanContext, Rule
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar
from autotuner.planning import space as spaces
from conformance.toy_engine import ToyEngine, numbers, toy_plan

HUGE = [f"p{i}" for i in range(9)]


def rule(name: str, *parameters: str, valid: Callable[..., bool], between: bool = False) -> Rule:
    """``between``: one that stands between groups of parameters and does not couple them."""

    def check(values: Mapping[str, Scalar], context: PlanContext) -> str | None:
        given_values = [values.get(parameter) for parameter in parameters]
        return None if None in given_values or valid(*given_values) else f"{name} is broken"

    return Rule(name, frozenset(parameters), check, inputs=frozenset(parameters) if between else None)


def counted_engine(*rules: Rule, names: list[str] = HUGE) -> ToyEngine:
    return ToyEngine(parameters=numbers(*names), rules=rules)


def test_reasons_of_exclusions_are_counted() -> None:
    plan = toy_plan({"tp": [1, 2, 4], "dp": [1, 2], "kernel": ["a", "unwritable"]}, gpus=4)
    assert (plan.count.combinations, plan.count.valid, plan.count.distinct, plan.count.exact) == (12, 5, 5, True)
    assert plan.count.excluded == {
        "8 GPUs are more than 4": 2,
        "kernel cannot be written: so it is": 5,
    }


def test_a_grid_of_a_billion_points_is_counted_and_sampled_in_little_memory() -> None:
    engine = counted_engine(
        rule("ordered", "p0", "p1", valid=lambda a, b: a <= b), rule("even", "p2", "p3", valid=lambda a, b: a != b)
    )
    tracemalloc.start()
    try:
        plan = toy_plan({name: list(range(10)) for name in HUGE}, engine=engine)
        rng = random.Random(1)
        drawn = [plan.space.sample(rng) for _ in range(200)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6
    valid = 55 * 90 * 10**5
    assert (plan.count.combinations, plan.count.valid, plan.count.exact) == (10**9, valid, True)
    assert plan.count.excluded == {"ordered is broken": 45 * 10**7, "even is broken": 55 * 10 * 10**5}
    assert sum(plan.count.excluded.values()) == 10**9 - valid
    assert all(c is not None and plan.space.violation(c) is None for c in drawn)
    assert next(plan.space.enumerate())["p3"] == 1


def test_a_large_grid_does_not_count_equal_commands_twice() -> None:
    """Counted over the groups: a default and None alone, parameters that join in one flag within their group."""
    values: dict[str, object] = {"eager": [None, False, True], "seqs": [None, 256, 8, 16], "policy": ["lpm", "fcfs"]}
    values |= {"length": [None, 10, 20], "dp": [1, 2], "level": ["low", "high"], "cache": [True, False, None]}
    values |= {"bits": [4, 8, 16], "fraction": [0.5, 0.9, 0.7]}
    coupled = (*ToyEngine().rules, rule("joined", "length", "dp", valid=lambda length, dp: True))
    plan = toy_plan(values, engine=ToyEngine(rules=coupled))
    assert plan.count.combinations == 3 * 4 * 2 * 3 * 2 * 2 * 3 * 3 * 3
    assert plan.count.combinations > spaces.EXACT_LIMIT
    assert plan.count.exact
    assert plan.count.distinct == 2 * 3 * 2 * 6 * 2 * 2 * 3 * 3
    assert plan.count.distinct == sum(1 for _ in plan.space.enumerate())


class Refusing(ToyEngine):
    """Cannot write p0 and p1 if their sum is odd."""

    def command(self, launch: LaunchRequest) -> Command:
        total = sum(value for name in ("p0", "p1") if isinstance(value := launch.parameters.get(name), int))
        if total % 2:
            raise AutotunerError(ErrorCode.INVALID_VALUE, "an odd sum", why="it cannot be halved", remedy="change it")
        return super().command(launch)


SMALL = st.lists(st.integers(1, 4), min_size=3, max_size=5)


@settings(max_examples=40, deadline=None)
@given(sizes=SMALL, seed=st.integers(0, 2**20), defaults=st.booleans())
def test_counting_over_groups_agrees_with_counting_one_by_one(sizes: list[int], seed: int, defaults: bool) -> None:
    """The same small spaces both ways: a limit of 0 makes a small space a large one."""
    names = HUGE[: len(sizes)]
    chance = random.Random(seed)
    rules = []
    for number in range(chance.randrange(4)):
        first, second = chance.sample(names, 2)
        forbidden = {(chance.randrange(4), chance.randrange(4)) for _ in range(5)}
        rules.append(
            rule(
                f"r{number}",
                first,
                second,
                valid=lambda a, b, f=frozenset(forbidden): (a, b) not in f,
                between=chance.random() < 0.5,
            )
        )
    parameters = tuple(p.model_copy(update={"default": 0 if defaults else None}) for p in numbers(*names))
    values = {name: [None, *range(size)] for name, size in zip(names, sizes, strict=True)}
    try:
        plan = toy_plan(values, engine=ToyEngine(parameters=parameters, rules=tuple(rules)))
    except AutotunerError as error:
        assert error.code is ErrorCode.EMPTY_SPACE
        return
    assert plan.count.exact
    with pytest.MonkeyPatch.context() as patch:
        # The space itself is too large, its groups are not.
        patch.setattr(plan.space, "_count_all", lambda total: plan.space._count_groups(total, first_valid, rng))
        rng = random.Random(0)
        first_valid = plan.space.sample(rng)
        assert first_valid is not None
        grouped = plan.space.count(rng)
    assert (grouped.combinations, grouped.valid, grouped.distinct) == (
        plan.count.combinations,
        plan.count.valid,
        plan.count.distinct,
    )
    assert sum(grouped.excluded.values()) == sum(plan.count.excluded.values())


def test_a_rule_between_groups_is_asked_once_for_equal_inputs() -> None:
    """p0 and p2 are coupled; the rule between them and p1 looks at p0 and p1 alone, 40 × 40 values."""
    asked: Counter[tuple[int, int]] = Counter()

    def fits(one: int, other: int) -> bool:
        asked[one, other] += 1
        return one + other < 40

    engine = counted_engine(
        rule("room", "p0", "p1", valid=fits, between=True), rule("ordered", "p0", "p2", valid=lambda a, b: a <= b)
    )
    plan = toy_plan({name: list(range(40)) for name in HUGE[:4]}, engine=engine)
    valid = sum((40 - p0) * (40 - p0) for p0 in range(40)) * 40
    assert (plan.count.combinations, plan.count.valid, plan.count.exact) == (40**4, valid, True)
    assert plan.count.distinct == valid
    assert plan.count.excluded == {
        "ordered is broken": 780 * 40**2,
        "room is broken": 40**4 - 780 * 40**2 - valid,
    }
    listed = sum(asked.values())
    assert listed < 40 * 40 + 1000  # the others are of samples and of the baseline
    drawn = [plan.space.sample(random.Random(seed)) for seed in range(20)]
    assert all(c is not None and plan.space.violation(c) is None for c in drawn)


def test_a_rule_between_groups_of_very_many_values_is_estimated_and_sampled() -> None:
    engine = counted_engine(
        rule("room", "p0", "p1", "p2", valid=lambda a, b, c: a + b + c <= 150, between=True),
        rule("ordered", "p0", "p3", valid=lambda a, b: a <= b),
    )
    plan = toy_plan({name: {"type": "int", "low": 1, "high": 100} for name in HUGE[:4]}, engine=engine)
    valid = sum((101 - a) * max(0, min(100, 150 - a - b)) for a in range(1, 101) for b in range(1, 101))
    assert not plan.count.exact
    assert plan.count.valid is not None
    assert 0.85 * valid < plan.count.valid < 1.15 * valid
    drawn = [plan.space.sample(random.Random(seed)) for seed in range(20)]
    assert all(c is not None and plan.space.violation(c) is None for c in drawn)


def test_what_the_engine_cannot_write_is_counted_beside_a_rule_between_groups() -> None:
    values = {"tp": list(range(1, 17)), "seqs": list(range(1, 41)), "kernel": ["a", "b", "unwritable"], "bits": [4, 8]}
    room = rule("room", "tp", "kernel", "seqs", valid=lambda tp, kernel, seqs: tp * seqs > 20, between=True)
    plan = toy_plan({**values, "cache": [True, False]}, engine=ToyEngine(rules=(room,)))
    fits = sum(tp * seqs > 20 for tp in range(1, 17) for seqs in range(1, 41))
    assert plan.count.combinations == 16 * 40 * 3 * 2 * 2 > spaces.EXACT_LIMIT
    assert (plan.count.valid, plan.count.distinct, plan.count.exact) == (fits * 8, fits * 8, True)
    assert plan.count.excluded == {
        "room is broken": (640 - fits) * 12,
        "kernel cannot be written: so it is": fits * 4,
    }


@pytest.mark.parametrize("between", [True, False])
def test_no_valid_combination_is_found_out_whatever_the_rule(between: bool) -> None:
    never = rule("never", "p0", "p1", valid=lambda a, b: False, between=between)
    values = {name: list(range(20)) for name in HUGE[:3]}
    with pytest.raises(AutotunerError) as caught:
        toy_plan(values, engine=counted_engine(never))
    assert caught.value.code is ErrorCode.EMPTY_SPACE
    assert caught.value.why == "8000 × never is broken"


def test_samples_are_uniform_beside_a_rule_between_groups() -> None:
    engine = counted_engine(
        rule("room", "p0", "p2", valid=lambda a, b: a + b < 4, between=True),
        rule("ordered", "p0", "p1", valid=lambda a, b: a <= b),
    )
    plan = toy_plan({name: list(range(4)) for name in HUGE[:3]}, engine=engine)
    assert plan.count.valid == 16 + 9 + 4 + 1
    rng = random.Random(3)
    drawn = Counter(str(plan.space.sample(rng)) for _ in range(6000))
    assert len(drawn) == 30
    assert chisquare(list(drawn.values())).pvalue > 1e-3


def test_samples_are_uniform_over_the_valid() -> None:
    plan = toy_plan({"tp": [1, 2, 4, 8], "dp": [1, 2, 4, 8], "policy": ["lpm", "priority"]}, gpus=8)
    assert plan.count.valid == 20
    rng = random.Random(3)
    drawn = Counter(str(plan.space.sample(rng)) for _ in range(4000))
    assert len(drawn) == 20
    assert chisquare(list(drawn.values())).pvalue > 1e-3


def test_rare_valid_points_of_a_coupled_group_are_found() -> None:
    engine = counted_engine(rule("pair", "p0", "p1", valid=lambda a, b: (a, b) == (37, 73)))
    values = {name: {"type": "int", "low": 1, "high": 100} for name in HUGE[:4]}
    plan = toy_plan(values, engine=engine)
    assert (plan.count.valid, plan.count.exact) == (10**4, True)
    drawn = plan.space.sample(random.Random(0))
    assert drawn is not None
    assert (drawn["p0"], drawn["p1"]) == (37, 73)


def test_rare_valid_points_of_a_group_too_large_to_list_are_found_and_estimated() -> None:
    same = [rule(f"same {a}", a, b, valid=lambda one, other: one == other) for a, b in (("p0", "p1"), ("p1", "p2"))]
    engine = counted_engine(*same)
    plan = toy_plan({name: {"type": "int", "low": 1, "high": 100} for name in HUGE[:3]}, engine=engine)
    assert not plan.count.exact
    assert plan.count.valid is not None
    assert 30 <= plan.count.valid <= 300  # there are 100
    drawn = plan.space.sample(random.Random(0))
    assert drawn is not None
    assert drawn["p0"] == drawn["p1"] == drawn["p2"]
    assert sum(1 for _ in plan.space.enumerate()) == 100


def test_rules_of_fixed_values_and_what_cannot_be_written_are_seen_in_large_spaces() -> None:
    values = {"seqs": {"type": "int", "low": 1, "high": 4000}, "policy": ["lpm", "fcfs"]}
    with pytest.raises(AutotunerError) as caught:
        toy_plan({**values, "tp": 16}, gpus=8)
    assert caught.value.code is ErrorCode.EMPTY_SPACE
    assert "16 GPUs are more than 8" in caught.value.why
    plan = toy_plan({**values, "kernel": ["a", "unwritable"]})
    assert (plan.count.combinations, plan.count.valid, plan.count.exact) == (16000, 8000, True)
    assert plan.count.excluded == {"kernel cannot be written: so it is": 8000}


def test_what_the_engine_refuses_only_together_makes_the_count_an_estimate() -> None:
    """No rule tells that these two cannot be written together, so it is found by trying."""
    engine = Refusing(parameters=numbers(*HUGE), rules=())
    plan = toy_plan({name: list(range(10)) for name in HUGE}, engine=engine)
    assert not plan.count.exact
    assert plan.count.valid is not None
    assert 0.4e9 < plan.count.valid < 0.6e9
    drawn = [plan.space.sample(random.Random(seed)) for seed in range(10)]
    assert all(c is not None and plan.space.violation(c) is None for c in drawn)


def test_a_large_group_without_rules_is_counted_but_its_commands_are_not_compared() -> None:
    plan = toy_plan({"p0": {"type": "int", "low": 1, "high": 10**9}}, engine=counted_engine())
    assert (plan.count.valid, plan.count.distinct, plan.count.exact) == (10**9, 10**9, False)
    assert plan.searched == 20


def test_a_continuous_space_is_labelled_an_estimate() -> None:
    plan = toy_plan({"fraction": {"type": "float", "low": 0.5, "high": 0.9}, "tp": [1, 2]})
    assert (plan.count.combinations, plan.count.valid, plan.count.exact) == (None, None, False)
    assert plan.searched == 20
    drawn = plan.space.sample(random.Random(0))
    assert drawn is not None
    assert plan.space.contains(drawn)
    with pytest.raises(ValueError, match="continuous"):
        next(plan.space.enumerate())


@pytest.mark.parametrize(
    "more",
    [{}, {"seqs": {"type": "int", "low": 1, "high": 4000}}, {"fraction": {"type": "float", "low": 0.5, "high": 0.9}}],
)
def test_an_empty_space_is_refused_with_its_reasons(more: Mapping[str, object]) -> None:
    with pytest.raises(AutotunerError) as caught:
        toy_plan({"tp": [2, 4], "dp": [4, 8], **more}, gpus=4)
    error = caught.value
    assert (error.code, error.place) == (ErrorCode.EMPTY_SPACE, "parameters")
    assert "32 GPUs are more than 4" in error.why


def test_a_space_in_which_nothing_is_found_is_refused_as_such() -> None:
    engine = counted_engine(rule("never", "p0", "p1", "p2", valid=lambda *_: False))
    with pytest.raises(AutotunerError, match=r"none of many random ones can: 1000 × never is broken"):
        toy_plan({name: {"type": "int", "low": 1, "high": 100} for name in HUGE[:3]}, engine=engine)


def test_many_reasons_are_summed_up() -> None:
    with pytest.raises(AutotunerError) as caught:
        toy_plan({"tp": [10, 11, 12, 13, 14, 15, 16], "dp": [2]}, gpus=8)
    assert caught.value.why.count("×") == 5
    assert caught.value.why.endswith("2 for other reasons")

"""Configurations that are measured whatever the search proposes, and how many it proposes beside them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.config.problems import DocumentError
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.search import Outcome, OutcomeKind, SearchSetup, Trial
from autotuner.contracts.values import Scalar
from autotuner.planning.plan import Plan
from autotuner.search.registry import make_strategy
from conformance.toy_engine import argv, toy_plan


def with_references(parameters: dict[str, object], *references: dict[str, Scalar], **more: object) -> Plan:
    listed = [{"label": f"r{number}", "parameters": values} for number, values in enumerate(references)]
    return toy_plan(parameters, gpus=4, optimization={"references": listed, **more})


def proposed(plan: Plan, budget: int) -> int:
    """Configurations that a search of everything proposes beside those planned, as the coordinator runs it."""
    ledger = {e.identity for e in (*([plan.baseline] if plan.baseline else []), *plan.references)}
    strategy = make_strategy("grid", SearchSetup(plan.space, ("maximize",), seed=0, budget=plan.searched))
    number = 0
    while number < budget and plan.searched:
        configuration = strategy.ask()
        if configuration is None:
            break
        identity = plan.space.identity(configuration)
        number += identity not in ledger
        ledger.add(identity)
        strategy.tell(Trial(configuration, Outcome(OutcomeKind.MEASURED, (1.0,))))
    return number


def test_a_baseline_in_the_space_is_that_point_and_counts_once() -> None:
    plan = toy_plan({"tp": [1, 2], "policy": ["lpm", "fcfs"], "seqs": 8})
    assert plan.baseline is not None
    assert plan.baseline.configuration == {"tp": 1, "policy": "fcfs"}
    assert plan.space.contains(plan.baseline.configuration)
    # The document's fixed value stays.
    assert argv(plan, plan.baseline.configuration) == ("--max-num-seqs", "8")
    assert plan.searched == 3
    assert plan.planned_starts == 1 + 3 + 3 * 5


def test_a_baseline_outside_the_space_has_no_values_of_its_own() -> None:
    plan = toy_plan({"tp": [2, 4], "length": [10], "fraction": {"type": "float", "low": 0.1, "high": 0.5, "step": 0.1}})
    assert plan.baseline is not None
    assert plan.baseline.configuration == {"tp": None, "length": None, "fraction": None}
    assert argv(plan, plan.baseline.configuration) == ()
    assert not plan.space.contains(plan.baseline.configuration)
    assert plan.searched == plan.count.distinct == 10


def test_none_stands_for_the_default_where_the_space_has_it() -> None:
    plan = toy_plan({"tp": [None, 2]})
    assert plan.baseline is not None
    assert plan.space.contains(plan.baseline.configuration)
    assert plan.searched == 1


def test_a_baseline_that_breaks_a_rule_is_left_out_with_a_warning() -> None:
    plan = toy_plan({"bits": 4, "tp": [1, 2]}, models=("large.gguf", "small.gguf"))
    assert plan.baseline is None
    (warning,) = plan.warnings
    assert "cannot be the baseline (large.gguf does not exist with 4 bits)" in warning
    assert "no gain will be claimed" in warning
    assert (plan.searched, plan.confirm_top_k, plan.planned_starts) == (2, 0, 2)


def test_the_baseline_can_be_switched_off() -> None:
    plan = toy_plan({"tp": [1, 2]}, optimization={"baseline": False})
    assert (plan.baseline, plan.searched, plan.planned_starts, plan.warnings) == (None, 2, 2, ())


def test_a_reference_is_the_baseline_with_some_values_changed() -> None:
    plan = with_references({"tp": [1, 2], "seqs": 8}, {"tensor-parallel-size": 4, "seqs": None, "eager": True})
    (reference,) = plan.references
    assert argv(plan, reference.configuration) == ("--tp-size", "4", "--eager")
    assert (plan.searched, plan.planned_starts) == (1, 3 + 3 * 5)


def test_references_may_set_flags_variables_and_the_model() -> None:
    reference = {"new-flag": 3, "__env__X": "b", "__env__Y": None, "__model__file": "b.gguf"}
    plan = toy_plan(
        {"tp": [1, 2]},
        models=("a.gguf", "b.gguf"),
        runtime={"env": {"X": ["a"], "Y": "y"}, "allow_unknown_flags": True},
        optimization={"references": [{"label": "expert", "parameters": reference}]},
    )
    command = plan.resolver.command(plan.references[0].configuration)
    assert command.argv[-2:] == ("--new-flag", "3")
    assert command.argv[command.argv.index("--model") + 1] == "/models/b.gguf"
    assert (command.env.get("X"), command.env.get("Y")) == ("b", None)
    assert argv(plan, {"__model__file": "a.gguf", "tp": 2}) == ("--tp-size", "2")


@pytest.mark.parametrize(
    ("values", "code", "place"),
    [
        ({"tpp": 2}, ErrorCode.UNKNOWN_PARAMETER, "parameters.tpp"),
        ({"tp": "2"}, ErrorCode.INVALID_VALUE, "parameters.tp"),
        ({"tp": 2, "tensor_parallel_size": 4}, ErrorCode.CONTRADICTION, "parameters.tensor_parallel_size"),
        ({"__model__file": "other.gguf"}, ErrorCode.INVALID_VALUE, "parameters.__model__file"),
        ({"__env__NOT_NAMED": "1"}, ErrorCode.UNKNOWN_PARAMETER, "parameters.__env__NOT_NAMED"),
    ],
)
def test_wrong_references_are_refused_with_their_place(values: dict[str, Scalar], code: ErrorCode, place: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        with_references({"tp": [1, 2]}, {}, values)
    assert (caught.value.code, caught.value.place) == (code, f"optimization.references.1.{place}")


def test_a_reference_that_breaks_a_rule_is_refused() -> None:
    with pytest.raises(AutotunerError) as caught:
        with_references({"tp": [1, 2]}, {"tp": 4, "dp": 2})
    error = caught.value
    assert (error.code, error.place) == (ErrorCode.CONTRADICTION, "optimization.references.0")
    assert error.why == "8 GPUs are more than 4"


def test_labels_are_distinct() -> None:
    with pytest.raises(DocumentError, match="two references are called 'x'"):
        toy_plan(optimization={"references": [{"label": "x"}, {"label": "x"}]})
    with pytest.raises(AutotunerError) as caught:
        toy_plan(optimization={"references": [{"label": "baseline"}]})
    assert caught.value.place == "optimization.references.0.label"


def test_equal_references_count_once_and_the_plan_says_so() -> None:
    plan = with_references({"tp": [1, 2, 4]}, {}, {"tp": 8 // 2}, {"tp": 4, "seqs": 256}, {"seqs": 8})
    assert plan.warnings == (
        "the reference 'r0' is the baseline, which is measured once",
        "the references 'r2' and 'r1' are one configuration, which is measured once",
    )
    # Baseline, tp 4 and seqs 8 are planned; of the three of the space, tp 2 is left.
    assert (len(plan.references), plan.searched, plan.confirm_top_k) == (4, 1, 2)
    assert plan.planned_starts == 3 + 1 + 3 * 5


def test_references_may_be_the_only_finalists() -> None:
    plan = with_references({}, {"tp": 2})
    assert (plan.searched, plan.confirm_top_k, plan.planned_starts) == (0, 1, 2 + 2 * 5)


CHOSEN = st.fixed_dictionaries(
    {},
    optional={
        "tp": st.sampled_from([None, 1, 2, 4]),
        "dp": st.sampled_from([None, 1]),
        "policy": st.sampled_from([None, "fcfs", "lpm"]),
        "eager": st.sampled_from([None, False]),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    tp=st.lists(st.sampled_from([None, 1, 2, 3, 4]), min_size=1, max_size=4),
    policy=st.lists(st.sampled_from([None, "fcfs", "lpm"]), min_size=1, max_size=3),
    references=st.lists(CHOSEN, max_size=3),
    budget=st.integers(1, 12),
    baseline=st.booleans(),
)
def test_the_number_searched_is_what_a_run_proposes(
    tp: Sequence[Scalar],
    policy: Sequence[Scalar],
    references: list[dict[str, Scalar]],
    budget: int,
    baseline: bool,
) -> None:
    plan = with_references(
        {"tp": list(tp), "policy": list(policy), "dp": [1, 2]}, *references, max_iterations=budget, baseline=baseline
    )
    assert plan.searched == proposed(plan, budget)


def test_of_a_large_space_with_few_valid_points_the_planned_are_left_out() -> None:
    names = {"seqs": {"type": "int", "low": 255, "high": 258}, "tp": list(range(1, 41)), "dp": list(range(1, 41))}
    plan = with_references(names, {"tp": 2, "dp": 2}, max_iterations=1000)
    assert plan.count.combinations == 6400
    assert (plan.count.distinct, plan.count.exact) == (4 * 8, True)
    assert plan.searched == proposed(plan, 1000) == 4 * 8 - 2

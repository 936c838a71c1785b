"""Merging: the table of strategies, the worked example, and the laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.config.merging import STRATEGIES, MergeRules
from autotuner.config.parameters import same_value
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar
from autotuner.presets.merge import Contribution, merge, merge_by
from presets.builders import system

A, B = Contribution("a", {"x": [1, 2]}), Contribution("b", {"x": [2, 3]})


def values(*contributions: Contribution, strategy: str = "union", **options: Any) -> dict[str, list[Scalar]]:
    """The parameters of a merge."""
    found = merge(contributions, strategy, **options)
    return {name: list(one) for name, one in found.parameters.items()}


@pytest.mark.parametrize(
    ("strategy", "result"),
    [
        ("union", [1, 2, 3]),
        ("append", [1, 2, 3]),
        ("intersection", [2]),
        ("last_wins", [2, 3]),
        ("override", [2, 3]),
        ("deep_merge", [2, 3]),
        ("Last-Wins", [2, 3]),
    ],
)
def test_the_table_of_strategies(strategy: str, result: list[int]) -> None:
    assert values(A, B, strategy=strategy) == {"x": result}


def test_the_worked_example() -> None:
    both = [
        Contribution(one.slug, one.parameters, one.config)
        for one in (system("high-throughput"), system("memory-efficient"))
    ]
    assert values(*both) == {"tp-size": [1, 2, 4], "mem-fraction-static": [0.7, 0.75, 0.9]}
    assert values(*both, strategy="last_wins") == {"tp-size": [1], "mem-fraction-static": [0.7, 0.75]}
    assert values(*reversed(both), strategy="last_wins") == {"tp-size": [2, 4], "mem-fraction-static": [0.9]}


def test_order_and_types_of_a_union() -> None:
    mixed = Contribution("c", {"x": ["b", 3, "a"]})
    assert values(B, mixed) == {"x": [2, 3, "b", "a"]}  # not all are numbers: first seen first
    assert values(Contribution("c", {"x": [9, 1]}), A) == {"x": [1, 2, 9]}
    assert values(Contribution("c", {"x": [9, 1]}), A, strategy="append") == {"x": [9, 1, 2]}
    flags = values(Contribution("c", {"x": [True, 1, False, 0, 1.0]}))["x"]
    assert [(type(one), one) for one in flags] == [(bool, True), (int, 1), (bool, False), (int, 0)]
    assert values(Contribution("c", {"x": [None, 2, None]})) == {"x": [None, 2]}


def test_one_preset_is_put_in_order_like_several() -> None:
    assert values(Contribution("c", {"x": [3, 1, 3]})) == {"x": [1, 3]}
    assert values(Contribution("c", {"x": [3, 1, 3]}), strategy="last_wins") == {"x": [3, 1]}


def test_intersection_keeps_and_reports_what_only_some_name() -> None:
    other = Contribution("b", {"x": [2, 3], "y": [5]})
    found = merge([A, other], "intersection")
    assert found.parameters == {"x": (2,), "y": (5,)}
    by_name = {one.parameter: one for one in found.conflicts}
    assert by_name["y"].rule == "intersection: only in b"
    assert by_name["y"].result == [5]
    assert by_name["x"].values == {"a": [1, 2], "b": [2, 3]}
    strict = merge([A, other], "intersection", strict=True)
    assert strict.parameters == {"x": (2,)}
    assert {one.parameter: one.result for one in strict.conflicts}["y"] is None


def test_no_common_values() -> None:
    found = merge([A, Contribution("b", {"x": [7]})], "intersection")
    assert found.parameters == {}
    (warning,) = found.warnings
    assert warning.startswith("No common values in intersection: x is left out")
    assert "union or last_wins" in warning
    assert found.conflicts[0].result is None


def test_strategies_of_single_parameters() -> None:
    one, other = Contribution("a", {"x": [1, 2], "tp-size": [1]}), Contribution("b", {"x": [2, 3], "tp_size": [4]})
    assert values(one, other, overrides={"tp_size": "last_wins"}) == {"x": [1, 2, 3], "tp_size": [4]}
    found = merge([one, other], overrides={"nothing": "union"})
    assert found.warnings == ("no preset names nothing, for which another merge strategy is given",)
    rules = MergeRules(default="intersection", strict=True, parameters={"tp-size": "union"})
    assert merge_by([one, other], rules).parameters == {"x": (2,), "tp-size": (1, 4)}


def test_the_report_has_every_parameter_that_is_not_agreed_on() -> None:
    found = merge([A, B, Contribution("c", {"x": [3], "z": [1]})], "last_wins")
    (conflict,) = found.conflicts
    assert conflict.parameter == "x"
    assert conflict.values == {"a": [1, 2], "b": [2, 3], "c": [3]}
    assert (conflict.result, conflict.rule) == ([3], "last_wins: c is the last")
    assert found.applied == ("a", "b", "c")
    assert found.sources == {("parameters", "x"): ("c",), ("parameters", "z"): ("c",)}
    assert merge([A, Contribution("b", {"x": [2, 1]})]).conflicts == ()


def test_an_unknown_strategy_names_the_choices() -> None:
    for options in ({"strategy": "unoin"}, {"overrides": {"x": "newest"}}):
        with pytest.raises(AutotunerError) as caught:
            merge([A, B], **options)  # type: ignore[arg-type]
        assert caught.value.code is ErrorCode.INVALID_VALUE
        assert caught.value.what == "Invalid merge strategy"
        assert all(name in caught.value.why for name in STRATEGIES)
    with pytest.raises(AutotunerError, match="Did you mean union"):
        merge([A], "unoin")


# ---- structured blocks


ONE = Contribution("a", {}, {"parallel_config": {"tp": [1, 2], "pp": 2}, "memory_config": {"max_model_len": 4096}})
TWO = Contribution("b", {}, {"parallel_config": {"tp": [2, 4]}, "system_config": {"gpu_type": "h200_sxm"}})


def test_blocks_are_merged_recursively_or_replaced() -> None:
    assert merge([ONE, TWO], "deep_merge").config == {
        "parallel_config": {"tp": [2, 4], "pp": 2},
        "memory_config": {"max_model_len": 4096},
        "system_config": {"gpu_type": "h200_sxm"},
    }
    last = merge([ONE, TWO], "last_wins")
    assert last.config["parallel_config"] == {"tp": [2, 4]}
    lost = next(one for one in last.conflicts if one.parameter == "parallel_config.pp")
    assert lost.result is None
    assert "parallel_config of b" in lost.rule
    assert merge([ONE, TWO]).config["parallel_config"] == {"tp": [1, 2, 4], "pp": 2}
    kept = merge([ONE, TWO], "last_wins", overrides={"parallel_config.tp": "union"})
    assert kept.config["parallel_config"]["tp"] == [1, 2, 4]


def test_fixed_values_and_ranges_of_blocks() -> None:
    three = Contribution("c", {}, {"memory_config": {"max_model_len": 8192}})
    assert merge([ONE, three]).config["memory_config"] == {"max_model_len": [4096, 8192]}
    assert merge([ONE, ONE]).config["memory_config"] == {"max_model_len": 4096}
    span = {"type": "int", "low": 1024, "high": 8192}
    ranged = merge([ONE, Contribution("c", {}, {"memory_config": {"max_model_len": span}})])
    assert ranged.config["memory_config"] == {"max_model_len": span}
    assert "one value or range" in ranged.conflicts[-1].rule
    gpu = merge([TWO, Contribution("c", {}, {"system_config": {"gpu_type": "l40s"}})])
    assert gpu.config["system_config"] == {"gpu_type": "l40s"}


def test_a_preset_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(AutotunerError) as caught:
        merge([Contribution("a", {"tp": [1]}, {"parallel_config": {"tp": [2]}})], identify=lambda place: place[1])
    assert caught.value.code is ErrorCode.CONTRADICTION
    assert "parameters.tp" in caught.value.why
    assert "parallel_config.tp" in caught.value.why


# ---- laws


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.sampled_from("abc"))
PARAMETERS = st.dictionaries(st.sampled_from(["x", "y-z", "w"]), st.lists(SCALARS, min_size=1, max_size=4), max_size=3)


def contributions(count: int) -> st.SearchStrategy[list[Contribution]]:
    """So many presets."""
    return st.lists(PARAMETERS, min_size=count, max_size=count).map(
        lambda all_of: [Contribution("abcdef"[n], parameters) for n, parameters in enumerate(all_of)]
    )


def has(among: list[Scalar] | tuple[Scalar, ...], value: Scalar) -> bool:
    return any(same_value(value, one) for one in among)


def same_sets(one: dict[str, list[Scalar]], other: dict[str, list[Scalar]]) -> bool:
    return one.keys() == other.keys() and all(
        len(one[name]) == len(other[name]) and all(has(other[name], value) for value in one[name]) for name in one
    )


@given(contributions(2))
def test_union_and_intersection_are_commutative_as_sets(pair: list[Contribution]) -> None:
    for strategy in ("union", "append", "intersection"):
        assert same_sets(values(*pair, strategy=strategy), values(*reversed(pair), strategy=strategy))


@given(contributions(1), st.sampled_from([*STRATEGIES, "append"]))
def test_every_strategy_is_idempotent(single: list[Contribution], strategy: str) -> None:
    (one,) = single
    once = values(one, strategy=strategy)
    assert values(one, one, strategy=strategy) == once
    assert values(Contribution("again", once), strategy=strategy) == once


@given(contributions(3), st.sampled_from(["last_wins", "deep_merge", "union"]))
def test_last_wins_deep_merge_and_union_are_associative(three: list[Contribution], strategy: str) -> None:
    a, b, c = three
    left = values(Contribution("ab", values(a, b, strategy=strategy)), c, strategy=strategy)
    right = values(a, Contribution("bc", values(b, c, strategy=strategy)), strategy=strategy)
    flat = values(a, b, c, strategy=strategy)
    assert same_sets(left, right)
    assert same_sets(left, flat)
    if strategy != "union":
        assert left == right == flat


@given(contributions(2))
def test_the_later_one_wins_whatever_the_order_of_numbers(pair: list[Contribution]) -> None:
    one, other = pair
    for name, kept in values(one, other, strategy="last_wins").items():
        source = other.parameters.get(name, one.parameters.get(name, []))
        assert all(has(list(source), value) for value in kept)


@given(contributions(3))
def test_an_intersection_is_in_each_and_in_the_union(three: list[Contribution]) -> None:
    union = values(*three)
    for name, kept in values(*three, strategy="intersection").items():
        naming = [list(one.parameters[name]) for one in three if name in one.parameters]
        assert kept
        assert all(has(given_values, value) for given_values in naming for value in kept)
        assert all(has(union[name], value) for value in kept)
    strict = values(*three, strategy="intersection", strict=True)
    assert all(all(name in one.parameters for one in three) for name in strict)


@given(contributions(3), st.sampled_from([*STRATEGIES, "append"]))
def test_no_value_comes_twice_and_true_is_not_1(three: list[Contribution], strategy: str) -> None:
    for found in values(*three, strategy=strategy).values():
        assert all(not same_value(a, b) for n, a in enumerate(found) for b in found[n + 1 :])
    union = values(*three)
    for one in three:
        for name, given_values in one.parameters.items():
            assert all(has(union[name], value) for value in given_values)


@given(contributions(3), st.sampled_from([*STRATEGIES, "append"]))
def test_sources_and_conflicts_cover_the_result(three: list[Contribution], strategy: str) -> None:
    found = merge(three, strategy)
    assert {place[1] for place in found.sources} == set(found.parameters)
    for (_, name), presets in found.sources.items():
        own = {
            one.preset
            for one in three
            if any(has(list(v), x) for n, v in one.parameters.items() if n == name for x in found.parameters[name])
        }
        assert set(presets) <= own or strategy in ("last_wins", "deep_merge")
    missing = {name for one in three for name in one.parameters} - set(found.parameters)
    assert missing <= {one.parameter for one in found.conflicts if one.result is None}

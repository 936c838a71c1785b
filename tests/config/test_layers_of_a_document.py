"""Layers: which of several sources counts for each key of a task document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.config.layers import Layer, LayerContext, assemble, place, resolve
from autotuner.contracts.errors import AutotunerError, ErrorCode


def merged(*layers: dict[str, object]) -> dict[str, object]:
    return assemble(Layer(f"layer-{number}", data) for number, data in enumerate(layers)).data


def test_mappings_merge_deeply_and_lists_are_replaced() -> None:
    data, provenance = assemble(
        [
            Layer("weak", {"optimization": {"seed": 1, "confirm": {"top_k": 2}}, "labels": ["a", "b"]}),
            Layer("strong", {"optimization": {"confirm": {"starts": 5}}, "labels": ["c"]}),
        ]
    )
    assert data == {"optimization": {"seed": 1, "confirm": {"top_k": 2, "starts": 5}}, "labels": ["c"]}
    assert provenance == {
        "optimization.seed": "weak",
        "optimization.confirm.top_k": "weak",
        "labels": "strong",
        "optimization.confirm.starts": "strong",
    }


def test_a_stronger_layer_may_spell_a_parameter_otherwise() -> None:
    data, provenance = assemble(
        [Layer("profile", {"parameters": {"tp-size": [1, 2]}}), Layer("document", {"parameters": {"--tp_size": [4]}})]
    )
    assert data == {"parameters": {"--tp_size": [4]}}
    assert provenance == {"parameters.--tp_size": "document"}


def test_a_description_of_values_is_one_value() -> None:
    ranged = {"type": "int", "low": 1, "high": 8}
    assert merged(
        {"parameters": {"n": {"type": "choice", "values": [1]}}, "memory_config": {"max_model_len": [1, 2]}},
        {"parameters": {"n": ranged}, "memory_config": {"max_model_len": ranged}},
    ) == {"parameters": {"n": ranged}, "memory_config": {"max_model_len": ranged}}


def test_null_counts_as_not_given_where_a_key_has_a_meaning_of_its_own() -> None:
    assert merged(
        {"optimization": {"patience": 4}, "slo": {"steepness": 1.0}}, {"optimization": {"patience": None}}
    ) == {
        "optimization": {"patience": 4},
        "slo": {"steepness": 1.0},
    }
    # Here it asks for the engine's own choice, or is a value like any other.
    assert merged(
        {"parameters": {"n": [1]}, "metadata": {"a": 1}}, {"parameters": {"n": None}, "metadata": {"a": None}}
    ) == {
        "parameters": {"n": None},
        "metadata": {"a": None},
    }


def test_names_of_one_setting_meet() -> None:
    weak = {"memory_config": {"mem_fraction_static": [0.7]}, "scheduling_config": {"max_num_seqs": 8}}
    strong = {"memory_config": {"gpu_memory_utilization": [0.9]}, "advanced_tuning_config": {"max_batch_size": 16}}
    assert merged(weak, strong) == strong


@pytest.mark.parametrize(
    ("weak", "strong"),
    [
        ({"quantization_config": {"gemm_quant_mode": "fp8"}}, {"quant_config": {"gemm_dtype": "bfloat16"}}),
        ({"quant_config": {"kvcache_dtype": "fp8"}}, {"quantization_config": {"kvcache_quant_mode": "int8"}}),
        (
            {"quantization_config": {"gemm_quant_mode": "fp8", "weight_quant_mode": "fp8"}},
            {"quantization_config": {"gemm_quant_mode": "int8"}},
        ),
    ],
)
def test_both_words_for_a_precision_meet(weak: dict[str, object], strong: dict[str, object]) -> None:
    assert merged(weak, strong) == strong


def test_a_load_of_another_kind_takes_the_place_of_the_weaker_one() -> None:
    weak = {"benchmark": {"num_concurrency": [4, 8], "repeats": 2}}
    assert merged(weak, {"benchmark": {"request_rates": [0.5]}}) == {
        "benchmark": {"repeats": 2, "request_rates": [0.5]}
    }
    assert merged(weak, {"benchmark": {"profile": "search"}}) == {"benchmark": {"repeats": 2, "profile": "search"}}
    assert merged(weak, {"benchmark": {"profile": "levels"}}) == {
        "benchmark": {"num_concurrency": [4, 8], "repeats": 2, "profile": "levels"}
    }


def test_an_slo_of_the_mean_has_one_form() -> None:
    assert merged(
        {"slo": {"ttft": {"threshold": 1.0, "weight": 2.0}}},
        {"slo": {"ttft": {"threshold": 0.5}, "latency": {"p90": {"threshold": 5.0}}}},
        {"slo": {"ttft": {"p90": {"threshold": 0.8}}}},
    ) == {
        "slo": {
            "ttft": {"mean": {"threshold": 0.5, "weight": 2.0}, "p90": {"threshold": 0.8}},
            "latency": {"p90": {"threshold": 5.0}},
        }
    }


def test_other_names_of_a_key_meet() -> None:
    assert merged({"benchmark": {"engine": "builtin"}}, {"benchmark": {"benchmark_engine": "guidellm"}}) == {
        "benchmark": {"engine": "guidellm"}
    }
    assert merged({"benchmark": {"dataset": "a.jsonl"}}, {"benchmark": {"dataset": {"replay_speed": [1.0]}}}) == {
        "benchmark": {"dataset": {"path": "a.jsonl", "replay_speed": [1.0]}}
    }


@pytest.mark.parametrize(
    ("data", "first", "second"),
    [
        ({"parameters": {"tp-size": [1], "tp_size": [2]}}, "parameters.tp-size", "parameters.tp_size"),
        (
            {"memory_config": {"mem_fraction_static": 0.9, "gpu_memory_utilization": 0.8}},
            "memory_config.mem_fraction_static",
            "memory_config.gpu_memory_utilization",
        ),
        (
            {"scheduling_config": {"max_num_seqs": 1}, "advanced_tuning_config": {"max_batch_size": True}},
            "scheduling_config.max_num_seqs",
            "advanced_tuning_config.max_batch_size",
        ),
    ],
)
def test_two_values_in_one_layer_are_refused_with_both_places(data: dict[str, object], first: str, second: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        assemble([Layer("profile:mine:a", data)])
    assert caught.value.code is ErrorCode.CONTRADICTION
    assert caught.value.what == f"{first} and {second} are one setting"
    assert "in one layer, profile:mine:a" in caught.value.why
    assert caught.value.place == second


def test_equal_values_under_two_names_are_no_contradiction() -> None:
    data = {"scheduling_config": {"max_num_seqs": 8}, "advanced_tuning_config": {"max_batch_size": 8}}
    assert merged(data) == data


def test_layers_may_hang_on_the_task() -> None:
    layers = [
        Layer("many", {"labels": ["many"]}, when=lambda task: (task.total_gpus or 0) > 1),
        Layer("made", lambda task: {"base_runtime": task.base_runtime}),
        Layer("nothing", {}),
    ]
    here = LayerContext(base_runtime="vllm", total_gpus=1)
    assert [layer.name for layer in resolve(layers, here)] == ["made"]
    assert assemble(layers, here).provenance == {"base_runtime": "made"}
    there = LayerContext(base_runtime="vllm", total_gpus=2)
    assert assemble(layers, there).data == {"labels": ["many"], "base_runtime": "vllm"}


def test_nothing_of_a_layer_is_shared_with_what_comes_out() -> None:
    values = [1, 2]
    data = merged({"parameters": {"n": values}})
    values.append(3)
    assert data == {"parameters": {"n": [1, 2]}}


def test_keys_with_dots_have_a_place_of_their_own() -> None:
    assert place(("parameters", "kv_cache_config.max_tokens")) == "parameters.kv_cache_config.max_tokens"
    assert place(("metadata", "a.b", "c")) == 'metadata."a.b".c'


# ---- properties

KEYS = st.sampled_from(["task_name", "metadata", "optimization", "a", "b", "a.b", "parameters", "slo", "ttft", "mean"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))
TREES = st.recursive(
    st.dictionaries(KEYS, VALUES, max_size=3), lambda inner: st.dictionaries(KEYS, inner | VALUES, max_size=3)
)


def leaves(data: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(data, dict) and data and path[:-1] != ("parameters",):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    return [path] if path else []


@given(st.lists(TREES, max_size=4))
def test_each_key_has_exactly_one_layer(trees: list[dict[str, object]]) -> None:
    names = [f"layer-{number}" for number in range(len(trees))]
    data, provenance = assemble(Layer(name, tree) for name, tree in zip(names, trees, strict=True))
    found = [place(path) for path in leaves(data)]
    assert len(found) == len(set(found))
    assert set(found) == provenance.keys()
    assert set(provenance.values()) <= set(names)


@given(st.lists(TREES, max_size=4))
def test_a_layer_alone_or_twice_is_itself(trees: list[dict[str, object]]) -> None:
    for tree in trees:
        once = merged(tree)
        assert merged(once) == once
        assert merged(tree, tree) == once


# Where a key is a mapping in one layer and a value in another, the order of merging matters, as it must.
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(max_size=2),
        "labels": st.lists(st.text(max_size=2), max_size=2),
        "parameters": st.dictionaries(st.sampled_from(["tp-size", "n"]), VALUES)
        | st.dictionaries(st.sampled_from(["tp_size", "n"]), VALUES),
        "benchmark": st.fixed_dictionaries(
            {},
            optional={
                "num_concurrency": st.lists(st.integers(1, 4), max_size=2),
                "request_rates": st.just([1.0]),
                "profile": st.just("sweep"),
                "repeats": st.integers(1, 3),
            },
        ),
        "memory_config": st.fixed_dictionaries(
            {}, optional={"mem_fraction_static": st.floats(0, 1), "max_model_len": VALUES}
        ),
        "slo": st.fixed_dictionaries(
            {}, optional={"ttft": st.just({"threshold": 1.0}), "steepness": st.floats(0.1, 1)}
        ),
        "metadata": st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2),
    },
)


@given(SHAPED, SHAPED, SHAPED)
def test_merging_is_associative(one: dict[str, object], two: dict[str, object], three: dict[str, object]) -> None:
    assert merged(one, two, three) == merged(one, merged(two, three))


@given(st.lists(SHAPED, min_size=1, max_size=4))
def test_the_strongest_layer_keeps_all_that_it_says(layers: list[dict[str, object]]) -> None:
    last = merged(layers[-1])
    data, provenance = assemble(Layer(str(number), layer) for number, layer in enumerate(layers))
    for path in leaves(last):
        kept: object = data
        expected: object = last
        for key in path:
            assert isinstance(kept, dict)
            assert isinstance(expected, dict)
            kept, expected = kept[key], expected[key]
        if expected != {}:
            assert kept == expected
            assert provenance[place(path)] == str(len(layers) - 1)

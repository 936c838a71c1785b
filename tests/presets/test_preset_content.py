"""What a preset may hold, how each fault is told, and slugs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.engines.registry import engine, system_presets
from autotuner.planning.values import takes
from autotuner.presets.content import free_name, free_slug, read_content, slug_of, to_data
from autotuner.presets.diff import changes

SMALL: dict[str, Any] = {"name": "Mine", "parameters": {"tp-size": [4, 8], "mem-fraction-static": [0.85]}}


def refused(data: object) -> AutotunerError:
    with pytest.raises(AutotunerError) as caught:
        read_content(data)
    assert caught.value.code is ErrorCode.INVALID_VALUE
    return caught.value


def test_a_small_preset_has_defaults() -> None:
    content = read_content(SMALL)
    assert content.category == "custom"
    assert content.runtime == "any"
    assert content.parameters == {"tp-size": (4, 8), "mem-fraction-static": (0.85,)}
    assert to_data(content) == {
        "name": "Mine", "description": "", "category": "custom", "parameters": SMALL["parameters"], "metadata": {},
    }  # fmt: skip


def test_the_types_of_values_are_kept() -> None:
    content = read_content({"name": "x", "parameters": {"a": [True, 1, 1.0, "1", None]}})
    assert [type(one) for one in content.parameters["a"]] == [bool, int, float, str, type(None)]


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"name": None}, "name", "it is required"),
        ({"name": "  "}, "name", "not a name"),
        ({"name": 3}, "name", "not a name"),
        ({"name": "x" * 256}, "name", "256 characters, and 255 are the limit"),
        ({"name": "a\nb"}, "name", "control character"),
        ({"nmae": "x"}, "nmae", "Did you mean name"),
        ({"description": 3}, "description", "a number and not text"),
        ({"category": "c" * 256}, "category", "255 are the limit"),
        ({"parameters": [1]}, "parameters", "an array and not an object"),
        ({"parameters": {}}, "parameters", "holds no parameter"),
        ({"parameters": {"tp-size": 4}}, "parameters.tp-size", "it is a number and not an array"),
        ({"parameters": {"tp-size": "4"}}, "parameters.tp-size", "it is text and not an array"),
        ({"parameters": {"tp-size": None}}, "parameters.tp-size", "it is null and not an array"),
        ({"parameters": {"tp-size": {}}}, "parameters.tp-size", "it is an object and not an array"),
        ({"parameters": {"tp-size": []}}, "parameters.tp-size", "the array is empty"),
        ({"parameters": {"tp-size": [[1]]}}, "parameters.tp-size", "it holds an array"),
        ({"parameters": {"--": [1]}}, "parameters.--", "not a parameter's name"),
        ({"parameters": {"tp-size": [1], "tp_size": [2]}}, "parameters.tp_size", "are one parameter"),
        ({"parameters": {"x": [float("nan")]}}, "parameters.x.0", "not a finite number"),
        ({"parameters": {"x": [2**64]}}, "parameters.x.0", "more than 64 bits"),
        ({"config": {"parallel": {}}}, "config.parallel", "Did you mean parallel_config"),
        ({"config": {"optimization": {"seed": 1}}}, "config.optimization", "not a structured block"),
        ({"config": {"parallel_config": {"tq": [1]}}}, "config.parallel_config.tq", "tq"),
        ({"config": {"parallel_config": {"tp": ["x"]}}}, "config.parallel_config.tp", "whole number"),
        ({"config": {"parallel_config": 3}}, "config.parallel_config", "not an object"),
        (
            {"config": {"parallel_config": {"ep": 2, "moe_ep": 4}}},
            "config.parallel_config.moe_ep",
            "are one setting",
        ),
        ({"metadata": {"tags": "chat"}}, "metadata.tags", "text and not an array"),
        ({"metadata": {"tags": [1]}}, "metadata.tags.0", "not text"),
        ({"metadata": {"author": 1}}, "metadata.author", "not text"),
        ({"rules": {}}, "rules", "not an array"),
        ({"rules": [{"require": "a >"}]}, "rules.0.require", "cannot be read"),
        ({"rules": [{"message": "x"}]}, "rules.0.require", "required"),
        ({"rules": [{"require": "a == 1", "message": "x", "then": 1}]}, "rules.0.then", "not a field of a rule"),
        ({"requires": "balanced"}, "requires", "not an array"),
        ({"visibility": "team"}, "visibility", "not a field"),
    ],
)
def test_each_fault_is_told_with_its_field(changed: dict[str, Any], place: str, words: str) -> None:
    error = refused({**SMALL, **changed})
    assert error.place == place
    assert words in f"{error.why} {error.remedy}"


def test_all_faults_are_told_at_once() -> None:
    error = refused({"name": "", "parameters": {"a": 1, "b": []}})
    assert all(word in error.why for word in ("name", "parameters.a", "parameters.b"))
    assert refused([1]).why == "it is an array and not an object"


def test_a_preset_may_hold_blocks_or_requirements_alone() -> None:
    blocks = {"parallel_config": {"tp": [1, 2]}, "system_config": {"gpu_type": "h200_sxm"}}
    assert read_content({"name": "x", "config": blocks}).config == blocks
    assert read_content({"name": "x", "requires": ["a", " a", "b"]}).requires == ("a", "b")


def test_other_keys_of_metadata_are_kept() -> None:
    data = {**SMALL, "metadata": {"author": "me", "tags": ["a", "a"], "source": {"url": None, "n": [1, []]}, "e": []}}
    content = read_content(data)
    assert to_data(content)["metadata"] == {
        "author": "me", "tags": ["a"], "source": {"url": None, "n": [1, []]}, "e": [],
    }  # fmt: skip
    assert read_content(to_data(content)) == content


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("High Throughput", "high-throughput"),
        ("  A  b_c ", "a-b-c"),
        ("Größe 4×", "groe-4"),
        ("日本", "preset"),
        ("42", "preset-42"),
        ("---", "preset"),
        ("x" * 300, "x" * 200),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(max_size=300))
def test_a_slug_is_plain_stable_and_no_number(name: str) -> None:
    slug = slug_of(name)
    assert slug
    assert slug.isascii()
    assert not slug.isdigit()
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug_of(slug) == slug


def test_free_names_and_slugs() -> None:
    assert free_slug("a", {"a", "a-2"}.__contains__) == "a-3"
    assert free_slug("a", set().__contains__) == "a"
    assert free_name("a", {"a"}.__contains__) == "a (2)"
    assert len(free_name("x" * 255, {"x" * 255}.__contains__)) == 255


def test_the_system_presets_are_those_of_the_table() -> None:
    assert [(one.name, one.category, one.parameters) for one in system_presets()] == [
        ("Memory Efficient", "memory", {"tp-size": (1,), "mem-fraction-static": (0.7, 0.75)}),
        ("High Throughput", "performance", {"tp-size": (2, 4), "mem-fraction-static": (0.9,)}),
        ("Low Latency", "performance", {"tp-size": (1, 2), "schedule-policy": ("lpm",)}),
        ("Balanced", "general", {"tp-size": (1, 2), "mem-fraction-static": (0.85,)}),
    ]
    for preset in system_presets():
        assert preset.is_system
        assert preset.slug == slug_of(preset.name)
        assert read_content(to_data(preset)).parameters == preset.parameters
        catalogue = engine(preset.runtime).catalogue
        for name, values in preset.parameters.items():
            known = catalogue.find(name)
            assert known is not None
            assert all(value is not None and takes(known, value) for value in values)


def test_differences_are_told_by_key() -> None:
    old = read_content({**SMALL, "config": {"parallel_config": {"tp": [1]}}})
    new = read_content({"name": "Mine", "category": "memory", "parameters": {"tp-size": [True], "x": [1]}})
    assert [(one.place, one.was, one.now) for one in changes(old, new)] == [
        ("category", "custom", "memory"),
        ("parameters.tp-size", [4, 8], [True]),
        ("parameters.mem-fraction-static", [0.85], None),
        ("config.parallel_config.tp", [1], None),
        ("parameters.x", None, [1]),
    ]
    assert changes(old, old) == []
    assert changes(
        read_content({"name": "x", "parameters": {"a": [1]}}), read_content({"name": "x", "parameters": {"a": [1.0]}})
    )

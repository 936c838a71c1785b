"""Profiles that people add from Python: what is taken, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.config.layers import Layer, LayerContext, assemble
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.profiles.built_in import built_in_profiles
from autotuner.profiles.profile import Profiles

METADATA = {"description": "chat", "use_case": "our chat", "tags": ("chat",), "recommended_for": ("team",)}


def test_a_registered_profile_is_in_the_list() -> None:
    book = built_in_profiles()
    book.register_profile("team-chat", [Layer("a", {"labels": ["gpu"]}), Layer("b", {})], METADATA)
    found = book.summaries()[-1]
    assert found.model_dump() == {"name": "team-chat", **METADATA, "layers_count": 2}
    assert book.details("team-chat").layer_names == ("a", "b")


def test_layers_may_be_made_for_the_task_and_hang_on_it() -> None:
    book = Profiles()
    book.register_profile(
        "mine",
        [
            Layer("load", lambda task: {"benchmark": {"num_concurrency": [task.total_gpus or 1]}}),
            Layer("large", {"labels": ["large"]}, when=lambda task: (task.total_gpus or 0) >= 8),
        ],
    )
    one = book.get("mine").layers_for(LayerContext(total_gpus=1))
    assert [layer.name for layer in one] == ["profile:mine:load"]
    eight = book.get("mine").layers_for(LayerContext(total_gpus=8))
    assert assemble(eight).provenance == {
        "benchmark.num_concurrency": "profile:mine:load",
        "labels": "profile:mine:large",
    }


@pytest.mark.parametrize(
    ("name", "layers", "metadata", "why"),
    [
        ("", [Layer("a", {})], None, "'' is no name of a profile"),
        ("two words", [Layer("a", {})], None, "'two words' is no name of a profile"),
        ("x", [], None, "it has no layers"),
        ("x", [Layer("a", {}), Layer("a", {})], None, "two of its layers are called 'a'"),
        ("x", [Layer("a", {"base_runtime": "other"})], None, "it sets base_runtime, which belongs to the task"),
        ("x", [Layer("a", {"profiles": ["y"]})], None, "it sets profiles, which belongs to the task"),
        ("x", [Layer("a", {"parametres": {}})], None, "'parametres' is not a key of the document"),
        ("x", [Layer("a", {"optimization": {"max_iterations": 0}})], None, "must be greater than or equal to 1, not 0"),
        ("x", [Layer("a", {})], {"purpose": "chat"}, "purpose of its metadata is wrong"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, layers: list[Layer], metadata: Any, why: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        Profiles().register_profile(name, layers, metadata)
    assert why in caught.value.why
    assert caught.value.code in (ErrorCode.INVALID_VALUE, ErrorCode.UNKNOWN_KEY)


def test_a_name_is_given_once() -> None:
    book = built_in_profiles()
    with pytest.raises(AutotunerError) as caught:
        book.register_profile("balanced", [Layer("a", {"labels": ["x"]})])
    assert caught.value.code is ErrorCode.CONFLICT
    assert caught.value.why == "it is built-in"


def test_books_share_nothing() -> None:
    built_in_profiles().register_profile("mine", [Layer("a", {"labels": ["x"]})])
    assert built_in_profiles().find("mine") is None

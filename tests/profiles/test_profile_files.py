"""Profiles as YAML files: layers with conditions, the short form, and everything that can be wrong with one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from autotuner.config.layers import LayerContext, resolve
from autotuner.config.problems import DocumentError
from autotuner.profiles.file import read_profile
from autotuner.profiles.profile import Profiles

FILE = """
name: team-chat
description: chat on two GPUs
use_case: our chat
tags: [chat]
recommended_for: [team]
layers:
  - name: usual
    data:
      optimization: {objective: minimize_latency}
      parameters: {tp-size: [1, 2]}
  - name: many
    when: {deployment_mode: [local, docker], total_gpus: {at_least: 2, at_most: 8}}
    data: {labels: [many]}
  - name: exactly
    when: {total_gpus: 4, gpu_type: h200_sxm, base_runtime: one}
    data: {labels: [four]}
"""


def test_a_file_gives_a_profile() -> None:
    made = read_profile(FILE, name="team-chat.yaml")
    assert made.name == "team-chat"
    assert made.metadata.model_dump() == {
        "description": "chat on two GPUs",
        "use_case": "our chat",
        "tags": ("chat",),
        "recommended_for": ("team",),
    }
    assert [layer.name for layer in made.layers] == ["usual", "many", "exactly"]
    assert made.layers[0].data == {
        "optimization": {"objective": "minimize_latency"},
        "parameters": {"tp-size": [1, 2]},
    }


@pytest.mark.parametrize(
    ("context", "counting"),
    [
        (LayerContext(), ["usual"]),
        (LayerContext(total_gpus=1), ["usual"]),
        (LayerContext(total_gpus=2), ["usual", "many"]),
        (LayerContext(total_gpus=9), ["usual"]),
        (LayerContext(total_gpus=2, deployment_mode="endpoint"), ["usual"]),
        (LayerContext(total_gpus=4, gpu_type="h200_sxm", base_runtime="one"), ["usual", "many", "exactly"]),
        (LayerContext(total_gpus=4, gpu_type="l40s", base_runtime="one"), ["usual", "many"]),
    ],
)
def test_conditions_choose_layers(context: LayerContext, counting: list[str]) -> None:
    made = read_profile(FILE, name="team-chat.yaml")
    assert [layer.name for layer in resolve(made.layers, context)] == counting


def test_data_alone_is_one_layer() -> None:
    made = read_profile("{name: mine, data: {labels: [a]}}", name="mine.yaml")
    assert [(layer.name, layer.data) for layer in made.layers] == [("mine-params", {"labels": ["a"]})]


@pytest.mark.parametrize(
    ("text", "place", "why", "remedy"),
    [
        ("{name: x, layer: []}", "layer", "'layer' is not a key of a profile", "Did you mean layers?"),
        (
            "{name: x, layers: [{name: a, data: {}, wen: {}}]}",
            "layers.0.wen",
            "'wen' is not a key",
            "Did you mean when?",
        ),
        ("{name: x, layers: [{name: a, data: {}, when: {gpus: 2}}]}", "layers.0.when.gpus", "not a key", "total_gpus"),
        ("{name: x}", "layers", "it has neither layers nor data", "Give one of the two"),
        ("{name: x, data: {}, layers: []}", "layers", "layers and data are both given", "Give one of the two"),
        ("{data: {}}", "name", "it is required", "Add it"),
        ("[1]", None, "it is a list and not a mapping", "Write keys and values"),
        ("{name: x, tags: chat, data: {}}", "tags", "must be a list", "Correct the value"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, place: str | None, why: str, remedy: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_profile(text, name="mine.yaml")
    assert caught.value.place == place
    assert why in caught.value.why
    assert remedy in caught.value.remedy
    assert "mine.yaml" in caught.value.what


EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "profiles"
GUIDE = EXAMPLES.parents[1] / "docs" / "guide" / "custom-profiles.md"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_is_a_profile(path: Path) -> None:
    made = read_profile(path.read_text(encoding="utf-8"), name=path.name)
    Profiles().register_profile(made.name, made.layers, made.metadata)
    assert [layer.name for layer in resolve(made.layers, LayerContext(total_gpus=2))] == ["goal", "several-gpus"]
    assert [layer.name for layer in resolve(made.layers, LayerContext(total_gpus=1))] == ["goal", "one-gpu"]


def test_what_the_guide_shows_is_a_profile() -> None:
    (text,) = re.findall(r"```yml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    made = read_profile(text, name=GUIDE.name)
    assert Profiles().register_profile(made.name, made.layers, made.metadata).name == "team-chat"


def test_the_function_of_the_guide_registers_a_profile() -> None:
    (text,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(text, GUIDE.name, "exec"), names)  # noqa: S102 - our own guide
    book = Profiles()
    names["register"](book)
    layers = book.get("team-batch").layers_for(LayerContext(total_gpus=4))
    assert [layer.data for layer in layers] == [
        {"optimization": {"objective": "maximize_throughput"}},
        {"parameters": {"tp-size": [4]}},
    ]

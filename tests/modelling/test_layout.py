"""Which layouts a model's shape allows, with the sentences for those that it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import published
from pydantic import ValidationError

from autotuner.modelling.layout import Layout, check_context, check_layout


def errors(name: str, layout: Layout) -> list[str]:
    return [remark.sentence for remark in check_layout(published(name), layout) if remark.kind == "error"]


def test_heads() -> None:
    assert errors("llama-3.1-8b", Layout(tp=8)) == []
    (sentence,) = errors("llama-3.1-8b", Layout(tp=3))
    assert sentence == "32 attention heads cannot be shared evenly by tp 3; tp may be 1, 2, 4, 8, 16, 32"
    assert errors("llama-4-scout", Layout(tp=16)) == [
        "40 attention heads cannot be shared evenly by tp 16; tp may be 1, 2, 4, 8"
    ]


def test_heads_of_keys_and_values_are_copied() -> None:
    facts = published("qwen3-235b-a22b")
    assert check_layout(facts, Layout(tp=4)) == ()
    (remark,) = check_layout(facts, Layout(tp=8))
    assert remark.kind == "note"
    assert remark.sentence == ("tp 8 is more than the 4 heads of keys and values, so the KV cache is kept 2 times")
    (shared,) = check_layout(facts, Layout(tp=8, dcp=2))
    assert shared.sentence.endswith("; dcp 2 shares it again")


def test_heads_of_keys_and_values_that_do_not_fit() -> None:
    odd = published("llama-3.1-8b").model_copy(update={"heads": 24, "kv_heads": 3})
    (remark,) = check_layout(odd, Layout(tp=4))
    assert remark.sentence == "3 heads of keys and values fit neither into nor over tp 4 evenly"


def test_latent_attention_has_no_heads_to_copy() -> None:
    assert check_layout(published("deepseek-v3"), Layout(tp=16)) == ()


def test_layers_and_experts() -> None:
    assert errors("llama-3.1-8b", Layout(pp=64)) == [
        f"pp 64 needs at least 64 layers, and {published('llama-3.1-8b').name} has 32"
    ]
    assert "has none" in errors("llama-3.1-8b", Layout(moe_ep=2))[0]
    assert errors("mixtral-8x7b", Layout(tp=16, moe_ep=16))[0].startswith("8 experts cannot be shared evenly by ep 16")
    assert errors("qwen3-235b-a22b", Layout(tp=2, moe_ep=4)) == [
        "ep 4 does not divide the 2 GPUs that share the experts"
    ]


def test_parts_of_experts_hold_whole_blocks() -> None:
    """2,048 / 32 is half a block of 128."""
    (sentence,) = errors("deepseek-v3", Layout(tp=32))
    assert "whole blocks of 128" in sentence
    assert errors("deepseek-v3", Layout(tp=32, moe_ep=32)) == []


def test_context() -> None:
    facts = published("qwen3-32b")
    assert check_context(facts, 40960) is None
    remark = check_context(facts, 40961)
    assert remark is not None
    assert remark.sentence.startswith("a context of 40961 tokens is more than the 40960")
    assert check_context(facts.model_copy(update={"max_positions": None}), 10**7) is None


def test_groups_of_experts() -> None:
    assert Layout(tp=2, dp=4).expert_tp == 8
    assert Layout(tp=2, dp=4, moe_ep=8).expert_tp == 1
    assert Layout(tp=2, dp=4, moe_ep=2, experts_over_dp=False).expert_tp == 1
    with pytest.raises(ValidationError, match="must be 8"):
        Layout(tp=8, moe_tp=2, moe_ep=2)


def test_labels_and_sizes() -> None:
    assert Layout().label(experts=True) == "single GPU"
    assert Layout(tp=4, pp=2).label(experts=False) == "TP 4 · PP 2"
    assert Layout(dp=8, moe_ep=8).label(experts=True) == "DP 8 · EP 8"
    assert Layout(tp=4, dcp=4).gpus == 4
    assert Layout(tp=8, cp=2).gpus == 16


@given(st.integers(1, 200), st.integers(1, 16))
def test_stages_have_each_layer_once_and_differ_by_one(layers: int, pp: int) -> None:
    stages = Layout(pp=pp).stages(layers)
    assert [layer for stage in stages for layer in stage] == list(range(layers))
    sizes = [len(stage) for stage in stages]
    assert max(sizes) - min(sizes) <= 1
    assert pp == 1 or sizes[-1] == min(sizes)

"""The number of weights follows from config.json: known totals, and sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import CONFIGS, published

from autotuner.modelling.facts import Part
from autotuner.modelling.layout import Layout
from autotuner.modelling.weights import (
    active_parameter_count,
    counted,
    parameter_count,
    stage_weights,
    weight_bits,
)

TOTALS = {
    "llama-3.1-8b": 8.03,
    "qwen3-32b": 32.8,
    "qwen3-235b-a22b": 235,
    "deepseek-v3": 671,
    "mixtral-8x7b": 46.7,
    "gpt-oss-120b": 116.8,
    "llama-4-scout": 109,
    "gemma-3-27b": 27.4,
    "qwen3-next-80b-a3b": 80,
}
"""Billions of weights, as published."""

ACTIVE = {"qwen3-235b-a22b": 22, "deepseek-v3": 37, "mixtral-8x7b": 12.9}


@pytest.mark.parametrize("name", TOTALS)
def test_the_count_is_the_published_one(name: str) -> None:
    facts = published(name)
    # What is published is rounded; layers of hybrid models and vision parts are only estimated.
    rough = facts.estimated or facts.vision_parameters > 0
    assert parameter_count(facts) / 1e9 == pytest.approx(TOTALS[name], rel=0.03 if rough else 0.002)


def test_a_count_without_anything_left_out_is_exact() -> None:
    assert parameter_count(published("llama-3.1-8b")) == 8_030_261_248
    assert parameter_count(published("mixtral-8x7b")) == 46_702_792_704


@pytest.mark.parametrize("name", ACTIVE)
def test_the_weights_that_a_token_meets(name: str) -> None:
    assert active_parameter_count(published(name)) / 1e9 == pytest.approx(ACTIVE[name], rel=0.03)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.json")))
def test_all_weights_lie_somewhere(name: str) -> None:
    """Without copies (one pipeline, tp 1) a GPU has every weight; stages have them together."""
    facts = published(name)
    bits = weight_bits(facts)
    whole = sum(count * bits[part] / 8 for part, count in counted(facts).items())
    assert sum(stage_weights(facts, Layout(), bits, 0).values()) == pytest.approx(whole)
    layout = Layout(pp=4)
    staged = sum(sum(stage_weights(facts, layout, bits, stage).values()) for stage in range(4))
    tied = counted(facts)[Part.EMBEDDING] * bits[Part.EMBEDDING] / 8 if facts.tied_embeddings else 0
    assert staged == pytest.approx(whole + tied)


@given(st.sampled_from(sorted(TOTALS)), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4, 8]))
def test_what_tp_divides_is_divided_and_the_rest_is_copied(name: str, pp: int, tp: int) -> None:
    facts = published(name)
    bits = weight_bits(facts)
    for stage in range(pp):
        one = stage_weights(facts, Layout(pp=pp), bits, stage)
        each = stage_weights(facts, Layout(tp=tp, pp=pp), bits, stage)
        assert set(one) == set(each)
        for part, size in one.items():
            if part in (Part.EMBEDDING, Part.HEAD, Part.MLP, Part.EXPERTS, Part.SHARED):
                assert each[part] == pytest.approx(size / tp)
            elif part in (Part.NORMS, Part.ROUTER, Part.VISION):
                assert each[part] == pytest.approx(size)
            else:
                assert size / tp <= each[part] * (1 + 1e-12) <= size * (1 + 1e-9)


def test_experts_are_shared_by_the_whole_width() -> None:
    facts = published("qwen3-235b-a22b")
    bits = weight_bits(facts)
    alone = stage_weights(facts, Layout(), bits, 0)[Part.EXPERTS]
    for layout in (Layout(tp=8), Layout(tp=8, moe_ep=8), Layout(dp=8, moe_ep=8), Layout(tp=2, dp=4, moe_ep=2)):
        assert stage_weights(facts, layout, bits, 0)[Part.EXPERTS] == pytest.approx(alone / 8)
    copies = Layout(tp=2, dp=4, experts_over_dp=False)
    assert stage_weights(facts, copies, bits, 0)[Part.EXPERTS] == pytest.approx(alone / 2)


def test_bits_of_what_is_asked_and_of_what_is_stored() -> None:
    plain, stored = published("qwen3-32b"), published("deepseek-v3")
    bits = weight_bits(plain, gemm="fp8")
    assert (bits[Part.MLP], bits[Part.ATTENTION], bits[Part.EMBEDDING], bits[Part.HEAD]) == (8, 8, 16, 16)
    assert weight_bits(plain, gemm="float32")[Part.NORMS] == 32
    assert weight_bits(published("mixtral-8x7b"), moe="mxfp4")[Part.EXPERTS] == 4.25
    # A quantised checkpoint keeps its bits.
    assert weight_bits(stored, gemm="bfloat16")[Part.EXPERTS] == pytest.approx(8.002, abs=1e-3)
    mx = weight_bits(published("gpt-oss-120b"))
    assert (mx[Part.EXPERTS], mx[Part.ATTENTION], mx[Part.ROUTER]) == (4.25, 16, 16)
    with pytest.raises(ValueError, match="fp5"):
        weight_bits(plain, gemm="fp5")

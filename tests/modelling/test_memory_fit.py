"""Memory of one GPU: sums, what grows and shrinks with what, and the verdicts with their sentences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import published

from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.gpus import GIB, GpuType, gpu_type
from autotuner.modelling.layout import Layout, check_layout
from autotuner.modelling.memory import (
    COMMUNICATION_BYTES,
    MARGIN,
    Estimator,
    Fit,
    Load,
    MemoryPolicy,
    Precision,
    activation_bytes,
    fit,
    kv_cache,
)
from autotuner.modelling.weights import stage_weights, weight_bits

NAMES = ("llama-3.1-8b", "qwen3-32b", "qwen3-235b-a22b", "deepseek-v3", "mixtral-8x7b", "gpt-oss-120b", "gemma-3-27b")
MODELS = {name: published(name) for name in NAMES}
H200 = gpu_type("h200_sxm")
OF_TOTAL = MemoryPolicy(parameter="gpu_memory_utilization", meaning="of_total", fraction=0.92)
STATIC = MemoryPolicy(parameter="mem_fraction_static", meaning="static", fraction=0.88)
OF_FREE = MemoryPolicy(parameter="free_gpu_memory_fraction", meaning="of_free", fraction=0.9)
POLICIES = (OF_TOTAL, STATIC, OF_FREE)

models = st.sampled_from(NAMES).map(MODELS.__getitem__)
policies = st.sampled_from(POLICIES)
gpus = st.sampled_from([H200, gpu_type("h100_sxm"), gpu_type("l40s"), gpu_type("a100_40")])
layouts = st.builds(
    Layout,
    tp=st.sampled_from([1, 2, 4, 8]),
    pp=st.sampled_from([1, 2, 3, 4]),
    dp=st.sampled_from([1, 2, 4]),
)
loads = st.builds(
    Load,
    context=st.integers(1, 32768),
    max_num_seqs=st.integers(1, 1024),
    max_num_batched_tokens=st.integers(1, 65536),
    enforce_eager=st.booleans(),
)


@given(models, layouts, st.lists(loads, min_size=1, max_size=3), policies, gpus)
def test_an_estimator_says_what_a_single_estimate_says(
    facts: ModelFacts, layout: Layout, asked: list[Load], policy: MemoryPolicy, gpu: GpuType
) -> None:
    for precision in (Precision(), Precision(kv="fp8")):
        estimator = Estimator(facts, gpu, layout, policy, precision)
        for load in asked:
            found = estimator.fit(load)
            assert found == fit(facts, gpu, layout, load, policy, precision)
            numbers = load.context, load.max_num_seqs, load.max_num_batched_tokens, load.memory_fraction
            assert estimator.stops_start(*numbers, eager=load.enforce_eager) == found.stops_start


@given(models, layouts, loads, policies, gpus)
def test_sums(facts: ModelFacts, layout: Layout, load: Load, policy: MemoryPolicy, gpu: object) -> None:
    found = fit(facts, H200, layout, load, policy)
    parts = found.parts
    assert parts.total == parts.weights + parts.kv_sequence + parts.activations + parts.overhead
    assert min(parts.weights, parts.activations, parts.overhead, parts.kv_sequence) > 0
    ratio = found.need / found.budget
    assert found.verdict == ("fits" if ratio <= 1 - MARGIN else "tight" if ratio <= 1 + MARGIN else "cannot fit")
    assert found.stops_start == (ratio > 1 + MARGIN)
    # What is needed is within the budget exactly if one sequence has room (rounding of a byte aside).
    if abs(found.need - found.budget) > 4:
        assert (found.need <= found.budget) == (found.sequences >= 1)
    if policy is OF_TOTAL:
        assert found.need == parts.total
        assert found.budget == int(0.92 * H200.usable_bytes)


@given(models, layouts, loads, policies)
def test_more_gpus_never_need_more(facts: ModelFacts, layout: Layout, load: Load, policy: MemoryPolicy) -> None:
    """Doubling a group takes weights, keys and values off each stage; only the constant of communication may come."""
    bits, need = weight_bits(facts), fit(facts, H200, layout, load, policy).need
    for group in ("tp", "pp"):
        wider = layout.model_copy(update={group: 2 * getattr(layout, group)})
        assert fit(facts, H200, wider, load, policy).need <= need + COMMUNICATION_BYTES + 1
    wider = layout.model_copy(update={"tp": 2 * layout.tp})
    assert activation_bytes(facts, wider, load) <= activation_bytes(facts, layout, load)
    for stage in range(layout.pp):
        one, two = (sum(stage_weights(facts, each, bits, stage).values()) for each in (layout, wider))
        assert two < one
        assert kv_cache(facts, wider, "auto", stage).per_token <= kv_cache(facts, layout, "auto", stage).per_token


@given(models, layouts, loads, policies, st.integers(1, 4096))
def test_what_is_asked_grows_the_need(
    facts: ModelFacts, layout: Layout, load: Load, policy: MemoryPolicy, more: int
) -> None:
    base = fit(facts, H200, layout, load, policy)
    longer = fit(facts, H200, layout, load.model_copy(update={"context": load.context + more}), policy)
    assert longer.need >= base.need
    assert longer.sequences <= base.sequences
    for field in ("max_num_seqs", "max_num_batched_tokens"):
        bigger = load.model_copy(update={field: getattr(load, field) + more})
        found = fit(facts, H200, layout, bigger, policy)
        assert found.need >= base.need
        assert found.sequences <= base.sequences


@given(models, layouts, loads, policies)
def test_smaller_types_need_less(facts: ModelFacts, layout: Layout, load: Load, policy: MemoryPolicy) -> None:
    base = fit(facts, H200, layout, load, policy, Precision(gemm="bfloat16", kv="bfloat16"))
    small = fit(facts, H200, layout, load, policy, Precision(gemm="fp8", kv="fp8"))
    assert small.need < base.need
    halved = kv_cache(facts, layout, "fp8").sequence(load.context)
    assert halved == kv_cache(facts, layout, "bfloat16").sequence(load.context) / 2
    assert small.sequences >= base.sequences


@given(models, layouts, loads, policies, st.floats(0.3, 0.94))
def test_a_greater_fraction_holds_more_sequences(
    facts: ModelFacts, layout: Layout, load: Load, policy: MemoryPolicy, fraction: float
) -> None:
    def held(value: float) -> Fit:
        return fit(facts, H200, layout, load.model_copy(update={"memory_fraction": value}), policy)

    if policy is STATIC:
        # What activations lack in the rest is taken from the fraction: more of it may then hold no more.
        assert held(fraction + 0.05).sequences >= held(fraction).sequences or held(fraction + 0.05).verdict != "fits"
    else:
        assert held(fraction + 0.05).sequences >= held(fraction).sequences


@pytest.mark.parametrize(
    ("name", "layout", "kv", "each"),
    [
        ("llama-3.1-8b", Layout(), "auto", 2 * 8 * 128 * 32 * 2),  # the well-known 128 KiB
        ("llama-3.1-8b", Layout(tp=2), "fp8", 2 * 4 * 128 * 32),
        ("llama-3.1-8b", Layout(tp=16), "auto", 2 * 1 * 128 * 32 * 2),  # copied, not divided further
        ("llama-3.1-8b", Layout(pp=2), "auto", 2 * 8 * 128 * 16 * 2),
        ("llama-3.1-8b", Layout(tp=2, dp=4), "auto", 2 * 4 * 128 * 32 * 2),
        ("qwen3-235b-a22b", Layout(tp=8), "auto", 2 * 1 * 128 * 94 * 2),
        ("qwen3-235b-a22b", Layout(tp=8, dcp=2), "auto", 2 * 1 * 128 * 94),
        ("deepseek-v3", Layout(), "auto", (512 + 64) * 61 * 2),
        ("deepseek-v3", Layout(tp=8), "auto", (512 + 64) * 61 * 2),  # latent keys and values are not divided
        ("deepseek-v3", Layout(tp=8, dcp=8), "auto", (512 + 64) * 61 * 2 // 8),
    ],
)
def test_keys_and_values_of_a_token(name: str, layout: Layout, kv: str, each: int) -> None:
    cache = kv_cache(MODELS[name], layout, kv)
    assert cache.per_token == each
    assert cache.sequence(1000) == 1000 * each


def test_layers_with_a_window_keep_no_more_than_it() -> None:
    cache = kv_cache(MODELS["gpt-oss-120b"], Layout(), "auto")
    layer = 2 * 8 * 64 * 2
    assert cache.sequence(100) == 36 * layer * 100
    assert cache.sequence(10_000) == 18 * layer * (10_000 + 128)


def test_the_stages_share_the_keys_and_values() -> None:
    facts = MODELS["gemma-3-27b"]
    whole = kv_cache(facts, Layout(), "auto").sequence(4000)
    staged = sum(kv_cache(facts, Layout(pp=4), "auto", stage).sequence(4000) for stage in range(4))
    assert whole <= staged <= 1.1 * whole


def test_layers_without_keys_and_values() -> None:
    facts = published("qwen3-next-80b-a3b")
    assert kv_cache(facts, Layout(), "auto").per_token == 2 * 2 * 256 * 12 * 2
    none = facts.model_copy(update={"kv_layers": 0})
    load = Load(context=4096, max_num_seqs=7)
    assert fit(none, H200, Layout(tp=8), load, OF_TOTAL).sequences == 7


def test_the_type_of_the_kv_cache_comes_from_the_checkpoint() -> None:
    facts = MODELS["deepseek-v3"]
    assert facts.quantisation is not None
    scaled = facts.model_copy(update={"quantisation": facts.quantisation.model_copy(update={"kv_dtype": "fp8"})})
    assert kv_cache(scaled, Layout(), "auto").per_token == kv_cache(facts, Layout(), "auto").per_token / 2
    with pytest.raises(ValueError, match="fp3"):
        kv_cache(facts, Layout(), "fp3")


def test_all_groups_send_tokens_to_the_experts() -> None:
    """With the same number of experts on a GPU, more data-parallel groups bring more tokens."""
    facts, load = MODELS["qwen3-235b-a22b"], Load(context=4096)
    alone = activation_bytes(facts, Layout(tp=8, moe_ep=8), load)
    groups = activation_bytes(facts, Layout(dp=8, moe_ep=8), load)
    assert groups > alone
    apart = Layout(dp=8, experts_over_dp=False)
    assert activation_bytes(facts, apart, load) == activation_bytes(facts, Layout(), load)


def judged(name: str, layout: Layout, policy: MemoryPolicy = OF_TOTAL, **load: int) -> Fit:
    facts = MODELS[name]
    assert not [remark for remark in check_layout(facts, layout) if remark.kind == "error"]
    return fit(facts, H200, layout, Load(**{"context": 4500, **load}), policy)


def test_verdicts_that_are_known() -> None:
    assert judged("llama-3.1-8b", Layout()).verdict == "fits"
    assert judged("qwen3-32b", Layout()).verdict == "fits"
    # 235 billion 16-bit weights are 438 GiB.
    assert judged("qwen3-235b-a22b", Layout(tp=2)).verdict == "cannot fit"
    assert judged("qwen3-235b-a22b", Layout(tp=4)).verdict in ("fits", "tight")
    assert judged("qwen3-235b-a22b", Layout(tp=8)).verdict == "fits"
    # 671 billion weights of a byte fit on eight GPUs of 141 GB, the well-known way to serve them.
    assert judged("deepseek-v3", Layout(tp=8)).verdict == "fits"
    assert judged("deepseek-v3", Layout(tp=4)).verdict == "cannot fit"
    # Made for one GPU of 80 GB.
    eighty = fit(MODELS["gpt-oss-120b"], gpu_type("h100_sxm"), Layout(), Load(context=8192), OF_TOTAL)
    assert eighty.verdict in ("fits", "tight")


@pytest.mark.parametrize("policy", POLICIES, ids=[policy.meaning for policy in POLICIES])
def test_sentences(policy: MemoryPolicy) -> None:
    fits = judged("qwen3-32b", Layout(tp=2), policy)
    assert fits.sentence.startswith("one GPU needs ")
    named = f"{policy.parameter} {policy.fraction:g}"
    of = f"of H200 SXM, with {named} of what is left" if policy is OF_FREE else f"that {named} gives on H200 SXM"
    assert of in fits.sentence
    assert f"the KV cache holds {fits.sequences} such sequences" in fits.sentence
    tight = judged("qwen3-235b-a22b", Layout(dp=4, moe_ep=4), policy, max_num_batched_tokens=65536)
    assert tight.verdict == "tight"
    assert "not certain that the server starts" in tight.sentence
    refused = judged("qwen3-235b-a22b", Layout(tp=2), policy)
    assert refused.stops_start
    assert f"{refused.need / refused.budget:.2f} times that" in refused.sentence
    assert "more GPUs must share the model" in refused.sentence


def test_sequences_that_wait_are_told_and_stop_nothing() -> None:
    found = judged("qwen3-32b", Layout(), max_num_seqs=512)
    assert 1 <= found.sequences < 512
    assert found.sentence.endswith(
        f"the KV cache holds {found.sequences} such sequences of max_num_seqs 512; the others wait"
    )
    assert not found.stops_start


def test_a_model_that_is_only_estimated_is_refused_for_its_files_alone() -> None:
    guess = MODELS["qwen3-235b-a22b"].model_copy(update={"estimated": True})
    found = fit(guess, H200, Layout(), Load(context=4096), OF_TOTAL)
    assert found.need > 2 * found.budget
    assert found.verdict == "tight"
    assert found.sentence.endswith("these figures are guesses, so the server may start all the same")
    with_files = guess.model_copy(update={"checkpoint_bytes": 470 * 10**9})
    assert fit(with_files, H200, Layout(), Load(context=4096), OF_TOTAL).stops_start
    small_files = guess.model_copy(update={"checkpoint_bytes": 150 * 10**9})
    assert not fit(small_files, H200, Layout(), Load(context=10**6), OF_TOTAL).stops_start


def test_an_estimated_model_is_scaled_to_its_files() -> None:
    plain = MODELS["qwen3-32b"]
    guess = plain.model_copy(update={"estimated": True, "checkpoint_bytes": 131_000_000_000})
    weights = fit(guess, H200, Layout(tp=2), Load(context=4096), OF_TOTAL).parts.weights
    assert weights == pytest.approx(131e9 / 2, rel=0.001)
    # Of a family that is known in detail the count is taken.
    known = plain.model_copy(update={"checkpoint_bytes": 131_000_000_000})
    load = Load(context=4096)
    assert fit(known, H200, Layout(tp=2), load, OF_TOTAL) == fit(plain, H200, Layout(tp=2), load, OF_TOTAL)


def test_what_the_fractions_mean() -> None:
    """Each worked by hand for one model and load."""
    facts, load = MODELS["llama-3.1-8b"], Load(context=8192)
    total = fit(facts, H200, Layout(), load, OF_TOTAL)
    static = fit(facts, H200, Layout(), load, STATIC)
    free = fit(facts, H200, Layout(), load, OF_FREE)
    parts, capacity = total.parts, H200.usable_bytes
    without = parts.total - parts.kv_sequence
    assert total.kv_room == int(0.92 * capacity) - without
    # Activations and graphs find room in the twelve per cent that are not static.
    assert static.budget == int(0.88 * (capacity - GIB))
    assert static.need == parts.weights + parts.kv_sequence
    assert free.kv_room == int(0.9 * (capacity - without))
    for found in (total, static, free):
        assert found.sequences == math.floor(found.kv_room / parts.kv_sequence)


def test_activations_that_do_not_find_room_beside_the_static_fraction_count() -> None:
    facts = MODELS["llama-3.1-8b"]
    load = Load(context=8192, memory_fraction=0.99, max_num_batched_tokens=65536)
    found = fit(facts, H200, Layout(), load, STATIC)
    assert found.need > found.parts.weights + found.parts.kv_sequence

"""What is read out of a config.json, and what is said of one that cannot be read."""

import json

import pytest
from published import CONFIGS, published

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.modelling.config_json import read_config

LLAMA = json.loads((CONFIGS / "llama-3.1-8b.json").read_text(encoding="utf-8"))


def test_the_facts_of_a_dense_model() -> None:
    facts = published("llama-3.1-8b")
    assert (facts.architecture, facts.model_type) == ("LlamaForCausalLM", "llama")
    assert (facts.layers, facts.hidden_size, facts.intermediate_size) == (32, 4096, 14336)
    assert (facts.heads, facts.kv_heads, facts.head_dim, facts.attention) == (32, 8, 128, "GQA")
    assert (facts.vocab_size, facts.tied_embeddings, facts.max_positions) == (128256, False, 131072)
    assert (facts.sliding_window, facts.window_layers, facts.kv_layers) == (None, 0, 32)
    assert facts.dtype == "bfloat16"
    assert not facts.estimated
    assert facts.experts is facts.latent is facts.quantisation is None
    assert facts.notes == ()


def test_latent_attention_dense_layers_and_layers_that_only_predict() -> None:
    facts = published("deepseek-v3")
    assert facts.latent is not None
    assert (facts.latent.kv_lora_rank, facts.latent.qk_rope_head_dim, facts.attention) == (512, 64, "MLA")
    assert facts.experts is not None
    assert (facts.experts.count, facts.experts.per_token, facts.experts.shared_size) == (256, 8, 2048)
    assert facts.experts.layers == tuple(range(3, 61))
    assert not facts.has_experts(2)
    assert any("predict further tokens" in note for note in facts.notes)


def test_a_multimodal_model_is_read_in_its_language_part() -> None:
    facts = published("gemma-3-27b")
    assert (facts.architecture, facts.model_type, facts.layers) == ("Gemma3ForConditionalGeneration", "gemma3", 62)
    assert facts.tied_embeddings
    assert (facts.vocab_size, facts.max_positions) == (262208, 131072), "left to the defaults of the family"
    # Five of six layers look back 1,024 tokens.
    assert (facts.sliding_window, facts.window_layers) == (1024, 52)
    assert 0.3e9 < facts.vision_parameters < 0.7e9
    assert not facts.estimated
    assert any("vision part" in note for note in facts.notes)


def test_windows_by_layer() -> None:
    facts = published("gpt-oss-120b")
    assert (facts.sliding_window, facts.window_layers, facts.kv_layers) == (128, 18, 36)
    assert published("qwen3-32b").sliding_window is None, "use_sliding_window is false"
    every = read_config("m", {**LLAMA, "model_type": "mistral", "sliding_window": 4096})
    assert (every.sliding_window, every.window_layers) == (4096, 32)


@pytest.mark.parametrize(
    ("change", "kv_layers"),
    [
        ({"model_type": "qwen3_next", "full_attention_interval": 4}, 8),
        ({"model_type": "jamba", "attn_layer_period": 8, "attn_layer_offset": 4, "mamba_d_state": 16}, 4),
        ({"model_type": "nemotron_h", "hybrid_override_pattern": "M-M*-" * 6 + "MM"}, 6),
        ({"model_type": "bamba", "attn_layer_indices": [9, 18, 27]}, 3),
        ({"model_type": "granitemoehybrid", "layer_types": ["mamba"] * 28 + ["attention"] * 4}, 4),
        ({"model_type": "some_linear", "layer_types": ["linear_attention"] * 24 + ["full_attention"] * 8}, 8),
        ({"model_type": "falcon_h1", "mamba_d_state": 256}, 32),
        ({"model_type": "mamba2", "state_size": 128, "num_attention_heads": None}, 0),
    ],
)
def test_hybrid_models_are_recognised_and_only_estimated(change: dict[str, object], kv_layers: int) -> None:
    facts = read_config("hybrid", {**LLAMA, **change})
    assert facts.kv_layers == kv_layers
    assert facts.estimated
    assert "only estimated" in facts.notes[0]


def test_layers_that_are_told_one_by_one() -> None:
    experts = {"n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512}
    facts = read_config("m", {**LLAMA, **experts, "model_type": "nemotron_h", "hybrid_override_pattern": "ME*ME-"})
    assert (facts.layers, facts.kv_layers, facts.gated_mlp) == (6, 1, False)
    assert facts.experts is not None
    assert facts.experts.layers == (1, 4)
    kinds = ["mamba", "moe", "attention"] * 4
    listed = {key: value for key, value in LLAMA.items() if key != "num_hidden_layers"}
    assert read_config("m", {**listed, "layers_block_type": kinds}).layers == 12


def test_an_unknown_family_is_estimated() -> None:
    facts = read_config("new", {**LLAMA, "model_type": "brand_new"})
    assert facts.estimated
    assert "brand_new" in facts.notes[0]


def test_other_families_other_names() -> None:
    gpt2 = read_config(
        "gpt2",
        {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257},
    )
    assert (gpt2.hidden_size, gpt2.heads, gpt2.kv_heads, gpt2.attention) == (768, 12, 12, "MHA")
    assert (gpt2.gated_mlp, gpt2.tied_embeddings, gpt2.intermediate_size) == (False, True, 3072)
    assert gpt2.learned_positions == gpt2.max_positions == 1024
    falcon = read_config(
        "falcon",
        {"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32,
         "vocab_size": 65024, "multi_query": True},
    )  # fmt: skip
    assert (falcon.kv_heads, falcon.attention) == (1, "MQA")


@pytest.mark.parametrize(
    ("change", "layers"),
    [
        ({"decoder_sparse_step": 2}, tuple(range(1, 32, 2))),
        ({"decoder_sparse_step": 1, "mlp_only_layers": [0, 31]}, tuple(range(1, 31))),
        ({"interleave_moe_layer_step": 2}, tuple(range(1, 32, 2))),
        ({"first_k_dense_replace": 30}, (30, 31)),
        ({"moe_layer_freq": [0] * 30 + [1, 1]}, (30, 31)),
        ({"moe_layers": [5, 7]}, (5, 7)),
        ({"expert_layer_period": 4, "expert_layer_offset": 1}, tuple(range(1, 32, 4))),
    ],
)
def test_which_layers_have_experts(change: dict[str, object], layers: tuple[int, ...]) -> None:
    experts = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 512}
    facts = read_config("moe", {**LLAMA, **experts, **change})
    assert facts.experts is not None
    assert facts.experts.layers == layers


def test_the_longest_text_of_the_tokenizer_counts_where_the_configuration_names_none() -> None:
    short = {key: value for key, value in LLAMA.items() if key != "max_position_embeddings"}
    assert read_config("m", short).max_positions is None
    assert read_config("m", short, tokenizer={"model_max_length": 4096}).max_positions == 4096
    assert read_config("m", short, tokenizer={"model_max_length": 10**30}).max_positions is None
    assert read_config("m", LLAMA, tokenizer={"model_max_length": 4096}).max_positions == 131072


@pytest.mark.parametrize(
    ("said", "dtype"),
    [
        ("torch.float16", "float16"),
        ("half", "float16"),
        ("float32", "float32"),
        (None, "bfloat16"),
        ("odd", "bfloat16"),
    ],
)
def test_types(said: str | None, dtype: str) -> None:
    assert read_config("m", {**LLAMA, "torch_dtype": said}).dtype == dtype
    assert read_config("m", {**LLAMA, "torch_dtype": None, "dtype": said}).dtype == dtype


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"vocab_size": "many"}, "vocab_size is 'many'"),
        ({"hidden_size": 4096.5}, "hidden_size is 4096.5"),
        ({"num_key_value_heads": True}, "num_key_value_heads is True"),
        ({"kv_lora_rank": 512}, "qk_nope_head_dim"),
        ({"num_experts": 8}, "num_experts_per_tok"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
    ],
)
def test_a_config_that_cannot_be_read(change: dict[str, object], said: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        read_config("broken", {**LLAMA, **change})
    assert caught.value.code is ErrorCode.MISSING_MODEL
    assert said in caught.value.why
    assert "broken" in caught.value.what

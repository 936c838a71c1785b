"""Checkpoints that are already quantised are recognised; ordinary names are not."""

import pytest

from autotuner.modelling.facts import LINEAR, Part
from autotuner.modelling.quantisation import detect, dropped_note, from_name


def config(**block: object) -> dict[str, object]:
    return {"quantization_config": block}


GROUP = {"num_bits": 4, "type": "int", "group_size": 128, "symmetric": True}

BY_CONFIG = [
    (config(quant_method="awq", bits=4, group_size=128), "awq w4", 4.15625),
    (config(quant_method="gptq", bits=4, group_size=128), "gptq w4", 4.15625),
    (config(quant_method="gptq", bits=8, group_size=-1), "gptq w8", 8),
    (config(quant_method="auto-round", bits=4, group_size=128), "gptq w4", 4.15625),
    (config(quant_method="gptq_marlin", bits=4, group_size=64), "gptq w4", 4.3125),
    (config(quant_method="marlin", group_size=128), "marlin w4", 4.125),
    (config(quant_method="squeezellm", wbits=4), "squeezellm w4", 4.0625),
    (config(quant_method="gguf"), "gguf Q4_K_M", 4.85),
    (config(quant_method="fp8", weight_block_size=[128, 128]), "fp8 block", 8.00195),
    (config(quant_method="fbgemm_fp8"), "fp8", 8),
    (config(quant_method="bitsandbytes", load_in_4bit=True, bnb_4bit_quant_type="nf4"), "bitsandbytes nf4", 4.5),
    (
        config(quant_method="bitsandbytes", load_in_4bit=True, bnb_4bit_use_double_quant=True),
        "bitsandbytes nf4",
        4.12695,
    ),
    (config(quant_method="bitsandbytes", load_in_8bit=True), "bitsandbytes int8", 8),
    (
        config(quant_method="hqq", quant_config={"weight_quant_params": {"nbits": 4, "group_size": 64}}),
        "hqq w4",
        4.5,
    ),
    (config(quant_method="mxfp4"), "mxfp4", 4.25),
    (
        config(quant_method="compressed-tensors", config_groups={"group_0": {"weights": GROUP}}),
        "compressed-tensors w4a16",
        4.125,
    ),
    (
        config(
            quant_method="compressed-tensors",
            config_groups={"group_0": {"weights": {**GROUP, "symmetric": False}, "input_activations": {"num_bits": 8}}},
        ),
        "compressed-tensors w4a8",
        4.15625,
    ),
    (
        config(
            quant_method="compressed-tensors",
            config_groups={"group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}},
        ),
        "compressed-tensors fp8",
        8,
    ),
    (
        config(
            quant_method="compressed-tensors",
            format="nvfp4-pack-quantized",
            config_groups={"group_0": {"weights": {"num_bits": 4, "type": "float", "group_size": 16}}},
        ),
        "compressed-tensors nvfp4",
        4.5,
    ),
    (config(quant_method="modelopt", quant_algo="NVFP4"), "modelopt nvfp4", 4.5),
    (config(quant_algo="FP8"), "modelopt fp8", 8),
    (config(quant_method="quark", global_quant_config={"weight": {"dtype": "fp8_e4m3"}}), "quark fp8", 8),
    (config(quant_method="quark", global_quant_config={"weight": {"dtype": "fp4"}}), "quark mxfp4", 4.25),
    (
        config(quant_method="quark", global_quant_config={"weight": [{"dtype": "int4", "group_size": 128}]}),
        "quark int4",
        4.125,
    ),
    (
        {"compression_config": {"quant_method": "compressed-tensors", "config_groups": {}}},
        "compressed-tensors w8a16",
        8,
    ),
]


@pytest.mark.parametrize(("given", "label", "bits"), BY_CONFIG, ids=[label for _, label, _ in BY_CONFIG])
def test_by_config(given: dict[str, object], label: str, bits: float) -> None:
    found = detect("org/Some-7B-Q4_K_M.gguf", given)
    assert found is not None
    assert found.label == label
    assert found.bits == pytest.approx(bits, abs=1e-4)
    assert found.source == "config.json"


BY_HF_QUANT = [
    ({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}, "modelopt fp8", 8, "fp8"),
    ({"quant_algo": "NVFP4", "kv_cache_quant_algo": None, "group_size": 16}, "modelopt nvfp4", 4.5, None),
    ({"quant_algo": "W4A16_AWQ", "group_size": 128}, "modelopt w4a16_awq", 4.125, None),
    ({"quant_algo": "W4A8_AWQ", "group_size": 64}, "modelopt w4a8_awq", 4.25, None),
    ({"quant_algo": "W8A8_SQ_PER_CHANNEL"}, "modelopt int8", 8, None),
    (
        {
            "quant_algo": "MIXED_PRECISION",
            "quantized_layers": {"a": {"quant_algo": "FP8"}, "b": {"quant_algo": "NVFP4"}},
        },
        "modelopt mixed",
        6.25,
        None,
    ),
]


@pytest.mark.parametrize(("given", "label", "bits", "kv"), BY_HF_QUANT, ids=[label for _, label, _, _ in BY_HF_QUANT])
def test_by_hf_quant_config(given: dict[str, object], label: str, bits: float, kv: str | None) -> None:
    found = detect("plain", {}, {"producer": {"name": "modelopt"}, "quantization": given})
    assert found is not None
    assert (found.label, found.kv_dtype, found.source) == (label, kv, "hf_quant_config.json")
    assert found.bits == pytest.approx(bits)


def test_a_file_that_names_no_algorithm_says_nothing() -> None:
    assert detect("plain", {}, {"quantization": {"quant_algo": None}}) is None
    assert detect("plain", config(), None) is None


def test_the_configuration_is_asked_first() -> None:
    found = detect("Qwen3-32B-AWQ", config(quant_method="fp8"), {"quantization": {"quant_algo": "NVFP4"}})
    assert found is not None
    assert found.label == "fp8"


BY_NAME = [
    ("Qwen/Qwen3-32B-AWQ", "awq"),
    ("TheBloke/Llama-2-7B-GPTQ", "gptq"),
    ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "gguf"),
    ("models/qwen3-8b-q8_0.gguf", "gguf"),
    ("squeeze-ai-lab/sq-llama-2-7b-squeezellm", "squeezellm"),
    ("neuralmagic/Llama-2-7B-Chat-Marlin", "marlin"),
    ("nvidia/Llama-3.1-8B-Instruct-NVFP4", "nvfp4"),
    ("nvidia/DeepSeek-R1-FP4", "nvfp4"),
    ("Qwen/Qwen3-235B-A22B-FP8", "fp8"),
    ("unsloth/Llama-3.2-1B-bnb-4bit", "bitsandbytes"),
    ("mobiuslabsgmbh/Llama-3.1-8b-instruct_4bitgs64_hqq_calib", "hqq"),
    ("RedHatAI/Llama-3.1-8B-Instruct-quantized.w8a8", "compressed-tensors"),
    ("org/Mistral-7B-compressed-tensors", "compressed-tensors"),
    ("org/Llama-3-8B-modelopt-fp8", "modelopt"),
    ("amd/Llama-3.1-405B-Instruct-FP8-Quark", "quark"),
    ("amd/DeepSeek-R1-MXFP4", "mxfp4"),
    ("/cache/models--Qwen--Qwen3-8B-AWQ/snapshots/0123abcd", "awq"),
]


@pytest.mark.parametrize(("name", "method"), BY_NAME)
def test_by_name(name: str, method: str) -> None:
    found = from_name(name)
    assert found is not None
    assert (found.method, found.source) == (method, "name")


@pytest.mark.parametrize(
    "name",
    [
        "Qwen/Qwen3-32B",
        "meta-llama/Llama-3.1-8B-Instruct",
        "org/Marlin-7B",  # a model of that name
        "quark/Quark-70B-Instruct",
        "awq-fans/Llama-3-8B",  # the owner's name
        "/data/fp8/Llama-3-8B",  # the folder's name
        "org/Hawqeye-7B",
        "org/Fp8able-7B",
        "org/Gguffaw-1B",
        "org/model-w4",
        "",
    ],
)
def test_ordinary_names(name: str) -> None:
    assert from_name(name) is None


def test_bits_by_name() -> None:
    def bits(name: str) -> float:
        found = from_name(name)
        assert found is not None
        return found.bits

    assert bits("x-Q4_K_M.gguf") == 4.85
    assert bits("x-q8_0.gguf") == 8.5
    assert bits("x-f16.gguf") == 16
    assert bits("x-unusual.gguf") == 8.5
    assert bits("x-bnb-8bit") == 8
    assert bits("x-GPTQ-Int8") == 8
    assert bits("x-GPTQ-Int4") == pytest.approx(4.15625)


def test_what_a_checkpoint_leaves_out() -> None:
    def parts(*names: str, layers: int | None = None) -> set[Part]:
        found = detect("m", config(quant_method="fp8", modules_to_not_convert=list(names)), layers=layers)
        assert found is not None
        return set(found.parts)

    assert parts("lm_head", "model.embed_tokens") == set(LINEAR)
    assert parts("model.layers.*.self_attn") == {Part.MLP, Part.EXPERTS, Part.SHARED}
    assert parts("re:.*self_attn.*", "re:.*mlp.gate$") == {Part.MLP, Part.EXPERTS, Part.SHARED}
    assert parts("model.layers.*.mlp.shared_experts*") == {Part.ATTENTION, Part.MLP, Part.EXPERTS}
    # One matrix, or few layers: most of the part is quantised.
    assert parts("re:.*self_attn.kv_a_proj") == set(LINEAR)
    few = [f"model.layers.{layer}.self_attn.q_proj" for layer in range(3)]
    assert parts(*few, layers=32) == set(LINEAR)
    assert parts(*few, layers=4) == set(LINEAR)
    more = [*few, *(f"model.layers.{layer}.self_attn.k_proj" for layer in range(3))]
    assert parts(*more, layers=4) == {Part.MLP, Part.EXPERTS, Part.SHARED}
    modules = [f"model.layers.{layer}.mlp.experts" for layer in range(3)]
    assert parts(*modules, layers=4) == {Part.ATTENTION, Part.MLP, Part.SHARED}
    assert parts(*modules) == set(LINEAR), "of unknown many layers"
    # Small things that nearly every checkpoint leaves out.
    small = ("input_layernorm", "mlp.gate.e_score_correction_bias", "self_attn.indexer.weights_proj", "mlp.gate")
    assert parts(*(f"model.layers.{layer}.{name}" for layer in range(4) for name in small), layers=4) == set(LINEAR)


def test_types_of_the_kv_cache() -> None:
    def kv(**block: object) -> str | None:
        found = detect("m", config(**block))
        assert found is not None
        return found.kv_dtype

    assert kv(quant_method="compressed-tensors", kv_cache_scheme={"num_bits": 8, "type": "float"}) == "fp8"
    assert kv(quant_method="compressed-tensors", kv_cache_scheme={"num_bits": 8, "type": "int"}) == "int8"
    assert kv(quant_method="compressed-tensors") is None
    assert kv(quant_method="quark", kv_cache_quant_config={"*k_proj": {}}) == "fp8"
    assert kv(quant_method="modelopt", quant_algo="FP8", kv_cache_scheme={"num_bits": 8, "type": "float"}) == "fp8"
    assert kv(quant_method="awq") is None


def test_the_sentence_of_the_plan() -> None:
    found = detect("Qwen3-32B-AWQ", config(quant_method="awq", bits=4, group_size=128))
    assert found is not None
    assert dropped_note("Qwen3-32B-AWQ", found, "gemm_dtype fp8") == (
        "Qwen3-32B-AWQ is already quantised (awq w4, 4.16 bits per weight, by its config.json), so the quantisation at "
        "start (gemm_dtype fp8) is dropped"
    )

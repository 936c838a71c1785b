"""Names of aiconfigurator: models of its first releases, systems, precisions of all releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MODELS: Mapping[str, str] = {
    "LLAMA2_7B": "meta-llama/Llama-2-7b-hf",
    "LLAMA2_13B": "meta-llama/Llama-2-13b-hf",
    "LLAMA2_70B": "meta-llama/Llama-2-70b-hf",
    "LLAMA3.1_8B": "meta-llama/Meta-Llama-3.1-8B",
    "LLAMA3.1_70B": "meta-llama/Meta-Llama-3.1-70B",
    "LLAMA3.1_405B": "meta-llama/Meta-Llama-3.1-405B",
    "DEEPSEEK_V3": "deepseek-ai/DeepSeek-V3",
    "QWEN2.5_1.5B": "Qwen/Qwen2.5-1.5B",
    "QWEN2.5_7B": "Qwen/Qwen2.5-7B",
    "QWEN2.5_32B": "Qwen/Qwen2.5-32B",
    "QWEN2.5_72B": "Qwen/Qwen2.5-72B",
    "QWEN3_0.6B": "Qwen/Qwen3-0.6B",
    "QWEN3_1.7B": "Qwen/Qwen3-1.7B",
    "QWEN3_8B": "Qwen/Qwen3-8B",
    "QWEN3_32B": "Qwen/Qwen3-32B",
    "QWEN3_30B_A3B": "Qwen/Qwen3-30B-A3B",
    "QWEN3_235B": "Qwen/Qwen3-235B-A22B",
    "QWEN3_480B": "Qwen/Qwen3-Coder-480B-A35B-Instruct",
    "GPT_OSS_20B": "openai/gpt-oss-20b",
    "GPT_OSS_120B": "openai/gpt-oss-120b",
}
"""Names of the releases up to 0.4."""

GUESSED_MODELS: Mapping[str, str] = {"LLAMA_70B": "meta-llama/Meta-Llama-3.1-70B"}
"""Names that no release had, and what is meant by them."""

SYSTEMS: Mapping[str, str] = {"gb200_sxm": "gb200"}
"""Systems that have another name today."""

PRECISIONS = ("gemm", "moe", "kvcache", "fmha", "comm")

FIELDS: Mapping[str, str] = {
    "gemm": "gemm_dtype",
    "moe": "moe_dtype",
    "kvcache": "kvcache_dtype",
    "fmha": "attention_dtype",
}
"""Precision → field of quant_config. Nothing says in which precision GPUs talk to each other (comm)."""

_WEIGHTS = {
    "auto": "auto",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "fp8": "fp8",
    "int8": "int8",
    "int8_wo": "int8",
}

OURS: Mapping[str, Mapping[str, str]] = {
    "gemm": _WEIGHTS,
    "moe": _WEIGHTS,
    "kvcache": {"auto": "auto", "float16": "auto", "bfloat16": "auto", "fp8": "fp8", "int8": "int8"},
    "fmha": {name: name for name in ("auto", "bfloat16", "float16", "fp8", "fp8_block")},
}
"""Precision → its values there and here. int8 is what int8_wo was called once."""

CHECKPOINTS: Mapping[str, str] = {
    "fp8_block": "a checkpoint with block-scaled 8-bit floats, such as those whose names end with -FP8",
    "fp8_static": "a checkpoint with one scale per tensor (ModelOpt or compressed-tensors, FP8)",
    "fp8_ootb": "a checkpoint with 8-bit floats",
    "sq": "a SmoothQuant checkpoint",
    "int4": "a checkpoint with 4-bit integers, such as AWQ or GPTQ",
    "int4_wo": "a checkpoint with 4-bit integers, such as AWQ or GPTQ",
    "nvfp4": "an NVFP4 checkpoint (ModelOpt)",
    "nvfp4_wo": "an NVFP4 checkpoint (ModelOpt)",
    "w4a16_nvfp4": "an NVFP4 checkpoint (ModelOpt)",
    "w4afp8": "a checkpoint with 4-bit experts for 8-bit activations (W4AFP8)",
    "w4a16_mxfp4": "an MXFP4 checkpoint",
    "w4a8_mxfp4_mxfp8": "an MXFP4 checkpoint",
}
"""Precisions of weights that only a checkpoint can give, and which."""

_THERE: Mapping[str, Mapping[str, str]] = {
    "gemm": {"bfloat16": "bfloat16", "float16": "bfloat16", "fp8": "fp8", "int8": "int8_wo", "int4": "int4_wo"},
    "moe": {"bfloat16": "bfloat16", "float16": "bfloat16", "fp8": "fp8", "int8": "int8_wo", "w4afp8": "w4afp8",
            "mxfp4": "w4a16_mxfp4"},
    "kvcache": {"fp16": "bfloat16", "bfloat16": "bfloat16", "fp8": "fp8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8",
                "int8": "int8"},
    "fmha": {"bfloat16": "bfloat16", "float16": "bfloat16", "fp8": "fp8", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8",
             "fp8_block": "fp8_block"},
}  # fmt: skip
"""Precision → its values here and there, today's names."""


@dataclass(frozen=True)
class Translated:
    """A precision in our words."""

    value: str
    """Of the field of quant_config."""
    why: str = ""
    """Why it is not what the file says; empty: it is."""


def translate(precision: str, said: str) -> Translated:
    """What a file's word for a precision is here. What only a checkpoint can give, and an unknown word, is auto."""
    known = OURS[precision].get(said)
    if known is not None:
        return Translated(known)
    needed = CHECKPOINTS.get(said)
    if needed is None or precision in ("kvcache", "fmha"):
        return Translated("auto", f"{said} is no precision that is known here")
    return Translated("auto", f"it takes {needed}")


def word_there(precision: str, ours: object) -> str | None:
    """aiconfigurator's word for a value of ours; None for auto, and for what it has no word for."""
    return _THERE[precision].get(str(ours))


def model_id(name: str) -> tuple[str, str | None]:
    """The name on a model hub, and a remark where the file has an old or an invented one."""
    if name in GUESSED_MODELS:
        meant = GUESSED_MODELS[name]
        return meant, f"no release of aiconfigurator calls a model {name}; {meant} is taken, so check model.id_or_path"
    if name in MODELS:
        return MODELS[name], f"{name} is {MODELS[name]} on the model hub"
    return name, None

"""Writes a model as a GGUF file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from autotuner.tiny_model.shape import Shape
from autotuner.tiny_model.tokenizer import BOS, CHAT_TEMPLATE, EOS, SPECIAL

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from numpy import float32
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from autotuner.tiny_model.weights import Weights

FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "bf16": 32}
"""Offered weight types with their numbers in the GGUF format (``general.file_type``)."""

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def file_name(file_type: str) -> str:
    """Name of the file with weights of that type."""
    return f"model-{file_type}.gguf"


def write(path: Path, file_type: str, shape: Shape, tokenizer: Tokenizer, weights: Weights) -> None:
    """One file; norms stay in float32, as servers of such files want them."""
    import numpy as np
    from gguf import GGML_QUANT_VERSION, GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    writer = GGUFWriter(path, "llama")
    try:
        _describe(writer, shape)
        writer.add_file_type(FILE_TYPES[file_type])
        writer.add_quantization_version(GGML_QUANT_VERSION)
        _add_tokenizer(writer, tokenizer)
        for name, tensor in weights.items():
            kind = GGMLQuantizationType.F32 if tensor.ndim == 1 else GGMLQuantizationType[file_type.upper()]
            rows = np.ascontiguousarray(_permuted(name, tensor, shape))
            writer.add_tensor(_gguf_name(name), quantize(rows, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _describe(writer: GGUFWriter, shape: Shape) -> None:
    writer.add_name("tiny-random-llama")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_vocab_size(shape.vocabulary)


def _add_tokenizer(writer: GGUFWriter, tokenizer: Tokenizer) -> None:
    from gguf import TokenType

    by_number = {number: text for text, number in tokenizer.get_vocab().items()}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([by_number[number].encode() for number in range(len(by_number))])
    writer.add_token_types(
        [TokenType.CONTROL if number < len(SPECIAL) else TokenType.NORMAL for number in range(len(by_number))]
    )
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(EOS)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _gguf_name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in _NAMES:
        return f"{_NAMES[stem]}.weight"
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{_NAMES[rest]}.weight"


def _permuted(name: str, tensor: NDArray[float32], shape: Shape) -> NDArray[float32]:
    """Rows of queries and keys from Hugging Face's order of rotary pairs (halves) to GGUF's (neighbours)."""
    heads = {"q_proj": shape.heads, "k_proj": shape.kv_heads}.get(name.split(".")[-2])
    if heads is None:
        return tensor
    rows, columns = tensor.shape
    return tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)

"""A GGUF model of the llama architecture with random weights, small enough to load in a moment."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import gguf
import numpy as np

HIDDEN, LAYERS, HEADS, KV_HEADS, FFN, VOCAB, CONTEXT = 256, 2, 4, 2, 704, 1024, 4096
SPECIAL = 4


def make_tiny_gguf(folder: Path) -> Path:
    """The file, made by the package where it can, else by a smaller recipe of the same kind."""
    if importlib.util.find_spec("autotuner.tiny_model") is not None:
        importlib.import_module("autotuner.tiny_model").create_model("tiny", folder)
        return next(folder.rglob("*.gguf"))
    return _make(folder / "tiny.gguf")


def _make(path: Path) -> Path:
    width = HIDDEN // HEADS
    draw = np.random.default_rng(0)

    def weights(rows: int, columns: int, deviation: float | None = None) -> np.ndarray:
        scale = deviation or 1 / np.sqrt(columns)
        return (draw.standard_normal((rows, columns), dtype=np.float32) * scale).astype(np.float16)

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_vocab_size(VOCAB)
    writer.add_file_type(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    letters = _byte_letters()
    words = [a + b for a in letters for b in letters]
    tokens = [f"<|{index}|>" for index in range(SPECIAL)] + letters + words[: VOCAB - SPECIAL - len(letters)]
    writer.add_token_list([token.encode() for token in tokens])
    kinds = [gguf.TokenType.CONTROL] * SPECIAL + [gguf.TokenType.NORMAL] * (VOCAB - SPECIAL)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{word[0]} {word[1]}" for word in tokens[SPECIAL + len(letters) :]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)
    ones = np.ones(HIDDEN, np.float32)
    # Dimension 0 of the stream is a constant that keeps special tokens from ever being drawn.
    embedding, head = weights(VOCAB, HIDDEN, 1.0), weights(VOCAB, HIDDEN, 2 / np.sqrt(HIDDEN))
    embedding[:, 0], head[:, 0], head[:SPECIAL, 0] = 4, 0, -100
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", head)
    for layer in range(LAYERS):
        name = f"blk.{layer}"
        attention, down = weights(HIDDEN, HIDDEN), weights(HIDDEN, FFN)
        attention[0], down[0] = 0, 0
        writer.add_tensor(f"{name}.attn_norm.weight", ones)
        writer.add_tensor(f"{name}.ffn_norm.weight", ones)
        writer.add_tensor(f"{name}.attn_q.weight", weights(HIDDEN, HIDDEN))
        writer.add_tensor(f"{name}.attn_k.weight", weights(KV_HEADS * width, HIDDEN))
        writer.add_tensor(f"{name}.attn_v.weight", weights(KV_HEADS * width, HIDDEN))
        writer.add_tensor(f"{name}.attn_output.weight", attention)
        writer.add_tensor(f"{name}.ffn_gate.weight", weights(FFN, HIDDEN))
        writer.add_tensor(f"{name}.ffn_up.weight", weights(FFN, HIDDEN))
        writer.add_tensor(f"{name}.ffn_down.weight", down)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_letters() -> list[str]:
    """The printable stand-ins of GPT-2 for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + index) for index in range(len(others))]

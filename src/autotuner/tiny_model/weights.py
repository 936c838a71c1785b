"""Random weights that make a model which can be benchmarked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autotuner.tiny_model.shape import Shape

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[float32]]


def draw(shape: Shape, visible: Sequence[bool], seed: int) -> Weights:
    """Weights by the names of Hugging Face's llama, standard deviation 1/√(fan-in).

    The model never ends by itself and each token is visible text, so an answer is as long as asked and one token is
    one chunk: dimension 0 of the residual stream is a constant (embeddings hold 4, no layer writes to it), and with it
    the head puts every token that is not visible at −100.
    """
    import numpy as np

    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, deviation: float | None = None) -> NDArray[float32]:
        scale = np.float32(deviation or 1 / np.sqrt(columns))
        return rng.standard_normal((rows, columns), dtype=np.float32) * scale

    def ones() -> NDArray[float32]:
        return np.ones(shape.hidden, dtype=np.float32)

    hidden, queries, keys = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    weights: Weights = {"model.embed_tokens.weight": matrix(shape.vocabulary, hidden, 1.0)}
    weights["model.embed_tokens.weight"][:, 0] = 4.0
    for layer in range(shape.layers):
        name = f"model.layers.{layer}"
        weights[f"{name}.input_layernorm.weight"] = ones()
        weights[f"{name}.post_attention_layernorm.weight"] = ones()
        weights[f"{name}.self_attn.q_proj.weight"] = matrix(queries, hidden)
        weights[f"{name}.self_attn.k_proj.weight"] = matrix(keys, hidden)
        weights[f"{name}.self_attn.v_proj.weight"] = matrix(keys, hidden)
        weights[f"{name}.self_attn.o_proj.weight"] = matrix(hidden, queries)
        weights[f"{name}.mlp.gate_proj.weight"] = matrix(shape.ffn, hidden)
        weights[f"{name}.mlp.up_proj.weight"] = matrix(shape.ffn, hidden)
        weights[f"{name}.mlp.down_proj.weight"] = matrix(hidden, shape.ffn)
        weights[f"{name}.self_attn.o_proj.weight"][0] = 0
        weights[f"{name}.mlp.down_proj.weight"][0] = 0
    weights["model.norm.weight"] = ones()
    head = matrix(shape.vocabulary, hidden, 2 / np.sqrt(hidden))
    head[:, 0] = np.where(visible, np.float32(0), np.float32(-100))
    weights["lm_head.weight"] = head
    return weights

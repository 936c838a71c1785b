"""Writes a model as a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from autotuner.tiny_model.shape import Shape
from autotuner.tiny_model.tokenizer import BOS, CHAT_TEMPLATE, EOS, SPECIAL

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from autotuner.tiny_model.weights import Weights

FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def write(folder: Path, shape: Shape, tokenizer: Tokenizer, weights: Weights) -> None:
    """All of ``FILES``; weights in bfloat16."""
    import ml_dtypes
    import numpy as np
    from safetensors.numpy import save_file

    special = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": EOS}
    _json(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.ffn,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_dim,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": shape.context,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "hidden_act": "silu",
            "tie_word_embeddings": False,
            "attention_bias": False,
            "mlp_bias": False,
            "torch_dtype": "bfloat16",
            **special,
        },
    )
    _json(folder / "generation_config.json", {"do_sample": False, **special})
    _json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIAL[BOS],
            "eos_token": SPECIAL[EOS],
            "pad_token": SPECIAL[EOS],
            "model_max_length": shape.context,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
        },
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    tensors = {name: np.ascontiguousarray(tensor.astype(ml_dtypes.bfloat16)) for name, tensor in weights.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # the library makes it readable for the owner only


def _json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")

"""A tokenizer for which a word is a token: genai-bench needs one, and no hub is asked."""

from __future__ import annotations

import json
from pathlib import Path

from autotuner.benchmark.builtin.words import WORDS

UNKNOWN = "[UNK]"


def write_tokenizer(folder: Path) -> None:
    """Write the folder as Hugging Face's libraries read it."""
    folder.mkdir()
    vocabulary = {word: number for number, word in enumerate((UNKNOWN, *WORDS))}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": 0,
                "content": UNKNOWN,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": UNKNOWN, "model_max_length": 1_000_000_000}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")

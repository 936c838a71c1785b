"""A byte-level BPE tokenizer, trained on text that ships with Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autotuner.tiny_model.shape import Shape

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>")
"""Tokens 0 to 3."""
BOS, EOS = 0, 1
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train(shape: Shape) -> Tokenizer:
    """A tokenizer with exactly the shape's vocabulary; one English word is about one token."""
    from pydoc_data.topics import topics

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=shape.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((topics[key] for key in sorted(topics)), trainer)
    if tokenizer.get_vocab_size() != shape.vocabulary:
        raise ValueError(f"the text gives {tokenizer.get_vocab_size()} tokens, not {shape.vocabulary}")
    return tokenizer


def visible(tokenizer: Tokenizer) -> list[bool]:
    """For each token whether it is at least one printable ASCII character, and nothing else."""
    shown = []
    for token in range(tokenizer.get_vocab_size()):
        text = tokenizer.decode([token]) if token >= len(SPECIAL) else ""
        shown.append(bool(text) and all(32 <= ord(character) < 127 for character in text))
    return shown

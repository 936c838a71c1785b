"""Shapes of the models: llama architecture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Sizes of one model. ``hidden`` and ``ffn`` are multiples of 32, as quantised files need."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    context: int

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def parameters(self) -> int:
        """Number of weights."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        layer = attention + 3 * self.hidden * self.ffn + 2 * self.hidden
        return 2 * self.vocabulary * self.hidden + self.layers * layer + self.hidden


SHAPES = {
    "tiny": Shape(hidden=256, layers=4, heads=4, kv_heads=2, ffn=704, vocabulary=4096, context=4096),
    "small": Shape(hidden=512, layers=12, heads=8, kv_heads=4, ffn=1408, vocabulary=8192, context=4096),
}
"""5,048,576 and 43,790,848 parameters."""

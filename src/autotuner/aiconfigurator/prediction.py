"""What a predictor is asked and what it answers. No implementation is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autotuner.aiconfigurator.content import Placement


@dataclass(frozen=True)
class Point:
    """A configuration under a load."""

    placement: Placement
    experts: bool
    isl: int
    osl: int
    batch: int
    """Requests of one data-parallel rank that are answered at once."""
    token_budget: int | None = None
    """Tokens of prompts in one step; None: those of one prompt."""
    precision: Mapping[str, str] = field(default_factory=dict)
    """gemm, moe, kvcache, fmha and comm in aiconfigurator's words; what is left out follows from the checkpoint."""


@dataclass(frozen=True)
class Prediction:
    """Figures under our names (s, tokens/s), and what they take."""

    figures: Mapping[str, float]
    memory_gib: float | None
    """Of one GPU, GiB."""


@dataclass(frozen=True)
class Refusal:
    """Why nothing can be predicted for a point."""

    why: str


class Predictor(Protocol):
    """Predicts one model on one kind of GPU and engine."""

    @property
    def version(self) -> str:
        """Of the engine whose data are used."""
        ...

    def predict(self, points: Sequence[Point]) -> list[Prediction | Refusal]:
        """One answer for each point, in order. Computes; some tenths of a millisecond for each."""
        ...

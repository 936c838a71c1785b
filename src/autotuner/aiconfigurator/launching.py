"""What the readers and writers must be told of an engine: how aiconfigurator starts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from autotuner.aiconfigurator.content import Placement, Role
from autotuner.contracts.values import Scalar


@dataclass(frozen=True)
class Load:
    """What a server is started for."""

    role: Role
    isl: int | None
    osl: int | None
    batch: int | None
    """Requests of one data-parallel rank; None in a search space."""
    placement: Placement
    """One of those that are searched."""
    experts: bool


@dataclass(frozen=True)
class Limits:
    """Limits that a server is started with. None: left to the engine."""

    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    max_model_len: int | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    """The engine's own parameters for what has no neutral name."""


class Launching(Protocol):
    """How aiconfigurator's generator starts one engine."""

    @property
    def engine(self) -> str:
        """Its name here."""
        ...

    @property
    def backend(self) -> str:
        """Its name there."""
        ...

    def fields(self, placement: Placement, *, experts: bool) -> Mapping[str, int | bool]:
        """Fields of parallel_config. ValueError with a sentence for what the engine cannot do."""
        ...

    def placement(self, fields: Mapping[str, Scalar]) -> tuple[Placement, bool]:
        """The way back, and whether there are experts. ValueError with a sentence where there is none."""
        ...

    def limits(self, load: Load) -> Limits:
        """The limits that the generator would set."""
        ...

    def batch(self, requests: int, placement: Placement, *, experts: bool) -> int:
        """Requests of one data-parallel rank, of those that a server answers at once by its limit."""
        ...


class Possible(Protocol):
    """Says why an engine can never do what a field asks."""

    def __call__(self, group: str, field: str, value: Scalar) -> str | None:
        """A sentence; None when it can, or when it depends on other things."""
        ...

"""What a search strategy sees: a space, and outcomes of configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from autotuner.contracts.values import Configuration, Scalar


class RandomSource(Protocol):
    """What pure code needs of ``random.Random``."""

    def random(self) -> float:
        """A float in [0, 1)."""

    def randrange(self, stop: int, /) -> int:
        """An integer in [0, stop)."""


class Dimension(Protocol):
    """One searched parameter."""

    @property
    def name(self) -> str:
        """Canonical parameter name."""

    @property
    def kind(self) -> Literal["categorical", "ordered", "int", "float"]:
        """``ordered``: choices with an order (2048 < 4096), by their position; booleans are ``ordered`` too."""

    @property
    def size(self) -> int | None:
        """Number of values; None for a continuous one."""

    def at(self, unit: float) -> Scalar:
        """The value at a position in [0, 1) of the (log-)scaled axis; equal shares for choices."""

    def unit(self, value: Scalar) -> float:
        """The position of a value: the middle of its share; inverse of ``at``."""

    def value(self, index: int) -> Scalar:
        """The value of that index; only where ``size`` is not None."""

    def index(self, value: Scalar) -> int:
        """The index of a value; ValueError for a value that is not in the dimension."""


class SearchSpace(Protocol):
    """The valid, distinct configurations of a task. Never materialised."""

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """Searched parameters in document order; empty when nothing is searched."""

    @property
    def grid_size(self) -> int | None:
        """Number of combinations before constraints and deduplication; None with a continuous dimension."""

    def identity(self, configuration: Configuration) -> str:
        """Hash of what would really be launched: equal for configurations that resolve to the same command."""

    def violation(self, configuration: Configuration) -> str | None:
        """The sentence of the first known constraint that the configuration breaks; None when it is valid."""

    def decode(self, number: int) -> Configuration:
        """The combination of that number in [0, grid_size), valid or not (mixed radix, last dimension fastest)."""

    def enumerate(self) -> Iterator[Configuration]:
        """Every valid, distinct configuration, lazily; only where ``grid_size`` is not None."""

    def sample(self, rng: RandomSource) -> Configuration | None:
        """A valid configuration, uniform over the valid ones; None when none was found in many tries."""


class OutcomeKind(StrEnum):
    """The three things a strategy can be told."""

    MEASURED = "measured"
    INFEASIBLE = "infeasible"
    VOID = "void"


@dataclass(frozen=True)
class Outcome:
    """What came of a configuration.

    ``objectives``: one score per objective, with the penalty for missed SLOs (empty unless measured).
    ``constraints``: margin by name, ≤ 0 is kept, > 0 violated (hard SLOs; a crash is ``{"crash": 1.0}``). VOID outcomes
    teach nothing and are only told so that the configuration is not proposed again while it is retried.
    """

    kind: OutcomeKind
    objectives: tuple[float, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A configuration and what came of it."""

    configuration: Configuration
    outcome: Outcome


Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class SearchSetup:
    """What a strategy is made from. ``budget``: number of configurations that will be asked for, if known."""

    space: SearchSpace
    directions: tuple[Direction, ...]
    seed: int
    budget: int | None = None


class SearchStrategy(Protocol):
    """Proposes configurations. Its state is what it was told, in order: nothing is pickled.

    Never proposes a configuration whose identity was told before or is pending, nor one that breaks a known
    constraint. The randomness of each ask is a hash of (seed, number told, number pending), so that a
    strategy that is told the stored outcomes goes on as the unbroken one would.
    """

    @property
    def name(self) -> str:
        """Registered name."""

    def tell(self, trial: Trial) -> None:
        """Take one outcome."""

    def ask(self, pending: Sequence[Configuration] = ()) -> Configuration | None:
        """The next configuration; None when the space is exhausted."""

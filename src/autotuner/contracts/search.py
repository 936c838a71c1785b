"""What a search strategy sees: a space, and outcomes of configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

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
class Observation:
    """What a configuration did under one load.

    ``load``: the load as a multiple of that at which configurations are scored, so 1 for the scored one.
    ``objectives``: raw scores, without any penalty. ``ratios``: by the name of a limit the figure / its threshold, so
    ≤ 1 is met. ``deviations``, ``ratio_deviations``: standard deviation of the natural logarithm of each of them as an
    estimate of its true value, where repeats tell it.
    """

    objectives: tuple[float, ...]
    ratios: Mapping[str, float] = field(default_factory=dict)
    load: float = 1.0
    deviations: tuple[float, ...] = ()
    ratio_deviations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Spent:
    """What an experiment took: seconds until its server answered, seconds of measuring, and GPUs held meanwhile."""

    start_s: float
    measure_s: float
    gpus: int = 1


@dataclass(frozen=True)
class Outcome:
    """What came of a configuration.

    ``objectives``: one score per objective, with the penalty for missed SLOs (empty unless measured).
    ``constraints``: margin by name, ≤ 0 is kept, > 0 violated (hard SLOs; a crash is ``{"crash": 1.0}``). VOID outcomes
    teach nothing and are only told so that the configuration is not proposed again while it is retried.
    ``observations``: the figures behind both, one per load, where they are known; the scored load has ``load`` 1.
    ``spent``: what the experiment took.
    """

    kind: OutcomeKind
    objectives: tuple[float, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)
    observations: tuple[Observation, ...] = ()
    spent: Spent | None = None


@dataclass(frozen=True)
class Trial:
    """A configuration and what came of it."""

    configuration: Configuration
    outcome: Outcome


Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Limit:
    """An SLO as the search sees it, by the formulas of ``scoring.slo``; r = ratio − 1.

    ``violated_from``: the r from which a configuration is ineligible, None for a soft limit. A miss below that costs
    weight × (exp(min(r / steepness, 20)) − 1).
    """

    name: str
    violated_from: float | None = 0.0
    weight: float = 1.0
    steepness: float = 0.1


@dataclass(frozen=True)
class Prediction:
    """What is expected of a configuration before it is measured, as natural logarithms.

    ``log_objectives``: of each raw score, None where nothing is said. ``log_ratios``: by the name of a limit, log of
    figure / threshold. Neither needs to be right in scale or offset: both are fitted. ``starts``: False when its server
    is expected not to start.
    """

    log_objectives: tuple[float | None, ...]
    log_ratios: Mapping[str, float] = field(default_factory=dict)
    starts: bool = True


class Prior(Protocol):
    """Knowledge from before the task: predictions of a model, an earlier task, a table, rules of an engine. Pure."""

    @property
    def name(self) -> str:
        """For people, such as ``task chat-7b`` or ``surface qwen3_32b_h200``."""

    def predict(self, configuration: Configuration) -> Prediction | None:
        """What it expects of a configuration at the scored load; None when it says nothing of it."""


@runtime_checkable
class PredictsMany(Protocol):
    """A prior that is quicker when it is asked for many configurations at once."""

    def predict_many(self, configurations: Sequence[Configuration]) -> Sequence[Prediction | None]:
        """What it expects of each of them."""


@dataclass(frozen=True)
class CostModel:
    """What an experiment is expected to take, before any has told.

    ``start_s``: until a server answers; ``measure_s``: all its measurements; seconds. ``warm``: searched parameters
    that a running server takes without a restart. ``gpus``: GPUs that a configuration holds meanwhile; None: all take
    the same.
    """

    start_s: float
    measure_s: float
    warm: frozenset[str] = frozenset()
    gpus: Callable[[Configuration], int] | None = None


@dataclass(frozen=True)
class SearchSetup:
    """What a strategy is made from. ``budget``: number of configurations that will be asked for, if known.

    ``knowledge``: rough rules of the engine, right in what rises and falls; ``priors``: predictions that may be close.
    ``default``: the configuration known to start, such as the engine's defaults, where it lies in the space: the first
    one to be tried. ``limits``: the SLOs whose ratios observations tell. ``parallel``: how many are measured at once.
    ``regret_tolerance``: the search may stop once the best is expected to be within this share of the best there is.
    """

    space: SearchSpace
    directions: tuple[Direction, ...]
    seed: int
    budget: int | None = None
    default: Configuration | None = None
    limits: tuple[Limit, ...] = ()
    priors: tuple[Prior, ...] = ()
    knowledge: Prior | None = None
    parallel: int = 1
    cost: CostModel | None = None
    regret_tolerance: float | None = None


@dataclass(frozen=True)
class SearchReport:
    """What a strategy makes of what it was told.

    ``expected_gain``: by how much the next experiment is expected to improve on the best, a share of it.
    ``expected_regret``: by how much the best there is is expected to be better than the best found, a share of it.
    Both None without a model. ``priors``: the weight of each prior by name, in [0, 1]: the share of what the model
    expects beyond an average that comes of it. ``stop``: why the search may stop, in words; None: it goes on.
    """

    expected_gain: float | None = None
    expected_regret: float | None = None
    priors: Mapping[str, float] = field(default_factory=dict)
    stop: str | None = None


@runtime_checkable
class Explains(Protocol):
    """A strategy that can say what it believes."""

    def report(self, pending: Sequence[Configuration] = ()) -> SearchReport:
        """What it makes of what it was told so far; the same for the same outcomes."""


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

"""What will run: the experiments, their commands, their number and how long it will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autotuner.config.document import TaskDocument
from autotuner.contracts.attempt import CoreSplit, PhaseBudgets, ServerFacts
from autotuner.contracts.quality import QualityProbe
from autotuner.contracts.search import Prior
from autotuner.contracts.store import ExperimentOrigin
from autotuner.contracts.values import Configuration
from autotuner.contracts.workload import Workload
from autotuner.planning.fair_load import AS_GIVEN, FairLoad
from autotuner.planning.resolve import Resolver
from autotuner.planning.space import Count, ParameterSpace


@dataclass(frozen=True)
class Provenance:
    """Where the value of one parameter comes from."""

    value: object
    """A value, or the list or range that is searched, as in the document."""
    layer: str
    """``document`` or the layer that was merged below it; ``engine default`` or ``derived``."""
    searched: bool = False
    source: str = ""
    """Of a derived one: the settings that it follows from, such as parallel_config.tp."""


@dataclass(frozen=True)
class PlannedExperiment:
    """A configuration that is measured whatever the search proposes."""

    origin: ExperimentOrigin
    label: str
    configuration: Configuration
    identity: str


@dataclass(frozen=True)
class Estimate:
    """How long the task will take, in seconds. A guess from the windows and a typical start, not a promise.

    ``starts``: with the least starts of the confirmation; ``most_starts``: with the most of them. ``answers_s``: what
    the quality guard adds to all of them together.
    """

    per_start_s: float
    starts: int
    most_starts: int
    answers_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Time with the least starts, seconds."""
        return self.per_start_s * self.starts + self.answers_s

    @property
    def most_s(self) -> float:
        """Time with the most starts, seconds."""
        return self.per_start_s * self.most_starts + self.answers_s


@dataclass(frozen=True)
class Plan:
    """A planned task. Pure data and functions: nothing has been started."""

    document: TaskDocument
    task_name: str
    engine: str
    deployment: str
    client: str
    predicted: bool
    resolver: Resolver
    space: ParameterSpace
    count: Count
    baseline: PlannedExperiment | None
    references: tuple[PlannedExperiment, ...]
    searched: int
    """Configurations that the search will propose: the budget, or what the space holds."""
    confirm_top_k: int
    confirm_starts: int
    """Least starts of each finalist and of the baseline; 0: no confirmation."""
    confirm_most: int
    """Most of them, when verdicts do not become clear."""
    workload: Workload
    """As the document gives it; ``workload_of`` has the load of a configuration."""
    scored_at: tuple[str, ...]
    budgets: PhaseBudgets
    cores: CoreSplit
    gpu_count: int | None
    endpoint_url: str | None
    server: ServerFacts
    provenance: Mapping[str, Provenance]
    estimate: Estimate
    warnings: tuple[str, ...] = field(default=())
    fair_load: FairLoad = AS_GIVEN
    """What the document's loads are given for."""
    client_python: str | None = None
    """Interpreter of the environment of a client that is a program of its own."""
    quality: QualityProbe | None = None
    """How each configuration's answers are taken; None: there is no quality guard."""
    priors: tuple[Prior, ...] = ()
    """Predictions that the document names, for the search."""
    default: Configuration | None = None
    """The engine's defaults, where they are a valid configuration of the space."""
    quality_reason: str = ""
    """Why there is one, or why not: a clause."""

    def workload_of(self, configuration: Configuration) -> Workload:
        """What the server of a configuration is measured with."""
        return self.fair_load.of(self.workload, self.resolver.world_size(configuration))

    @property
    def planned_starts(self) -> int:
        """Server starts: baseline, references, search, and the least of the confirmation."""
        return self.estimate.starts

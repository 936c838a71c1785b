"""The block ``optimization``: what is sought, how, and for how long."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from autotuner.config.block import Block
from autotuner.config.problems import refuse
from autotuner.contracts.errors import ErrorCode
from autotuner.contracts.values import Scalar

Objective = Literal[
    "minimize_latency",
    "maximize_throughput",
    "minimize_ttft",
    "minimize_tpot",
    "maximize_goodput",
    "minimize_cost",
    "minimize_energy",
    "balanced",
]


def _only_one(count: int) -> int:
    if count > 1:
        raise refuse(
            "measuring several configurations at once is not available in this version",
            "Set it to 1",
            ErrorCode.UNSUPPORTED,
        )
    return count


def _pairs(starts: int) -> int:
    if starts == 1:
        raise refuse("one start of each gives no interval", "Set it to 2 or more, or to 0 for no confirmation")
    return starts


def _distinct(objectives: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if not isinstance(objectives, str):
        twice = next((name for name in objectives if objectives.count(name) > 1), None)
        if twice is not None:
            raise refuse(f"{twice} is listed twice", "Name each objective once")
    return objectives


class PhaseLimits(Block):
    """Limits per phase of one server start."""

    later: ClassVar[frozenset[str]] = frozenset({"pull"})

    start: float = Field(300.0, gt=0, description="until the server answers a real request, seconds")
    warm_up: float = Field(600.0, gt=0, description="warm-up of one load point, seconds")
    measure: float = Field(1800.0, gt=0, description="warm-up and all load points, seconds")
    stop: float = Field(10.0, gt=0, description="grace between asking the server to stop and killing it, seconds")


class Budget(Block):
    """What the whole task may use."""

    later: ClassVar[frozenset[str]] = frozenset({"gpu_hours"})

    wall_clock_s: float | None = Field(
        None, gt=0, description="running time of the task; a quarter is kept for confirmation, seconds", examples=[3600]
    )


class Confirm(Block):
    """Confirmation: the best few and the baseline are started and measured again. 0 in top_k or starts: none."""

    later: ClassVar[frozenset[str]] = frozenset({"fill_node"})

    top_k: int = Field(2, ge=0, description="number of finalists")
    starts: Annotated[int, AfterValidator(_pairs)] = Field(
        5, ge=0, description="least number of interleaved starts of each finalist and of the baseline"
    )
    max_starts: int | None = Field(
        None,
        ge=1,
        description="greatest number of these starts, used while a verdict is not clear; default: twice starts",
        examples=[10],
    )
    useful_gain: float = Field(
        0.02,
        ge=0,
        le=1,
        description="a finalist is not started any further once a gain of this size is excluded (a share)",
    )

    @property
    def most(self) -> int:
        """Most starts of each finalist and of the baseline."""
        return 2 * self.starts if self.max_starts is None else self.max_starts

    @property
    def wanted(self) -> bool:
        """Whether there is a confirmation at all."""
        return self.top_k > 0 and self.starts > 0


class Reference(Block):
    """A configuration measured beside the search, such as an expert's."""

    label: str = Field(min_length=1, max_length=100, description="how the report names it", examples=["expert"])
    parameters: dict[str, Scalar] = Field(
        default_factory=dict, description="values of parameters; those not given keep the baseline's"
    )


class Balance(Block):
    """Weights of the objective ``balanced``; only their ratio counts."""

    latency: float = Field(0.5, ge=0, description="weight of latency (a share without unit)")
    throughput: float = Field(0.5, ge=0, description="weight of throughput (a share without unit)")


class Optimization(Block):
    """The search."""

    later: ClassVar[frozenset[str]] = frozenset({"reuse"})

    strategy: str = Field("bayesian", min_length=1, description="name of the search strategy")
    objective: Annotated[
        Objective | Annotated[tuple[Objective, ...], Field(min_length=1)], AfterValidator(_distinct)
    ] = Field(
        "minimize_latency",
        description="what is optimised; several in a list give a Pareto set",
        examples=["maximize_throughput", ["minimize_ttft", "maximize_throughput"]],
    )
    max_iterations: int = Field(
        20, ge=1, description="number of searched configurations; baseline, references and confirmation are extra"
    )
    timeout_per_iteration: float | None = Field(
        None, gt=0, description="limit for one server start with all its phases, seconds", examples=[600]
    )
    phase_budgets: PhaseLimits = Field(PhaseLimits(), description="limits per phase of one server start, seconds")
    max_parallel_experiments: Annotated[int, AfterValidator(_only_one)] = Field(
        1, ge=1, description="number of configurations measured at once (1 in this version)"
    )
    budget: Budget = Field(Budget(), description="limits for the whole task, seconds")
    seed: int = Field(0, ge=0, description="seed of every random choice (a number without unit)")
    patience: int | None = Field(
        None, ge=1, description="number of configurations without a better one after which the search stops"
    )
    regret_tolerance: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the search stops once the best configuration there is is expected to be no more than this share "
        "better than the best found (strategy bayesian, one objective); null: it does not stop for that",
        examples=[0.02],
    )
    warm_start: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="names of earlier tasks whose outcomes tell the search (strategy bayesian) where to look first",
        examples=[["chat-small"]],
    )
    predictions: str | None = Field(
        None,
        min_length=1,
        description="CSV file of predicted or measured figures, by which the search (strategy bayesian) looks first: "
        "columns of parameters, and of throughput (tokens/s), goodput (requests/s), ttft, tpot or latency (seconds)",
        examples=["predicted.csv"],
    )
    baseline: bool = Field(True, description="whether the engine's defaults are measured first")
    confirm: Confirm = Field(Confirm(), description="confirmation of the winner; 0 finalists or starts: none")
    early_stop: bool = Field(
        True,
        description="whether a searched configuration is measured no longer than its verdict needs: a window ends when "
        "a hard SLO is out of reach, the configuration is certainly worse than the best, or its figures are precise; "
        "load points beyond the scored one are left out when it misses the SLO there or the server is saturated. "
        "Windows of baseline, references and confirmation only end once their own error is small beside the noise from "
        "start to start",
    )
    references: tuple[Reference, ...] = Field(
        (),
        description="extra configurations measured beside the search, not counted in max_iterations",
        examples=[[{"label": "expert", "parameters": {"n_batch": 1024}}]],
    )
    balance: Balance = Field(Balance(), description="weights of the objective balanced (shares without unit)")
    retries: int = Field(
        1,
        ge=0,
        description="number of further starts of a configuration whose server failed; two failures of one class end it "
        "in any case, failures of port, network, host or client have two of their own",
    )
    fail_fast_k: int | None = Field(
        3, ge=1, description="the task stops when its first so many configurations all fail the same way"
    )
    score_at: str | None = Field(
        None,
        min_length=1,
        description="load point whose load is scored, by name; default: the last entry of num_concurrency or "
        "request_rates",
        examples=["D(100,100)@4"],
    )
    price_per_gpu_hour: float | None = Field(
        None, gt=0, description="price of one GPU for one hour, in any currency", examples=[2.5]
    )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives as a list."""
        return (self.objective,) if isinstance(self.objective, str) else self.objective

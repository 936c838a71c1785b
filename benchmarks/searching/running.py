"""One search: a strategy, a task, a condition and a seed, until it is as near as can be or its budget is used."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass

from autotuner.contracts.search import (
    CostModel,
    Limit,
    Observation,
    Outcome,
    OutcomeKind,
    Prior,
    SearchSetup,
    SearchStrategy,
    Spent,
    Trial,
)
from autotuner.contracts.values import Configuration, Frozen, Scalar
from autotuner.planning.knowledge import EngineKnowledge, Metric, quantities
from autotuner.search.registry import make_strategy
from searching.conditions import Condition, crashed, noisy, prior_of
from searching.landscape import Task

BUDGET = 40
TOLERANCES = (0.05, 0.02)
"""A search ends when it is within the last."""

START_S, MEASURE_S = 180.0, 60.0
"""What strategies are told that an experiment takes. GPU-seconds are counted for other starts too."""


class Step(Frozen):
    """One experiment, in the order in which they ended."""

    share: float
    """Its true objective / the best feasible one; 0 when it breaks a limit or does not start."""
    gpus: int
    started: bool
    told: float | None
    """The share that its measured figures pretend; None when they break a limit, or there are none."""


class Run(Frozen):
    """How one search went."""

    strategy: str
    task: str
    condition: str
    seed: int
    kind: str
    tuning: bool
    size: int
    """Valid configurations of the task."""
    fingerprint: str
    """Of the task, the rules of the comparison and the strategy's code."""
    steps: tuple[Step, ...]
    ask_s: tuple[float, ...] = ()
    """Seconds of each ask, for a look: they hang on the machine."""

    def needed(self, tolerance: float) -> int | None:
        """Experiments until one is within the tolerance of the best; None: never."""
        near = (number for number, step in enumerate(self.steps, 1) if step.share >= 1 - tolerance)
        return next(near, None)

    def gpu_seconds(self, tolerance: float, start_s: float) -> float | None:
        """GPU-seconds until then; a start that fails takes ``start_s`` and no measuring. None: never."""
        needed = self.needed(tolerance)
        if needed is None:
            return None
        return sum(step.gpus * (start_s + (MEASURE_S if step.started else 0.0)) for step in self.steps[:needed])


@dataclass(frozen=True)
class Experiment:
    """One configuration that was tried."""

    outcome: Outcome
    step: Step
    spent: Spent


@dataclass(frozen=True)
class World:
    """What experiments say in one run."""

    task: Task
    condition: Condition
    seed: int
    crashed: frozenset[str]
    best: float

    def experiment(self, configuration: Configuration) -> Experiment:
        """What the strategy is told, and what is true."""
        task, point = self.task, self.task.at(configuration)
        if point.objective is None or task.space.identity(configuration) in self.crashed:
            spent = Spent(START_S, 0.0, point.gpus)
            outcome = Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0}, spent=spent)
            return Experiment(outcome, Step(share=0.0, gpus=point.gpus, started=False, told=None), spent)
        seen = noisy(point, self.condition.noise, self.seed, task)
        told, ratios = seen.objective or 0.0, task.ratios(seen)
        spent = Spent(START_S, MEASURE_S, point.gpus)
        outcome = Outcome(
            OutcomeKind.MEASURED,
            (told,),
            {name: ratio - 1 for name, ratio in ratios.items()},
            observations=(Observation((told,), ratios),),
            spent=spent,
        )
        step = Step(
            share=point.objective / self.best if task.feasible(point) else 0.0,
            gpus=point.gpus,
            started=True,
            told=told / self.best if task.feasible(seen) else None,
        )
        return Experiment(outcome, step, spent)


def make_world(task: Task, condition: Condition, seed: int) -> World:
    """ValueError where everything feasible crashes."""
    down = crashed(task, condition.crashes, seed)
    best = task.best(down)
    if best != best:
        raise ValueError(f"{task.name}: with seed {seed} everything feasible crashes")
    return World(task, condition, seed, down, best)


def search(
    name: str, task: Task, condition: Condition, seed: int, *, budget: int = BUDGET
) -> tuple[tuple[Step, ...], tuple[float, ...]]:
    """The experiments of one search, and the seconds of each ask."""
    world = make_world(task, condition, seed)
    priors: list[Prior] = []
    prior = prior_of(task, condition)
    if prior is not None:
        priors.append(prior)
    strategy = make_strategy(name, setup_of(task, condition, seed, priors, budget))
    return _experiments(strategy, world, budget)


def setup_of(task: Task, condition: Condition, seed: int, priors: Sequence[Prior], budget: int) -> SearchSetup:
    """What every strategy is made from."""
    return SearchSetup(
        task.space,
        ("maximize",),
        seed,
        budget=budget,
        default=task.default,
        limits=tuple(Limit(limit) for limit in task.limits),
        priors=tuple(priors),
        knowledge=knowledge_of(task),
        parallel=condition.parallel,
        cost=CostModel(START_S, MEASURE_S, gpus=lambda configuration: task.at(configuration).gpus),
    )


def knowledge_of(task: Task) -> EngineKnowledge:
    """What is known of every engine, at a load that fills each configuration.

    Measured points name their concurrency, which is what runs at once.
    """
    names = {
        "tensor_parallel": ("tp",),
        "seqs": ("max_num_seqs", "concurrency", "n_parallel"),
        "weights": ("gemm_quant", "precision"),
        "cache": ("kv_quant",),
    }

    def of(configuration: Configuration) -> dict[str, float]:
        def setting(key: str) -> Scalar:
            return next((configuration[name] for name in names.get(key, ()) if name in configuration), None)

        return quantities(setting, None)

    limits: dict[str, Metric] = {name: "ttft" if name.endswith("ttft") else "tpot" for name in task.limits}
    return EngineKnowledge(of, [("throughput", 1)], limits)


def _experiments(strategy: SearchStrategy, world: World, budget: int) -> tuple[tuple[Step, ...], tuple[float, ...]]:
    """The default alone, then as many at once as the condition says. What takes less time ends sooner."""
    steps: list[Step] = []
    asks: list[float] = []
    flight: list[tuple[float, int, Configuration]] = []
    clock, started = 0.0, 0

    def start(configuration: Configuration) -> None:
        nonlocal started
        spent = world.experiment(configuration).spent
        heapq.heappush(flight, (clock + spent.start_s + spent.measure_s, started, configuration))
        started += 1

    start(world.task.default)
    while flight:
        clock, _, configuration = heapq.heappop(flight)
        done = world.experiment(configuration)
        strategy.tell(Trial(configuration, done.outcome))
        steps.append(done.step)
        if done.step.share >= 1 - TOLERANCES[-1]:
            break
        while len(flight) < world.condition.parallel and started < budget:
            begun = time.perf_counter()
            proposed = strategy.ask([entry[2] for entry in sorted(flight, key=lambda entry: entry[1])])
            asks.append(round(time.perf_counter() - begun, 4))
            if proposed is None:
                break
            start(proposed)
    return tuple(steps), tuple(asks)

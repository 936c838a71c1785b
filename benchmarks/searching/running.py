"""One search: a strategy, a task, a condition and a seed, until it is as near as can be or its budget is used."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterator, Sequence
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
from searching.conditions import CONDITIONS, Condition, crashed, noisy, prior_of
from searching.earlier import LENGTH, earlier
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
    loads: int = 1
    """Load points that were measured."""
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
        return None if needed is None else self._spent(needed, start_s)

    def gpu_seconds_at_least(self, tolerance: float, start_s: float) -> float:
        """The same; of a search that never came within it what it had spent until it ended."""
        return self._spent(self.needed(tolerance) or len(self.steps), start_s)

    def _spent(self, experiments: int, start_s: float) -> float:
        return sum(
            step.gpus * (start_s + (MEASURE_S * step.loads if step.started else 0.0))
            for step in self.steps[:experiments]
        )


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
        spent = Spent(START_S, MEASURE_S * (1 + len(self.condition.loads)), point.gpus)
        outcome = Outcome(
            OutcomeKind.MEASURED,
            (told,),
            {name: ratio - 1 for name, ratio in ratios.items()},
            observations=(Observation((told,), ratios), *self._other_loads(configuration)),
            spent=spent,
        )
        step = Step(
            share=point.objective / self.best if task.feasible(point) else 0.0,
            gpus=point.gpus,
            started=True,
            loads=1 + len(self.condition.loads),
            told=told / self.best if task.feasible(seen) else None,
        )
        return Experiment(outcome, step, spent)

    def _other_loads(self, configuration: Configuration) -> Iterator[Observation]:
        for number, share in enumerate(self.condition.loads, 1):
            if self.task.at_share is not None:
                point = self.task.at_share(configuration, share)
                seen = noisy(point, self.condition.noise, self.seed + 1000 * number, self.task)
                yield Observation((seen.objective or 0.0,), self.task.ratios(seen), load=share)


def make_world(task: Task, condition: Condition, seed: int) -> World:
    """ValueError where everything feasible crashes."""
    down = crashed(task, condition.crashes, seed)
    best = task.best(down)
    if math.isnan(best):
        raise ValueError(f"{task.name}: with seed {seed} everything feasible crashes")
    return World(task, condition, seed, down, best)


@dataclass(frozen=True)
class Searched:
    """How a search went: experiments in the order in which they ended, what was told, seconds of each ask."""

    steps: tuple[Step, ...]
    trials: tuple[Trial, ...]
    ask_s: tuple[float, ...]


def search(
    name: str, task: Task, condition: Condition, seed: int, *, neighbour: Task | None = None, budget: int = BUDGET
) -> Searched:
    """One search. ``neighbour``: the task that ``condition.transfer`` needs."""
    world = make_world(task, condition, seed)
    priors: list[Prior] = []
    prior = prior_of(task, condition)
    if prior is not None:
        priors.append(prior)
    if condition.transfer and neighbour is not None:
        before = make_strategy(name, setup_of(neighbour, CONDITIONS["plain"], seed, (), LENGTH))
        went = _experiments(before, make_world(neighbour, CONDITIONS["plain"], seed), LENGTH, near=math.inf)
        priors.append(earlier(task, neighbour, went.trials))
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
        cost=CostModel(
            START_S, MEASURE_S * (1 + len(condition.loads)), gpus=lambda configuration: task.at(configuration).gpus
        ),
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


def _experiments(strategy: SearchStrategy, world: World, budget: int, near: float = 1 - TOLERANCES[-1]) -> Searched:
    """The default alone, then as many at once as the condition says, until one has the share ``near`` of the best.

    What takes less time ends sooner. What is still in flight when the search ends is not counted.
    """
    steps: list[Step] = []
    trials: list[Trial] = []
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
        trials.append(Trial(configuration, done.outcome))
        strategy.tell(trials[-1])
        steps.append(done.step)
        if done.step.share >= near:
            break
        while len(flight) < world.condition.parallel and started < budget:
            begun = time.perf_counter()
            proposed = strategy.ask([entry[2] for entry in sorted(flight, key=lambda entry: entry[1])])
            asks.append(round(time.perf_counter() - begun, 4))
            if proposed is None:
                break
            start(proposed)
    return Searched(tuple(steps), tuple(trials), tuple(asks))

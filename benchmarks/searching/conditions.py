"""What is made harder or easier for a strategy: noise, crashes, experiments at once, knowledge from before."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autotuner.contracts.search import Prediction, Prior
from autotuner.contracts.values import Configuration, digest
from autotuner.planning.knowledge import EngineKnowledge, Metric, quantities
from searching.landscape import Point, Task


@dataclass(frozen=True)
class Condition:
    """One of them.

    ``noise``: standard deviation of the logarithm of every figure told. ``crashes``: share of the configurations that
    crash, beside those that never start. ``parallel``: experiments at once. ``loads``: other loads at which each start
    measures too, as shares of that which fills it. ``prior``: predictions of another table, as they are or inverted,
    or the rules of `planning/knowledge.py`. ``transfer``: a search on the neighbouring task went before.
    """

    name: str
    noise: float = 0.0
    crashes: float = 0.0
    parallel: int = 1
    loads: tuple[float, ...] = ()
    prior: Literal["given", "inverted", "rules"] | None = None
    transfer: bool = False

    @property
    def informs(self) -> bool:
        """Whether it gives knowledge from before: of no use to a strategy that takes none."""
        return self.prior is not None or self.transfer

    def fits(self, task: Task) -> bool:
        """Whether the task has what the condition needs."""
        if self.prior in ("given", "inverted") and not task.predictions:
            return False
        if self.prior == "rules" and not task.settings:
            return False
        if self.loads and task.at_share is None:
            return False
        return not self.transfer or task.neighbour is not None


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("plain"),
        Condition("noise", noise=0.06),
        Condition("crashes", crashes=0.25),
        Condition("rough", noise=0.06, crashes=0.25),
        Condition("parallel", parallel=4),
        Condition("loads", loads=(0.5, 0.25)),
        Condition("knowledge", prior="rules"),
        Condition("prior", prior="given"),
        Condition("inverted", prior="inverted"),
        Condition("transfer", transfer=True),
    )
}


def noisy(point: Point, deviation: float, seed: int, task: Task) -> Point:
    """The point as it is measured: the same for every strategy that has this seed."""
    if deviation == 0.0 or point.objective is None:
        return point
    rng = _rng("noise", seed, task, point.configuration)
    return Point(
        point.configuration,
        point.objective * math.exp(deviation * rng.gauss(0, 1)),
        {name: figure * math.exp(deviation * rng.gauss(0, 1)) for name, figure in sorted(point.figures.items())},
        point.gpus,
    )


def crashed(task: Task, share: float, seed: int) -> frozenset[str]:
    """Identities that crash in this run: drawn for each configuration but the default, the same for every strategy."""
    if share == 0.0:
        return frozenset()
    default = task.space.identity(task.default)
    return frozenset(
        identity
        for identity, point in task.points.items()
        if identity != default and _rng("crash", seed, task, point.configuration).random() < share
    )


def _rng(what: str, seed: int, task: Task, configuration: Configuration) -> random.Random:
    return random.Random(digest([what, seed, task.name, dict(configuration)]))


@dataclass(frozen=True)
class TablePrior:
    """Predictions of another table as ``contracts.search.Prior``; ``sign`` −1 turns all that it says round."""

    name: str
    task: Task
    sign: Literal[1, -1]

    def predict(self, configuration: Configuration) -> Prediction | None:
        """None where that table has no such configuration."""
        point = self.task.predictions.get(self.task.space.identity(configuration))
        if point is None:
            return None
        if point.objective is None:
            return Prediction((None,), starts=self.sign < 0)
        return Prediction((self.sign * math.log(point.objective),), self._log_ratios(point))

    def _log_ratios(self, point: Point) -> Mapping[str, float]:
        return {name: self.sign * math.log(ratio) for name, ratio in self.task.ratios(point).items()}


def prior_of(task: Task, condition: Condition) -> Prior | None:
    """What the condition gives."""
    if condition.prior is None:
        return None
    if condition.prior == "rules":
        return _rules(task)
    sign: Literal[1, -1] = 1 if condition.prior == "given" else -1
    return TablePrior(task.predicted_by, task, sign)


def _rules(task: Task) -> EngineKnowledge:
    """What is known of every engine, for the parameters of this task."""

    def of(configuration: Configuration) -> Mapping[str, float]:
        return quantities(lambda setting: configuration.get(task.settings.get(setting, "")), task.load)

    metrics: dict[str, Metric] = {name: "ttft" if "ttft" in name else "tpot" for name in task.limits}
    return EngineKnowledge(of, [("throughput", 1)], metrics)

"""A task of the comparison: a finite space of which every configuration is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import Configuration, Scalar, digest
from autotuner.planning.dimensions import ChoiceDimension, choices

Kind = Literal["dense", "MoE", "measured", "llama.cpp"]


@dataclass(frozen=True)
class Point:
    """What one configuration really does.

    ``objective``: the larger the better; None where its server does not start. ``figures``: what limits are on, by
    their names, in seconds. ``gpus``: held while it is measured.
    """

    configuration: Configuration
    objective: float | None
    figures: Mapping[str, float] = field(default_factory=dict)
    gpus: int = 1


class TableSpace:
    """Implements ``contracts.search.SearchSpace``: valid is what the table holds. Nothing is computed twice."""

    def __init__(self, dimensions: Sequence[ChoiceDimension], valid: Iterable[Configuration]) -> None:
        self._dimensions = tuple(dimensions)
        self._names = tuple(dimension.name for dimension in dimensions)
        self._valid = {self.identity(configuration): dict(configuration) for configuration in valid}
        self._listed = tuple(self._valid.values())

    @classmethod
    def of(cls, configurations: Sequence[Configuration]) -> TableSpace:
        """The space of these: each parameter that varies, numbers in order, other values as they come."""
        names = list(configurations[0])
        values = {name: list(dict.fromkeys(c[name] for c in configurations)) for name in names}
        dimensions = [choices(name, listed) for name, listed in values.items() if len(listed) > 1]
        searched = [dimension.name for dimension in dimensions]
        return cls(dimensions, ({name: c[name] for name in searched} for c in configurations))

    @property
    def dimensions(self) -> Sequence[ChoiceDimension]:
        """Searched parameters."""
        return self._dimensions

    @property
    def grid_size(self) -> int:
        """Number of combinations, valid or not."""
        return math.prod(dimension.size for dimension in self._dimensions)

    def __len__(self) -> int:
        """Number of valid configurations."""
        return len(self._listed)

    def identity(self, configuration: Configuration) -> str:
        """The values, joined."""
        return "|".join(str(configuration.get(name)) for name in self._names)

    def violation(self, configuration: Configuration) -> str | None:
        """Whether the table lacks it."""
        return None if self.identity(configuration) in self._valid else "the table has no such configuration"

    def decode(self, number: int) -> Configuration:
        """Mixed radix, last dimension fastest."""
        values: dict[str, Scalar] = {}
        for dimension in reversed(self._dimensions):
            number, index = divmod(number, dimension.size)
            values[dimension.name] = dimension.value(index)
        return {name: values[name] for name in self._names}

    def enumerate(self) -> Iterator[Configuration]:
        """Every valid configuration, in the order of the table."""
        return (dict(configuration) for configuration in self._listed)

    def sample(self, rng: RandomSource) -> Configuration | None:
        """Uniform over the valid ones."""
        return dict(self._listed[rng.randrange(len(self._listed))]) if self._listed else None


@dataclass(frozen=True)
class Task:
    """What is searched.

    ``limits``: what each figure may be at most, seconds. ``default``: tried first by every strategy. ``predictions``:
    of another table, by identity, with its name in ``predicted_by``; empty where there are none. ``tuning``:
    hyper-parameters may be chosen on it. ``neighbour``: name of the task whose outcomes are handed on in ``transfer``.
    ``at_share``: what a configuration that starts does at a share of the load that fills it; None: not known.
    ``settings``: parameters by the names that `planning/knowledge.py` has for them; ``load``: requests in flight, None:
    as many as the server takes.
    """

    name: str
    kind: Kind
    space: TableSpace
    points: Mapping[str, Point]
    limits: Mapping[str, float]
    default: Configuration
    predictions: Mapping[str, Point] = field(default_factory=dict)
    predicted_by: str = ""
    neighbour: str | None = None
    tuning: bool = False
    at_share: Callable[[Configuration, float], Point] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    load: float | None = None

    def at(self, configuration: Configuration) -> Point:
        """What it really does."""
        return self.points[self.space.identity(configuration)]

    def ratios(self, point: Point) -> dict[str, float]:
        """Each figure / its limit."""
        return {name: point.figures[name] / limit for name, limit in self.limits.items()}

    def feasible(self, point: Point) -> bool:
        """Whether it starts and keeps all limits."""
        return point.objective is not None and all(ratio <= 1 for ratio in self.ratios(point).values())

    def best(self, crashed: frozenset[str] = frozenset()) -> float:
        """The best feasible objective; ``crashed``: identities that do not start in this run."""
        kept = (p.objective for i, p in self.points.items() if i not in crashed and self.feasible(p))
        return max((value for value in kept if value is not None), default=math.nan)

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that decides the outcomes."""
        rows = [[i, p.objective, sorted(p.figures.items()), p.gpus] for i, p in sorted(self.points.items())]
        predicted = [[i, p.objective, sorted(p.figures.items())] for i, p in sorted(self.predictions.items())]
        return digest([self.name, rows, predicted, sorted(self.limits.items()), dict(self.default), self.neighbour])[
            :12
        ]


def make_task(
    name: str,
    kind: Kind,
    points: Sequence[Point],
    limits: Mapping[str, float],
    default: Configuration,
    *,
    predictions: Sequence[Point] = (),
    predicted_by: str = "",
    neighbour: str | None = None,
    tuning: bool = False,
    at_share: Callable[[Configuration, float], Point] | None = None,
    settings: Mapping[str, str] | None = None,
    load: float | None = None,
) -> Task:
    """A task of points whose configurations name all parameters; those with one value alone are not searched."""
    space = TableSpace.of([point.configuration for point in points])
    searched = [dimension.name for dimension in space.dimensions]
    task = Task(
        name=name,
        kind=kind,
        space=space,
        points={space.identity(point.configuration): point for point in points},
        limits=limits,
        default={key: default[key] for key in searched},
        predictions={space.identity(point.configuration): point for point in predictions},
        predicted_by=predicted_by,
        neighbour=neighbour,
        tuning=tuning,
        at_share=at_share,
        settings=settings or {},
        load=load,
    )
    if task.space.identity(task.default) not in task.points or math.isnan(task.best()):
        raise ValueError(f"{name}: its default is not in the table, or nothing keeps the limits")
    return task

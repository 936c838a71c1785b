"""A small SearchSpace for tests of strategies: plain dimensions, rules, and configurations that launch alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autotuner.contracts.search import RandomSource
from autotuner.contracts.values import Configuration, Scalar, digest

Rule = Callable[[Configuration], str | None]


@dataclass(frozen=True)
class Choices:
    """Categorical or ordered values."""

    name: str
    values: tuple[Scalar, ...]
    kind: Literal["categorical", "ordered"] = "ordered"

    @property
    def size(self) -> int:
        return len(self.values)

    def at(self, unit: float) -> Scalar:
        return self.values[int(unit * len(self.values))]

    def unit(self, value: Scalar) -> float:
        return (self.index(value) + 0.5) / len(self.values)

    def value(self, index: int) -> Scalar:
        return self.values[index]

    def index(self, value: Scalar) -> int:
        return self.values.index(value)


@dataclass(frozen=True)
class Integers:
    """Integers low..high."""

    name: str
    low: int
    high: int
    log: bool = False
    kind: Literal["int"] = "int"

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    def at(self, unit: float) -> Scalar:
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(self.high, max(self.low, round(math.exp(low + unit * (high - low)))))
        return self.low + int(unit * self.size)

    def unit(self, value: Scalar) -> float:
        number = _number(value)
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(number) - low) / (high - low)
        return (number - self.low + 0.5) / self.size

    def value(self, index: int) -> Scalar:
        return self.low + index

    def index(self, value: Scalar) -> int:
        return int(_number(value)) - self.low


@dataclass(frozen=True)
class Floats:
    """Floats low..high on a log axis or not."""

    name: str
    low: float
    high: float
    log: bool = False
    kind: Literal["float"] = "float"
    size: None = None

    def at(self, unit: float) -> Scalar:
        if self.log:
            return math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        return self.low + unit * (self.high - self.low)

    def unit(self, value: Scalar) -> float:
        number = _number(value)
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def value(self, index: int) -> Scalar:
        raise ValueError("continuous")

    def index(self, value: Scalar) -> int:
        raise ValueError("continuous")


def _number(value: Scalar) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


class ToySpace:
    """Dimensions, rules, and names of parameters that are ignored under a condition (so identities coincide)."""

    def __init__(
        self,
        *dimensions: Choices | Integers | Floats,
        rules: Sequence[Rule] = (),
        launched: Callable[[Configuration], Mapping[str, Scalar]] = dict,
    ) -> None:
        self.dimensions = dimensions
        self._rules = rules
        self._launched = launched

    @property
    def grid_size(self) -> int | None:
        sizes = [d.size for d in self.dimensions]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def identity(self, configuration: Configuration) -> str:
        return digest(dict(self._launched(configuration)))

    def violation(self, configuration: Configuration) -> str | None:
        return next((sentence for rule in self._rules if (sentence := rule(configuration))), None)

    def decode(self, number: int) -> Configuration:
        values: dict[str, Scalar] = {}
        for d in reversed(self.dimensions):
            assert d.size is not None
            number, index = divmod(number, d.size)
            values[d.name] = d.value(index)
        return {d.name: values[d.name] for d in self.dimensions}

    def enumerate(self) -> Iterator[Configuration]:
        assert self.grid_size is not None
        seen: set[str] = set()
        for number in range(self.grid_size):
            configuration = self.decode(number)
            identity = self.identity(configuration)
            if self.violation(configuration) is None and identity not in seen:
                seen.add(identity)
                yield configuration

    def sample(self, rng: RandomSource) -> Configuration | None:
        for _ in range(1000):
            configuration = {d.name: d.at(rng.random()) for d in self.dimensions}
            if self.violation(configuration) is None:
                return configuration
        return None

"""Which request comes next: the part of the mixture and the lengths, from the seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from autotuner.benchmark.dataset import Row
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic

BLOCK = 20


def generator(text: str) -> np.random.Generator:
    """A random generator seeded by a text."""
    return np.random.default_rng(int.from_bytes(sha256(text.encode()).digest()[:16]))


@dataclass(frozen=True)
class Draw:
    """One request, or the requests of one conversation. ``turns``: prompt and output tokens of each.

    ``row``: the dataset's request, whose prompt is sent as it is and whose length in tokens is not known (0).
    """

    scenario: Scenario
    turns: tuple[tuple[int, int], ...]
    row: Row | None = None


class Draws:
    """An endless sequence of requests. ``rows``: those of the dataset, without end.

    Parts are dealt by the largest deficit, so any run of requests has nearly the exact shares, and shuffled within
    blocks of 20, so that no pattern meets the concurrency. Equal arguments give equal sequences: every configuration
    of a task gets the same requests. Of several workers each gets every n-th: ``share`` is (which, how many).
    """

    def __init__(
        self,
        point: LoadPoint,
        seed: int,
        repeat: int,
        rows: Iterator[Row] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._rows = rows
        self._random = generator(f"{seed}/{point.name}/{repeat}")
        self._traffic = point.traffic
        self._credit = [0.0] * len(point.traffic.parts)
        self._block: list[Scenario] = []
        self._skipped, self._every = share

    def next(self) -> Draw:
        """The next request; each length is at least one token, each turn after the first without the shared prefix."""
        for _ in range(self._skipped):
            self._draw()
        self._skipped = self._every - 1
        return self._draw()

    def _draw(self) -> Draw:
        if not self._block:
            self._block = self._deal(self._traffic)
        scenario = self._block.pop()
        if scenario.from_dataset and self._rows is not None:
            row = next(self._rows)
            return Draw(scenario, ((0, row.output_tokens),), row)
        lengths = [(self._length(scenario.prompt), self._length(scenario.output)) for _ in range(scenario.turns)]
        later = tuple((prompt - scenario.prefix, output) for prompt, output in lengths[1:])
        return Draw(scenario, (lengths[0], *later))

    def _deal(self, traffic: Traffic) -> list[Scenario]:
        total = sum(weight for weight, _ in traffic.parts)
        block = []
        for _ in range(BLOCK):
            for index, (weight, _) in enumerate(traffic.parts):
                self._credit[index] += weight / total
            chosen = max(range(len(self._credit)), key=self._credit.__getitem__)
            self._credit[chosen] -= 1.0
            block.append(traffic.parts[chosen][1])
        return [block[index] for index in self._random.permutation(BLOCK)]

    def _length(self, length: Length) -> int:
        if length.kind == "uniform":
            drawn = int(self._random.integers(length.low, length.high, endpoint=True))
        elif length.kind == "normal":
            drawn = min(round(self._random.normal(length.mean, length.deviation)), length.longest)
        else:
            drawn = round(length.mean)
        return max(drawn, 1)

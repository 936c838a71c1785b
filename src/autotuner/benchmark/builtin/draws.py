"""Which request comes next: the part of the mixture and the lengths, from the seed alone."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic

BLOCK = 20


def generator(text: str) -> np.random.Generator:
    """A random generator seeded by a text."""
    return np.random.default_rng(int.from_bytes(sha256(text.encode()).digest()[:16]))


class Draws:
    """An endless sequence of (prompt tokens, output tokens).

    Parts are dealt by the largest deficit, so any run of requests has nearly the exact shares, and shuffled within
    blocks of 20, so that no pattern meets the concurrency. Equal arguments give equal sequences: every configuration
    of a task gets the same requests. Of several workers each gets every n-th: ``share`` is (which, how many).
    """

    def __init__(self, point: LoadPoint, seed: int, repeat: int, share: tuple[int, int] = (0, 1)) -> None:
        self._random = generator(f"{seed}/{point.name}/{repeat}")
        self._traffic = point.traffic
        self._credit = [0.0] * len(point.traffic.parts)
        self._block: list[Scenario] = []
        self._skipped, self._every = share

    def next(self) -> tuple[int, int]:
        """Lengths of the next request, each at least one token."""
        for _ in range(self._skipped):
            self._draw()
        self._skipped = self._every - 1
        return self._draw()

    def _draw(self) -> tuple[int, int]:
        if not self._block:
            self._block = self._deal(self._traffic)
        scenario = self._block.pop()
        return self._length(scenario.prompt), self._length(scenario.output)

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

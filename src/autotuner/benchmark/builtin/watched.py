"""A running window as its workers tell of it together, and whether that is enough to end it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from autotuner.benchmark.builtin.wire import Seen
from autotuner.contracts.stopping import EarlyStop, StopFigure
from autotuner.scoring.early_stop import Looks, RequestSoFar, SoFar

SLICE_S = 0.25


class Watched:
    """One window. ``looks`` decides; ``workers``: their number."""

    def __init__(self, looks: Looks, workers: int) -> None:
        self._looks = looks
        self._ended: list[RequestSoFar] = []
        self._live: list[Sequence[tuple[float, float | None]]] = [()] * workers
        self._at: list[list[float]] = [[0.0] for _ in range(workers)]
        self._sums: list[list[tuple[float, float, float]]] = [[(0.0, 0.0, 0.0)] for _ in range(workers)]

    def take(self, worker: int, elapsed_s: float, seen: Seen) -> EarlyStop | None:
        """Take in what a worker tells; the reason to stop, if there is one."""
        self._ended += [_request(*one) for one in seen.ended]
        self._live[worker] = seen.live
        if elapsed_s <= self._at[worker][-1]:
            return None
        self._at[worker].append(elapsed_s)
        self._sums[worker].append((seen.output_tokens, seen.prompt_tokens, float(seen.good)))
        elapsed = min(times[-1] for times in self._at)
        return self._looks.look(self._so_far(elapsed)) if elapsed > 0 and self._looks.due(elapsed) else None

    def _so_far(self, elapsed: float) -> SoFar:
        """As of the last moment that all of them have told of."""
        live = [RequestSoFar(started, ttft=ttft) for own in self._live for started, ttft in own]
        count = max(1, int(elapsed / SLICE_S))
        length = elapsed / count
        sums = [self._at_time(length * number) for number in range(count + 1)]
        rates = [
            tuple((after - before) / length for before, after in zip(earlier, later, strict=True))
            for earlier, later in pairwise(sums)
        ]
        slices: dict[StopFigure, list[float]] = {
            "output_throughput": [output for output, _, _ in rates],
            "total_throughput": [output + prompt for output, prompt, _ in rates],
            "goodput": [good for _, _, good in rates],
        }
        return SoFar(elapsed_s=elapsed, requests=[*self._ended, *live], slices=slices)

    def _at_time(self, at: float) -> tuple[float, float, float]:
        """The workers' sums together, each interpolated between two of its reports."""
        output = prompt = good = 0.0
        for times, sums in zip(self._at, self._sums, strict=True):
            right = min(max(bisect_left(times, at), 1), len(times) - 1)
            before, after = sums[right - 1], sums[right]
            share = min(max((at - times[right - 1]) / (times[right] - times[right - 1]), 0.0), 1.0)
            output += before[0] + share * (after[0] - before[0])
            prompt += before[1] + share * (after[1] - before[1])
            good += before[2] + share * (after[2] - before[2])
        return output, prompt, good


def _request(started: float, ttft: float | None, tpot: float | None, e2e: float | None, ok: bool) -> RequestSoFar:
    return RequestSoFar(started, ttft, tpot, e2e, "ok" if ok else "error")

"""When requests of an open loop are due: the gaps between them, from the seed alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autotuner.benchmark.builtin.draws import generator
from autotuner.contracts.workload import Arrival


def drawn_gaps(arrival: Arrival, rate: float, burstiness: float, seed: str) -> Iterator[float]:
    """Seconds between requests, without end; their mean is 1/rate.

    Constant gaps, exponential ones (poisson; also for closed, which has no times of its own), or gamma ones of shape
    ``burstiness``: their deviation is 1/√burstiness of the mean, so 1 is poisson and less comes in bursts.
    """
    random = generator(seed)
    while True:
        if arrival == "constant":
            gap = 1.0
        elif arrival == "gamma":
            gap = float(random.standard_gamma(burstiness)) / burstiness
        else:
            gap = float(random.exponential())
        yield gap / rate


def replayed_gaps(times: Iterable[float], period_s: float, speed: float) -> Iterator[float]:
    """Seconds between recorded requests, ``speed`` times as fast. ``times`` begins again at 0 after each period."""
    before = 0.0
    for at in times:
        yield (at - before if at >= before else max(at - before + period_s, 0.0)) / speed
        before = at

"""From samples to a distribution, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autotuner.contracts.measurement import Distribution

PERCENTILES = {
    "p001": 0.1,
    "p01": 1.0,
    "p05": 5.0,
    "p10": 10.0,
    "p25": 25.0,
    "p50": 50.0,
    "p75": 75.0,
    "p90": 90.0,
    "p95": 95.0,
    "p99": 99.0,
    "p999": 99.9,
}
"""Field of ``Distribution`` → percentile."""

MODE_STEP = 1e-4
"""The mode is the most frequent multiple of this many seconds."""


def distribution(samples: Sequence[float]) -> Distribution | None:
    """The distribution of the samples (seconds); None when there are none.

    Percentiles interpolate linearly between the two neighbours in the sorted samples (rank (n - 1)·p; numpy's
    "linear", Hyndman and Fan's type 7). ``stddev`` is that of the samples themselves (divided by n). ``mode`` is the
    most frequent value after rounding to 0.1 ms, the smallest of several, held within [min, max].
    """
    if not samples:
        return None
    import numpy as np  # late: whoever imports the definitions alone does not wait for it

    values = np.sort(np.asarray(samples, dtype=np.float64))
    low, high = float(values[0]), float(values[-1])
    # Interpolation may leave the range, and the order, by one rounding; both are promised exactly.
    percentiles = np.maximum.accumulate(np.clip(np.percentile(values, list(PERCENTILES.values())), low, high))
    return Distribution(
        count=len(values),
        mean=min(max(float(values.mean()), low), high),
        mode=min(max(_mode(values.tolist()), low), high),
        min=low,
        max=high,
        stddev=float(values.std()),
        **dict(zip(PERCENTILES, percentiles.tolist(), strict=True)),
    )


def _mode(values: Sequence[float]) -> float:
    counts = Counter(round(value / MODE_STEP) for value in values)
    step, _ = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return step * MODE_STEP

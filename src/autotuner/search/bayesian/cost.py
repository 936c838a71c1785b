"""What an experiment takes: by which gains are divided."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from autotuner.contracts.search import CostModel, Trial
from autotuner.contracts.values import Configuration


def seconds(model: CostModel, trials: Sequence[Trial], configurations: Sequence[Configuration]) -> NDArray[np.float64]:
    """GPU-seconds that each configuration is expected to take, from what the ones so far took.

    A configuration that differs from the last one only in what a running server takes without a restart needs none.
    """
    spent = [t.outcome.spent for t in trials if t.outcome.spent is not None]
    start_s = median(s.start_s for s in spent) if spent else model.start_s
    measure_s = median(s.measure_s for s in spent) if spent else model.measure_s
    running = trials[-1].configuration if trials and trials[-1].outcome.observations else None
    found: list[float] = []
    for configuration in configurations:
        restart = running is None or any(
            running.get(name) != value for name, value in configuration.items() if name not in model.warm
        )
        gpus = 1 if model.gpus is None else max(1, model.gpus(configuration))
        found.append(((start_s if restart else 0.0) + measure_s) * gpus)
    cost: NDArray[np.float64] = np.maximum(np.array(found), 1e-9)
    return cost

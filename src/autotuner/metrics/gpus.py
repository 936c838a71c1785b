"""What the GPUs told, over the repeats of a load point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum

from autotuner.contracts.measurement import Measurement
from autotuner.contracts.server_metrics import GpuFigures, Level


def gpu_metrics(repeats: Sequence[Measurement]) -> dict[str, float]:
    """Aggregated metrics of the GPUs; nothing of what was not read.

    Means are weighted by the readings, over GPUs and repeats; power is that of all GPUs together, and the energy per
    token is energy / tokens over the windows of all repeats that have both.
    """
    found: dict[str, float] = {}
    gpus = [gpu for repeat in repeats for gpu in repeat.gpus]
    for name, level in _MEANS.items():
        known = [(value.mean, gpu.readings) for gpu in gpus if (value := level(gpu)) is not None]
        if known:
            found[name] = fsum(mean * weight for mean, weight in known) / sum(weight for _, weight in known)
    for name, level in _MAXIMA.items():
        most = [value.max for gpu in gpus if (value := level(gpu)) is not None]
        if most:
            found[name] = max(most)
    powered = [m for m in repeats if m.gpus and all(gpu.power is not None for gpu in m.gpus)]
    if powered:
        joules = fsum(_power(m) * m.window_s for m in powered)
        found["mean_gpu_power"] = joules / fsum(m.window_s for m in powered)
        tokens = fsum(m.output_throughput * m.window_s for m in powered)
        if tokens > 0:
            found["energy_per_output_token"] = joules / tokens
    return found


_MEANS: dict[str, Callable[[GpuFigures], Level | None]] = {
    "mean_gpu_utilization": lambda gpu: gpu.utilization,
    "mean_gpu_sm_clock": lambda gpu: gpu.sm_clock,
}
_MAXIMA: dict[str, Callable[[GpuFigures], Level | None]] = {
    "max_gpu_memory_used": lambda gpu: gpu.memory_used,
    "max_gpu_temperature": lambda gpu: gpu.temperature,
}


def _power(measurement: Measurement) -> float:
    return fsum(gpu.power.mean for gpu in measurement.gpus if gpu.power is not None)

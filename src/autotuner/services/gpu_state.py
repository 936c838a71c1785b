"""What the NVIDIA GPUs of this host do now."""

from __future__ import annotations

from pydantic import Field

from autotuner.contracts.values import Frozen
from autotuner.telemetry.nvml import Nvml


class GpuState(Frozen):
    """One GPU; null for what it does not tell."""

    index: int = Field(description="number by which its driver knows it")
    name: str = Field(description="product name")
    utilization: float | None = Field(None, description="share of the time in which it was busy, 0 to 1")
    memory_used_bytes: float | None = Field(None, description="memory in use, bytes")
    power_w: float | None = Field(None, description="watts")
    temperature_c: float | None = Field(None, description="degrees Celsius")


def gpu_states() -> list[GpuState] | None:
    """All GPUs; None where there is no driver that could tell. Blocks for milliseconds."""
    nvml = Nvml.open()
    if nvml is None:
        return None
    try:
        names = nvml.names()
        return [
            GpuState(
                index=reading.index,
                name=names[reading.index],
                utilization=reading.utilization,
                memory_used_bytes=reading.memory_used,
                power_w=reading.power,
                temperature_c=reading.temperature,
            )
            for reading in nvml.read(range(len(names)))
        ]
    finally:
        nvml.close()

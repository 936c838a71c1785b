"""The GPUs that a server of this host may use."""

from __future__ import annotations

import os

from autotuner.contracts.attempt import AttemptJob
from autotuner.telemetry.nvml import GpuReading, Nvml

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Gpus:
    """Reads some GPUs. Calls block for milliseconds."""

    def __init__(self, nvml: Nvml, indices: list[int]) -> None:
        self._nvml = nvml
        self._indices = indices

    @classmethod
    def of(cls, job: AttemptJob) -> Gpus | None:
        """Those that the job's server sees; None when there are none, or no library that tells of them."""
        nvml = Nvml.open()
        if nvml is None:
            return None
        own = job.command.env.get(VISIBLE) if job.command is not None else None
        indices = nvml.visible(os.environ.get(VISIBLE) if own is None else own)
        if not indices:
            nvml.close()
            return None
        return cls(nvml, indices)

    def read(self) -> list[GpuReading]:
        """All of them now."""
        return self._nvml.read(self._indices)

    def close(self) -> None:
        """Give the library back."""
        self._nvml.close()

"""What a document's hardware is: what it says, and for known kinds of GPUs what the table knows besides."""

from __future__ import annotations

from autotuner.config.document import SystemConfig
from autotuner.contracts.errors import AutotunerError
from autotuner.modelling.gpus import GpuType, gpu_type


def filled(system: SystemConfig) -> SystemConfig:
    """The block with memory and links of a known kind of GPU; what it says itself counts."""
    kind = _kind(system)
    if kind is None:
        return system
    known = {
        "memory_per_gpu": kind.memory_gb,
        "nvlink_bandwidth": kind.nvlink_gb_s,
        "pcie_bandwidth": kind.pcie_gb_s,
        "interconnect_type": kind.interconnect,
    }
    missing = {name: value for name, value in known.items() if value is not None and getattr(system, name) is None}
    return system.model_copy(update=missing)


def describe(system: SystemConfig) -> str:
    """``8 × H200 SXM, 141 GB each, NVLink 900 GB/s, PCIe 64 GB/s``; empty where nothing is given."""
    kind, known = _kind(system), filled(system)
    name = system.gpu_type if kind is None else kind.label
    parts: list[str] = []
    if name is not None or system.total_gpus is not None:
        count = f"{system.total_gpus} × " if system.total_gpus is not None else ""
        parts.append(f"{count}{name or 'GPU'}")
    if known.memory_per_gpu is not None:
        parts.append(f"{known.memory_per_gpu:g} GB each")
    if known.nvlink_bandwidth is not None:
        parts.append(f"NVLink {known.nvlink_bandwidth:g} GB/s")
    if known.pcie_bandwidth is not None:
        parts.append(f"PCIe {known.pcie_bandwidth:g} GB/s")
    if known.interconnect_type == "infiniband":
        parts.append("InfiniBand")
    return ", ".join(parts)


def _kind(system: SystemConfig) -> GpuType | None:
    if system.gpu_type is None:
        return None
    try:
        return gpu_type(system.gpu_type)
    except AutotunerError:
        return None

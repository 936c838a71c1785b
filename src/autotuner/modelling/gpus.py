"""Known kinds of GPUs: the values of ``system_config.gpu_type`` and what they stand for.

Memory and links are the vendor's data sheets'. What a program can use of the memory is less, since driver and ECC keep
some: ``usable_gib`` is the total that PyTorch reports on such a GPU ("has a total capacity of … GiB" in its messages;
the least of those seen in public reports).
"""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import Field

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen

GIB = 1 << 30

Architecture = Literal["turing", "ampere", "ada", "hopper", "blackwell"]


class GpuType(Frozen):
    """One kind of GPU."""

    name: str = Field(description="value of system_config.gpu_type")
    label: str = Field(description="what it is called")
    architecture: Architecture = Field(description="generation")
    memory_gb: float = Field(gt=0, description="memory as it is sold, GB")
    usable_gib: float = Field(gt=0, description="memory that a program sees, GiB")
    nvlink_gb_s: float | None = Field(
        None, description="NVLink of one GPU, both directions together, GB/s; None without"
    )
    pcie_gb_s: float = Field(gt=0, description="PCIe of one GPU, each direction, GB/s")

    @property
    def interconnect(self) -> Literal["nvlink", "pcie"]:
        """What connects the GPUs of a node."""
        return "pcie" if self.nvlink_gb_s is None else "nvlink"

    @property
    def usable_bytes(self) -> int:
        """Memory that a program sees, bytes."""
        return int(self.usable_gib * GIB)

    @property
    def fp8(self) -> bool:
        """Whether its tensor cores compute with 8-bit floats."""
        return self.architecture in ("ada", "hopper", "blackwell")


def _gpu(
    name: str,
    label: str,
    architecture: Architecture,
    memory: float,
    usable: float,
    *,
    pcie: float,
    nvlink: float | None = None,
) -> GpuType:
    return GpuType(
        name=name,
        label=label,
        architecture=architecture,
        memory_gb=memory,
        usable_gib=usable,
        nvlink_gb_s=nvlink,
        pcie_gb_s=pcie,
    )


GPU_TYPES: tuple[GpuType, ...] = (
    _gpu("h200_sxm", "H200 SXM", "hopper", 141, 139.80, pcie=64, nvlink=900),
    _gpu("h100_sxm", "H100 SXM 80 GB", "hopper", 80, 79.11, pcie=64, nvlink=900),
    _gpu("h100_pcie", "H100 PCIe 80 GB", "hopper", 80, 79.10, pcie=64),
    _gpu("h100_nvl", "H100 NVL 94 GB", "hopper", 94, 93.00, pcie=64, nvlink=600),
    _gpu("h20_sxm", "H20 96 GB", "hopper", 96, 95.00, pcie=64, nvlink=900),
    _gpu("gh200", "GH200 96 GB", "hopper", 96, 94.50, pcie=64, nvlink=900),
    _gpu("b200_sxm", "B200 SXM", "blackwell", 180, 178.35, pcie=64, nvlink=1800),
    _gpu("gb200", "GB200", "blackwell", 186, 184.31, pcie=64, nvlink=1800),
    _gpu("b300_sxm", "B300 SXM", "blackwell", 288, 267.69, pcie=128, nvlink=1800),
    _gpu("rtx_pro_6000_server", "RTX PRO 6000 Blackwell 96 GB", "blackwell", 96, 94.96, pcie=64),
    _gpu("rtx_5090", "GeForce RTX 5090", "blackwell", 32, 31.36, pcie=64),
    _gpu("a100_sxm", "A100 SXM 80 GB", "ampere", 80, 79.14, pcie=32, nvlink=600),
    _gpu("a100_sxm_40gb", "A100 SXM 40 GB", "ampere", 40, 39.38, pcie=32, nvlink=600),
    _gpu("a100_pcie", "A100 PCIe 80 GB", "ampere", 80, 79.14, pcie=32),
    _gpu("a10", "A10 24 GB", "ampere", 24, 22.03, pcie=32),
    _gpu("l40s", "L40S", "ada", 48, 44.34, pcie=32),
    _gpu("l4", "L4", "ada", 24, 22.03, pcie=32),
    _gpu("rtx_4090", "GeForce RTX 4090", "ada", 24, 23.52, pcie=32),
    _gpu("t4", "T4", "turing", 16, 14.56, pcie=16),
)

ALIASES = {"a100_40": "a100_sxm_40gb", "a100": "a100_sxm", "h100": "h100_sxm", "h200": "h200_sxm", "b200": "b200_sxm"}
"""Shorter names."""


def gpu_type(name: str, *, place: str = "system_config.gpu_type") -> GpuType:
    """The kind of GPU of that name; case, dashes and spaces do not matter.

    AutotunerError (UNKNOWN_NAME) with the nearest name for another one.
    """
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = {gpu.name: gpu for gpu in GPU_TYPES}
    found = known.get(ALIASES.get(wanted, wanted))
    if found is not None:
        return found
    near = difflib.get_close_matches(wanted, [*known, *ALIASES], n=1)
    raise AutotunerError(
        ErrorCode.UNKNOWN_NAME,
        f"there is no GPU type {name!r}",
        why="only known types have a memory size",
        remedy=(f"Did you mean {near[0]!r}? " if near else "") + f"Known are {', '.join(known)}",
        place=place,
    )

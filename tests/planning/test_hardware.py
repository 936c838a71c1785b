"""What a document's hardware is, from its own words and the table of GPUs."""

from __future__ import annotations

import pytest

from autotuner.config.document import SystemConfig
from autotuner.modelling.gpus import GPU_TYPES
from autotuner.planning.hardware import describe, filled


def test_a_known_kind_fills_the_rest() -> None:
    assert filled(SystemConfig(gpu_type="h200_sxm", total_gpus=8)) == SystemConfig(
        gpu_type="h200_sxm",
        total_gpus=8,
        memory_per_gpu=141,
        nvlink_bandwidth=900,
        pcie_bandwidth=64,
        interconnect_type="nvlink",
    )


def test_what_is_given_counts() -> None:
    made = filled(SystemConfig(gpu_type="H200-SXM", memory_per_gpu=100, interconnect_type="infiniband"))
    assert (made.memory_per_gpu, made.interconnect_type, made.nvlink_bandwidth) == (100, "infiniband", 900)


@pytest.mark.parametrize("system", [SystemConfig(), SystemConfig(total_gpus=2), SystemConfig(gpu_type="no_such_gpu")])
def test_an_unknown_kind_fills_nothing(system: SystemConfig) -> None:
    assert filled(system) == system


@pytest.mark.parametrize("kind", [gpu.name for gpu in GPU_TYPES])
def test_every_kind_of_the_table_has_its_memory_and_links(kind: str) -> None:
    made = filled(SystemConfig(gpu_type=kind))
    assert made.memory_per_gpu
    assert made.pcie_bandwidth
    assert (made.nvlink_bandwidth is None) == (made.interconnect_type == "pcie")


@pytest.mark.parametrize(
    ("system", "text"),
    [
        (SystemConfig(), ""),
        (SystemConfig(total_gpus=2), "2 × GPU"),
        (SystemConfig(gpu_type="no_such_gpu"), "no_such_gpu"),
        (SystemConfig(gpu_type="l40s"), "L40S, 48 GB each, PCIe 32 GB/s"),
        (
            SystemConfig(gpu_type="h200_sxm", total_gpus=8),
            "8 × H200 SXM, 141 GB each, NVLink 900 GB/s, PCIe 64 GB/s",
        ),
    ],
)
def test_it_is_described(system: SystemConfig, text: str) -> None:
    assert describe(system) == text

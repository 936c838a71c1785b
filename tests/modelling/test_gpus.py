"""The table of GPUs."""

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.modelling.gpus import ALIASES, GIB, GPU_TYPES, gpu_type


def test_known_kinds() -> None:
    h200 = gpu_type("h200_sxm")
    assert (h200.memory_gb, h200.nvlink_gb_s, h200.interconnect, h200.fp8) == (141, 900, "nvlink", True)
    l40s = gpu_type("L40S")
    assert (l40s.interconnect, l40s.nvlink_gb_s, l40s.architecture) == ("pcie", None, "ada")
    assert gpu_type("a100_40").memory_gb == 40
    assert not gpu_type("a100-sxm").fp8
    for name in ("h100_sxm", "h100_pcie", "a100_sxm", "b200_sxm"):
        assert gpu_type(name).name == name


def test_names_are_unique_and_less_can_be_used_than_is_sold() -> None:
    names = [gpu.name for gpu in GPU_TYPES]
    assert len(set(names)) == len(names)
    assert not set(ALIASES) & set(names)
    assert set(ALIASES.values()) <= set(names)
    for gpu in GPU_TYPES:
        # Vendors mean 10^9 bytes with some and 2^30 with others.
        assert 0.9 * gpu.memory_gb * 1e9 < gpu.usable_bytes < gpu.memory_gb * GIB


def test_an_unknown_kind() -> None:
    with pytest.raises(AutotunerError) as caught:
        gpu_type("h200_smx")
    assert caught.value.code is ErrorCode.UNKNOWN_NAME
    assert "Did you mean 'h200_sxm'?" in caught.value.remedy
    assert caught.value.place == "system_config.gpu_type"

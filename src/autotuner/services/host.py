"""What this host is: for the plan, the stored attempts and the reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotuner.planning.planner import HostFacts
from autotuner.telemetry.nvml import Nvml


def host_facts(*, gpus: bool = False) -> HostFacts:
    """Cores that this process may use; ``gpus``: the number of GPUs, too, which are asked of their driver."""
    features = frozenset((_proc_field("/proc/cpuinfo", "flags") or "").split())
    return HostFacts(cores=tuple(sorted(_usable_cores())), gpus=_gpus() if gpus else None, cpu_features=features)


def _gpus() -> int | None:
    """None where there is no driver that could tell."""
    nvml = Nvml.open()
    if nvml is None:
        return None
    found = len(nvml.names())
    nvml.close()
    return found


def describe_host() -> dict[str, Any]:
    """Host name, CPU model, cores, memory, kernel and versions, as stored with each attempt."""
    return {
        "hostname": socket.gethostname(),
        "cpu_model": _proc_field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(_usable_cores()),
        "memory_kib": _proc_field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "autotuner": importlib.metadata.version("inference-autotuner"),
    }


@contextmanager
def off_cores(cores: Sequence[int] | None) -> Iterator[None]:
    """Keep this process off the server's cores: what it does must not slow down what it measures."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, usual - set(cores or ()) or usual)
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def _usable_cores() -> set[int]:
    # Of the process, not of the calling thread: a thread keeps the cores that it was started with.
    return os.sched_getaffinity(os.getpid())


def _proc_field(path: str, name: str) -> str | None:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None

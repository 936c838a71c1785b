"""NVIDIA's management library, through ctypes: what the GPUs of this host are doing.

``libnvidia-ml.so.1`` comes with the driver and its interface is stable, so nothing needs to be installed. A host
without it has no such figures.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

LIBRARY = "libnvidia-ml.so.1"
_TEMPERATURE_GPU = 0
_CLOCK_SM = 1
_UUID_BYTES = 96
_NAME_BYTES = 96


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    """nvmlMemory_t: what the driver reserves for itself is in ``used``."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _MemoryV2(ctypes.Structure):
    """nvmlMemory_v2_t: what the driver reserves is apart, as nvidia-smi has it."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


_MEMORY_V2 = ctypes.sizeof(_MemoryV2) | 2 << 24
"""NVML_STRUCT_VERSION(Memory, 2)."""


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment; None for what it does not tell."""

    index: int
    utilization: float | None
    """Share of the time in which a kernel ran, over the driver's last sampling period."""
    memory_used: float | None
    """Bytes, without what the driver reserves for itself where it tells that apart (since driver 510)."""
    power: float | None
    """Watts."""
    temperature: float | None
    """Degrees Celsius."""
    sm_clock: float | None
    """MHz."""


class Nvml:
    """The open library. Its calls block for milliseconds: make them outside the event loop."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    @classmethod
    def open(cls) -> Nvml | None:
        """None when there is no such library, or no driver behind it."""
        try:
            library = ctypes.CDLL(LIBRARY)
            if library.nvmlInit_v2() != 0:
                return None
        except (OSError, AttributeError):
            return None
        return cls(library)

    def close(self) -> None:
        """Give the library back."""
        self._library.nvmlShutdown()

    def names(self) -> list[str]:
        """Product names of all GPUs, by index."""
        return [self._text("nvmlDeviceGetName", device, _NAME_BYTES) for device in self._devices()]

    def visible(self, devices: str | None) -> list[int]:
        """Indices of the GPUs that a value of CUDA_VISIBLE_DEVICES leaves to a program; all without a value.

        Entries are indices or beginnings of UUIDs. As CUDA does, the list ends at the first entry that is neither.
        """
        uuids = [self._text("nvmlDeviceGetUUID", device, _UUID_BYTES) for device in self._devices()]
        if devices is None:
            return list(range(len(uuids)))
        found: list[int] = []
        for entry in (part.strip() for part in devices.split(",")):
            if entry.isascii() and entry.isdigit() and int(entry) < len(uuids):
                index = int(entry)
            elif entry.startswith("GPU-") and any(uuid.startswith(entry) for uuid in uuids):
                index = next(number for number, uuid in enumerate(uuids) if uuid.startswith(entry))
            else:
                break
            if index not in found:
                found.append(index)
        return found

    def read(self, indices: Sequence[int]) -> list[GpuReading]:
        """These GPUs now; of one that is lost nothing is known."""
        devices = self._devices()
        return [self._reading(index, devices[index]) for index in indices if index < len(devices)]

    def _reading(self, index: int, device: ctypes.c_void_p) -> GpuReading:
        busy = _Utilization()
        utilization = self._ok("nvmlDeviceGetUtilizationRates", device, ctypes.byref(busy))
        power = self._number("nvmlDeviceGetPowerUsage", device)
        return GpuReading(
            index=index,
            utilization=busy.gpu / 100 if utilization else None,
            memory_used=self._memory_used(device),
            power=None if power is None else power / 1000,
            temperature=self._number("nvmlDeviceGetTemperature", device, _TEMPERATURE_GPU),
            sm_clock=self._number("nvmlDeviceGetClockInfo", device, _CLOCK_SM),
        )

    def _memory_used(self, device: ctypes.c_void_p) -> float | None:
        apart = _MemoryV2(version=_MEMORY_V2)
        if self._ok("nvmlDeviceGetMemoryInfo_v2", device, ctypes.byref(apart)):
            return float(apart.used)
        memory = _Memory()
        return float(memory.used) if self._ok("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory)) else None

    def _devices(self) -> list[ctypes.c_void_p]:
        count = ctypes.c_uint()
        if not self._ok("nvmlDeviceGetCount_v2", ctypes.byref(count)):
            return []
        devices = []
        for index in range(count.value):
            device = ctypes.c_void_p()
            self._ok("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))
            devices.append(device)
        return devices

    def _number(self, function: str, device: ctypes.c_void_p, *which: int) -> float | None:
        value = ctypes.c_uint()
        given = [ctypes.c_int(number) for number in which]
        return float(value.value) if self._ok(function, device, *given, ctypes.byref(value)) else None

    def _text(self, function: str, device: ctypes.c_void_p, size: int) -> str:
        text = ctypes.create_string_buffer(size)
        return text.value.decode(errors="replace") if self._ok(function, device, text, ctypes.c_uint(size)) else ""

    def _ok(self, function: str, *arguments: object) -> bool:
        """Whether the call succeeded; a device that was not found (a null handle) never does."""
        if any(isinstance(argument, ctypes.c_void_p) and not argument for argument in arguments):
            return False
        called = getattr(self._library, function, None)
        return called is not None and called(*arguments) == 0

"""Reads the header of a GGUF file: what the planner and the client need to know of a model, without loading it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"

Value = int | float | bool | str | list["Value"]

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

# Type number: (values per block, bytes per block).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


class GGUFError(Exception):
    """The file is not a usable GGUF file; the text says why."""


@dataclass
class Header:
    """What a GGUF file says of itself. Arrays of strings are kept as their length only."""

    values: dict[str, Value] = field(default_factory=dict)
    array_lengths: dict[str, int] = field(default_factory=dict)
    parameter_count: int = 0
    """Weights in this file."""
    data_end: int = 0
    """Bytes that the file must have at least."""


def read_header(path: Path) -> Header:
    """Read and check the header. GGUFError if it is damaged or the file shorter than it says; OSError if unreadable."""
    with path.open("rb") as file:
        try:
            header = _Reader(file).header()
        except (struct.error, UnicodeDecodeError, OverflowError, MemoryError) as error:
            raise GGUFError("it ends or is damaged in the middle of its header") from error
        size = file.seek(0, 2)
    if size < header.data_end:
        raise GGUFError(f"it is cut short: {size} bytes are there, {header.data_end} are needed")
    return header


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def header(self) -> Header:
        if self._file.read(4) != MAGIC:
            raise GGUFError("it is not a GGUF file")
        version = self._number("<I")
        if version not in (2, 3):
            raise GGUFError(f"it is of GGUF version {version}; versions 2 and 3 are known")
        tensors, pairs = self._count(), self._count()
        header = Header()
        for _ in range(pairs):
            key = self._string()
            self._pair(header, key, self._number("<I"))
        self._tensors(header, tensors)
        return header

    def _pair(self, header: Header, key: str, kind: int) -> None:
        if kind != _ARRAY:
            header.values[key] = self._value(kind)
            return
        item, length = self._number("<I"), self._count()
        header.array_lengths[key] = length
        if item == _STRING:
            for _ in range(length):
                self._file.seek(self._count(), 1)
        elif item in _SCALARS:
            code = _SCALARS[item][1]
            header.values[key] = list(
                struct.unpack(f"<{length}{code}", self._bytes(length * struct.calcsize(f"<{code}")))
            )
        else:
            raise GGUFError(f"its entry {key} is an array of the unknown type {item}")

    def _tensors(self, header: Header, count: int) -> None:
        end = 0
        for _ in range(count):
            self._string()
            values = 1
            for _ in range(self._number("<I")):
                values *= self._count()
            kind, offset = self._number("<I"), self._count()
            per_block, size = _BLOCKS.get(kind, (values or 1, 0))
            header.parameter_count += values
            end = max(end, offset + values // per_block * size)
        alignment = header.values.get("general.alignment", 32)
        step = alignment if isinstance(alignment, int) and alignment > 0 else 32
        header.data_end = -(-self._file.tell() // step) * step + end

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._string()
        if kind not in _SCALARS:
            raise GGUFError(f"it has an entry of the unknown type {kind}")
        code = _SCALARS[kind]
        value: int | float | bool = struct.unpack(code, self._bytes(struct.calcsize(code)))[0]
        return value

    def _string(self) -> str:
        return self._bytes(self._count()).decode()

    def _number(self, code: str) -> int:
        value: int = struct.unpack(code, self._bytes(struct.calcsize(code)))[0]
        return value

    def _count(self) -> int:
        return self._number("<Q")

    def _bytes(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise GGUFError("it is cut short in the middle of its header")
        return data

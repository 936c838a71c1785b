"""The cursor of the stream over all tasks: where its reader stands in each task's log. Opaque to clients."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator

from autotuner.contracts.errors import AutotunerError, ErrorCode

VERSION = b"1"
MOST_BYTES = 1 << 20
"""A cursor that unpacks to more was not made here: it would hold 10⁵ tasks."""
MOST_TEXT = 16_384
"""Longer than any that fits into the first line of a request."""
_LARGEST = (1 << 63) - 1


class Positions:
    """Task → number of the last event that was told. Keeps each task's part of the cursor, so one more event costs
    little with 10³ tasks.
    """

    def __init__(self, told: Iterable[tuple[int, int]] = ()) -> None:
        self._told: dict[int, int] = {}
        self._parts: dict[int, bytes] = {}
        for task_id, seq in told:
            self[task_id] = seq

    def __setitem__(self, task_id: int, seq: int) -> None:
        self._told[task_id] = seq
        self._parts[task_id] = _varint(task_id) + _varint(seq)

    def __getitem__(self, task_id: int) -> int:
        return self._told[task_id]

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._told

    def __iter__(self) -> Iterator[int]:
        return iter(self._told)

    def get(self, task_id: int) -> int:
        """The number; 0 for a task of which nothing was told."""
        return self._told.get(task_id, 0)

    def items(self) -> list[tuple[int, int]]:
        """All of them, as they are now."""
        return list(self._told.items())

    def remove(self, task_id: int) -> None:
        """Forget a task."""
        del self._told[task_id], self._parts[task_id]

    def cursor(self) -> str:
        """The text that ``read_cursor`` reads."""
        packed = zlib.compress(b"".join(self._parts.values()), 1)
        return base64.urlsafe_b64encode(VERSION + packed).rstrip(b"=").decode()


def read_cursor(text: str) -> Positions:
    """Where a reader stands. AutotunerError(INVALID_VALUE) for what was not made by ``Positions.cursor``."""
    try:
        if len(text) > MOST_TEXT:
            raise ValueError("too long")
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if raw[:1] != VERSION:
            raise ValueError("another version")
        unpacking = zlib.decompressobj()
        packed = unpacking.decompress(raw[1:], MOST_BYTES)
        if not unpacking.eof or unpacking.unused_data:
            raise ValueError("cut off, or followed by more")
        numbers = list(_numbers(packed))
        if len(numbers) % 2:
            raise ValueError("a task without its number")
    except (ValueError, binascii.Error, zlib.error) as error:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "This is no cursor",
            why=f"it was not given by this service ({error})",
            remedy="Use the cursor of a frame as it is, or none to begin with the present",
            place="since",
        ) from error
    return Positions(zip(numbers[::2], numbers[1::2], strict=True))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def _numbers(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if number > _LARGEST:
            raise ValueError("a number too large")
        if byte < 0x80:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("cut off")

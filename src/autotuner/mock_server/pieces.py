"""Bytes on the wire in pieces that end anywhere."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable


class Pieces:
    """Writes a stream of bytes in pieces of 1 to ``most`` bytes, each in a turn of the loop of its own."""

    def __init__(self, transport: asyncio.WriteTransport, most: int, gap_s: float, rng: random.Random) -> None:
        self._transport = transport
        self._most = most
        self._gap_s = gap_s
        self._rng = rng
        self._held = bytearray()
        self._taken = 0
        """Bytes taken and written so far: places of the marks count from the beginning of the stream."""
        self._stamps: deque[tuple[int, Callable[[], None]]] = deque()
        self._finish: Callable[[], None] | None = None
        self._timer: asyncio.Handle | None = None

    def write(self, data: bytes, stamp: Callable[[], None] | None = None) -> None:
        """Write the data some time; call ``stamp`` just before the piece that holds its last byte."""
        self._held += data
        if stamp is not None:
            self._stamps.append((self._taken + len(self._held), stamp))
        if self._timer is None:
            self._write_piece()

    def finish(self, call: Callable[[], None]) -> None:
        """Call once all is written."""
        if self._held:
            self._finish = call
        else:
            call()

    def cancel(self) -> None:
        """Write nothing more and call nothing."""
        self._held.clear()
        self._stamps.clear()
        self._finish = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write_piece(self) -> None:
        self._timer = None
        size = min(self._rng.randint(1, self._most), len(self._held))
        piece = bytes(self._held[:size])
        del self._held[:size]
        self._taken += size
        while self._stamps and self._stamps[0][0] <= self._taken:
            self._stamps.popleft()[1]()
        self._transport.write(piece)
        if self._held:
            loop = asyncio.get_running_loop()
            again = self._write_piece
            self._timer = loop.call_later(self._gap_s, again) if self._gap_s else loop.call_soon(again)
        elif self._finish is not None:
            finish, self._finish = self._finish, None
            finish()

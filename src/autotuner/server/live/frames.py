"""What clients are sent. Each frame and its wire forms are made once, whatever the number of those who get it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from autotuner.contracts.store import Event
from autotuner.services.report.json_export import finite

HEARTBEAT = "heartbeat"
RESYNC = "resync"
WINDOW_BITS = 12
"""Of the compression, as a power of two; more would gain nothing for such texts."""
_TEXT, _COMPRESSED = 0x81, 0xC1
_SMALL, _MIDDLE = 125, 65535


class Frame:
    """A JSON text. ``place``: where its reader stands after it, a seq or a cursor, the ``id`` of SSE; empty: as before.

    ``kind`` is its type. A heartbeat is a comment where the form has some.
    """

    def __init__(self, kind: str, text: str, place: str = "") -> None:
        self.kind = kind
        self.text = text
        self.place = place

    @cached_property
    def plain(self) -> bytes:
        """A WebSocket frame as a server sends it, not compressed."""
        return _websocket(_TEXT, self.text.encode())

    @cached_property
    def deflated(self) -> bytes:
        """A WebSocket frame compressed by itself (RFC 7692): every client that takes compressed frames can read it,
        whatever it was sent before. Not compressed where that would not make it shorter.
        """
        text = self.text.encode()
        packing = zlib.compressobj(6, zlib.DEFLATED, -WINDOW_BITS, memLevel=5)
        packed = packing.compress(text) + packing.flush(zlib.Z_SYNC_FLUSH)
        packed = packed.removesuffix(b"\x00\x00\xff\xff")
        return _websocket(_COMPRESSED, packed) if len(packed) < len(text) else self.plain

    @cached_property
    def sse(self) -> bytes:
        """The frame in a stream of server-sent events."""
        place = f"id: {self.place}\n" if self.place else ""
        if self.kind == HEARTBEAT:  # the id counts without data, and nothing is dispatched
            return f": {self.text}\n{place}\n".encode()
        return f"{place}data: {self.text}\n\n".encode()


class Notice:
    """A notice outside the log. It is worded when it is sent, since it carries the seq of the last event before it.

    ``key``: of two that wait and have the same one, the later one is enough.
    """

    def __init__(
        self,
        kind: str,
        task_id: int,
        data: Mapping[str, Any],
        *,
        experiment_id: int | None = None,
        now: datetime | None = None,
    ) -> None:
        self.kind = kind
        self.task_id = task_id
        self.experiment_id = experiment_id
        self.key = (kind, task_id, experiment_id)
        self._data = data
        self._timestamp = now or datetime.now(UTC)
        self._worded: tuple[int, str | None, Frame] | None = None

    def frame(self, seq: int, cursor: Callable[[], str] | None = None) -> Frame:
        """The frame after the event ``seq``; ``cursor``: for the stream over all tasks."""
        place = None if cursor is None else cursor()
        if self._worded is None or self._worded[:2] != (seq, place):
            text = _event_text(
                seq, self.kind, self.task_id, self.experiment_id, self._timestamp, message=None, data=self._data
            )
            frame = Frame(self.kind, text, str(seq)) if place is None else with_cursor(Frame(self.kind, text), place)
            self._worded = (seq, place, frame)
        return self._worded[2]


def event_frame(event: Event) -> Frame:
    """The frame of a stored event: {seq, type, task_id, experiment_id?, timestamp, message?, data?}."""
    text = _event_text(
        event.seq,
        event.type.value,
        event.task_id,
        event.experiment_id,
        event.timestamp,
        message=event.message,
        data=event.data,
    )
    return Frame(event.type.value, text, str(event.seq))


def with_cursor(frame: Frame, cursor: str) -> Frame:
    """The same frame for the stream over all tasks."""
    return Frame(frame.kind, f'{frame.text[:-1]}, "cursor": "{cursor}"}}', cursor)


def resync_frame(
    reason: str, *, task_id: int | None = None, seq: int | None = None, cursor: str | None = None
) -> Frame:
    """Events were left out: the state is to be read by REST, and what follows comes after it.

    ``task_id`` and ``seq``: of one task, up to that event. Neither: of any task, on the stream over all of them.
    """
    parts = {"seq": seq, "type": RESYNC, "task_id": task_id, "timestamp": _now(), "reason": reason, "cursor": cursor}
    return Frame(RESYNC, _json(parts), cursor or str(seq))


def heartbeat_frame(*, task_id: int | None = None, seq: int | None = None, cursor: str | None = None) -> Frame:
    """The connection lives, and this is the last event that there is."""
    parts = {"seq": seq, "type": HEARTBEAT, "task_id": task_id, "timestamp": _now(), "cursor": cursor}
    return Frame(HEARTBEAT, _json(parts), cursor or str(seq))


def reply_frame(kind: str, *, message: str | None = None, code: str | None = None) -> Frame:
    """An answer to what one client said: pong, or error."""
    data = None if code is None else {"code": code}
    return Frame(kind, _json({"type": kind, "timestamp": _now(), "message": message, "data": data}))


def _event_text(
    seq: int,
    kind: str,
    task_id: int,
    experiment_id: int | None,
    timestamp: datetime,
    *,
    message: str | None,
    data: Mapping[str, Any],
) -> str:
    return _json(
        {
            "seq": seq,
            "type": kind,
            "task_id": task_id,
            "experiment_id": experiment_id,
            "timestamp": _time(timestamp),
            "message": message,
            "data": data or None,
        }
    )


def _json(parts: Mapping[str, Any]) -> str:
    """One line of JSON; what is None is left out, and what JSON has no number for is null."""
    said = {name: part for name, part in parts.items() if part is not None}
    try:
        return json.dumps(said, allow_nan=False)
    except ValueError:
        return json.dumps(finite(said), allow_nan=False)


def _now() -> str:
    return _time(datetime.now(UTC))


def _time(timestamp: datetime) -> str:
    return timestamp.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _websocket(first: int, payload: bytes) -> bytes:
    """A whole frame of RFC 6455, not masked."""
    size = len(payload)
    if size <= _SMALL:
        return bytes((first, size)) + payload
    if size <= _MIDDLE:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload

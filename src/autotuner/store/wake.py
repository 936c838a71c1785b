"""Wake-ups: a process that has appended events tells those that wait for some, on the same database.

PostgreSQL: NOTIFY. SQLite: datagrams to the sockets of the listeners, in a folder beside the file. A wake-up says only
that it is worth a look; the event table is the truth. Whoever listens looks by itself once a second too, so a wake-up
that is lost costs time and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from autotuner.contracts.errors import AutotunerError
from autotuner.store.location import Location

POLL_S = 1.0
"""How often a listener looks without having been woken, seconds."""
RECONNECT_S = 1.0
CHANNEL = "autotuner_events"
MOST_PAIRS = 100
"""A wake-up that would name more tasks names none: all of them are to be looked at."""
MOST_BYTES = 4096
SUN_PATH_BYTES = 100
"""A socket's address holds some bytes more, and not equally many everywhere."""
_APPENDED = "appended"
_NAME_BYTES = 8
_ANY_SEQ = 10**18 - 1


def note_appended(session: Session, task_id: int, seq: int) -> None:
    """Remember in the unit of work that it appended an event."""
    session.info.setdefault(_APPENDED, {})[task_id] = seq


def appended(info: Mapping[Any, Any]) -> dict[int, int]:
    """What a unit of work appended, by its session's ``info``: task → greatest seq."""
    return dict(info.get(_APPENDED, {}))


def notify(session: Session) -> None:
    """PostgreSQL: wake the listeners when this transaction commits; its last statement."""
    events = appended(session.info)
    if events:
        session.execute(select(func.pg_notify(CHANNEL, _encode(events).decode())))


class Sockets:
    """SQLite: what wakes the listeners of a file. ``close`` releases its own socket."""

    def __init__(self, path: Path) -> None:
        self._folder = wake_folder(path)
        self._socket: socket.socket | None = None

    def wake(self, events: Mapping[int, int]) -> None:
        """Tell every listener, without waiting and without ever failing. Sockets whose owner is dead are removed."""
        if not events:
            return
        with suppress(OSError), _short(self._folder) as folder, os.scandir(folder) as found:
            payload = _encode(events)
            for entry in found:
                self._send(entry.path, payload)

    def close(self) -> None:
        """Release the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, address: str, payload: bytes) -> None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        try:
            self._socket.sendto(payload, address)
        except ConnectionRefusedError:
            with suppress(OSError):
                os.unlink(address)  # noqa: PTH108  # names are never used twice, so it is nobody else's
        except OSError:
            return  # its buffer is full: it has enough to wake it


class Wakes:
    """An endless iterator over wake-ups: task → greatest seq that was told. Empty: look at everything."""

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._told: dict[int, int] = {}
        self._everything = True
        self._came = asyncio.Event()
        self._due = float("-inf")
        self._late = False

    def tell(self, payload: bytes) -> None:
        """A wake-up came."""
        told = _decode(payload)
        if not told:
            self._everything = True
        for task_id, seq in told.items():
            self._told[task_id] = max(seq, self._told.get(task_id, 0))
        self._came.set()

    def ask(self, task_id: int | None = None) -> None:
        """Have a task, or everything, looked at soon, as if something were known to have been appended."""
        self.tell(b"*" if task_id is None else _encode({task_id: _ANY_SEQ}))

    def __aiter__(self) -> Wakes:
        return self

    async def __anext__(self) -> dict[int, int]:
        clock = asyncio.get_running_loop().time
        if clock() < self._due:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._came.wait()
        self._came.clear()
        told, self._told = self._told, {}
        due = clock() >= self._due
        if self._everything or (due and (self._late or not told)):
            # However often it is woken: of a full buffer it is not told which wake-ups did not fit.
            self._everything, self._late, self._due = False, False, clock() + self._poll_s
            return {}
        self._late = due  # what is known to have come does not wait until everything was looked at; that is next
        return told


@asynccontextmanager
async def listening(location: Location, *, poll_s: float = POLL_S) -> AsyncIterator[Wakes]:
    """Listen for events of a store. The first wake-up comes at once, others at least every ``poll_s`` seconds.

    Where nothing can be listened to (a folder that cannot be written, a server that is away) it is a clock.
    """
    wakes = Wakes(poll_s)
    if location.path is None:
        pump = asyncio.create_task(_hear_postgres(location, wakes))
        try:
            yield wakes
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
    else:
        with _heard(location.path, wakes.tell):
            yield wakes


def wake_folder(path: Path) -> Path:
    """The folder with the sockets of those who listen to a SQLite file."""
    whole = path.resolve()
    return whole.with_name(f"{whole.name}.wake")


def _encode(events: Mapping[int, int]) -> bytes:
    if len(events) > MOST_PAIRS:
        return b"*"
    return " ".join(f"{task_id}:{seq}" for task_id, seq in events.items()).encode()


def _decode(payload: bytes) -> dict[int, int]:
    pairs = re.findall(rb"(\d{1,18}):(\d{1,18})", payload)
    return {int(task_id): int(seq) for task_id, seq in pairs}


@contextmanager
def _heard(path: Path, tell: Callable[[bytes], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    opened = _bound(wake_folder(path))
    if opened is None:
        yield
        return
    ear, address = opened

    def read() -> None:
        with suppress(OSError):
            while True:
                tell(ear.recv(MOST_BYTES))

    try:
        loop.add_reader(ear.fileno(), read)
        yield
    finally:
        loop.remove_reader(ear.fileno())
        ear.close()
        with suppress(OSError):
            address.unlink()


def _bound(folder: Path) -> tuple[socket.socket, Path] | None:
    """A new socket in the folder; None if it cannot be."""
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        ear.setblocking(False)
        folder.mkdir(mode=0o700, exist_ok=True)
        name = secrets.token_hex(_NAME_BYTES)
        with _short(folder) as short:
            ear.bind(f"{short}/{name}")
    except OSError:
        ear.close()
        return None
    return ear, folder / name


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name of the folder that leaves room for a file's name in a socket's address. OSError if it cannot be had."""
    if len(os.fsencode(folder)) + 1 + 2 * _NAME_BYTES <= SUN_PATH_BYTES:
        yield str(folder)
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}"
    finally:
        os.close(opened)


async def _hear_postgres(location: Location, wakes: Wakes) -> None:
    """Hand over what is notified; connects anew when the connection is lost."""
    while True:
        # Whatever ails the connection: the clock goes on, and whoever reads the events says what is wrong.
        with suppress(DBAPIError, AutotunerError, OSError):
            await _hear_connection(location, wakes)
        await asyncio.sleep(RECONNECT_S)


async def _hear_connection(location: Location, wakes: Wakes) -> None:
    import psycopg  # with the extra postgres

    engine = create_async_engine(
        location.url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 10, "keepalives_idle": 20, "keepalives_interval": 10},
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"LISTEN {CHANNEL}"))
            wakes.tell(b"*")  # what was told before is not known
            driver = (await connection.get_raw_connection()).driver_connection
            if not isinstance(driver, psycopg.AsyncConnection):
                raise TypeError(f"not a connection of psycopg: {driver!r}")
            with suppress(psycopg.Error):
                async for notice in driver.notifies():
                    wakes.tell(notice.payload.encode())
    finally:
        await engine.dispose()

"""The running of one server, or of several that share a port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.server import HOST, MockServer


def run(options: MockOptions, *, port: int, log: Path | None, processes: int) -> int:
    """Serve until SIGINT or SIGTERM; 0. OSError when it cannot listen or write its log.

    Prints a line of JSON with the address once it listens, and one per process with what it did at the end.
    """
    if processes == 1:
        asyncio.run(_serve(options, port, log, lambda url: _say({"base_url": url, "pid": os.getpid()})))
        return 0
    # Bound and never listening: it keeps the port, and no connection goes to it.
    with _reserved(port) as reserved:
        port = reserved.getsockname()[1]
        life_end, life = os.pipe()
        told, tell = os.pipe()
        children = [_fork(options, port, _log(log, number), life_end, life, tell) for number in range(1, processes)]
        os.close(tell)
        os.close(life_end)
        ready = 0
        while ready < len(children) and os.read(told, 1):
            ready += 1
        os.close(told)
        try:
            if ready < len(children):
                raise OSError(0, "one of its processes could not listen")
            logs = [str(_log(log, number)) for number in range(processes)] if log else []
            address = {"pid": os.getpid(), "pids": [os.getpid(), *children], "logs": logs}
            asyncio.run(_serve(options, port, log, lambda url: _say({"base_url": url, **address}), shared=True))
        finally:
            os.close(life)
            for child in children:
                os.waitpid(child, 0)
    return 0


def _reserved(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((HOST, port))
    return made


def _log(log: Path | None, number: int) -> Path | None:
    return log.with_suffix(f".{number}{log.suffix}") if log is not None and number else log


def _fork(options: MockOptions, port: int, log: Path | None, life_end: int, life: int, tell: int) -> int:
    """Start a further process; it ends when nobody holds the writing end of ``life`` any more."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.close(life)
        asyncio.run(_serve(options, port, log, lambda url: os.write(tell, b"."), shared=True, life=life_end))
        code = 0
    except OSError as problem:
        os.write(2, f"{problem}\n".encode())
    finally:
        os._exit(code)


async def _serve(
    options: MockOptions,
    port: int,
    log: Path | None,
    listening: Callable[[str], object],
    *,
    shared: bool = False,
    life: int | None = None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    if life is not None:
        loop.add_reader(life, stop.set)
    async with MockServer(options, port=port, log=log, shared_port=shared) as server:
        listening(server.base_url)
        await stop.wait()
        summary = server.summary()
    _say({"pid": os.getpid(), **summary})


def _say(fields: dict[str, object]) -> None:
    """A line of JSON at once, to a reader that may have gone."""
    with suppress(OSError):
        os.write(1, (json.dumps(fields) + "\n").encode())

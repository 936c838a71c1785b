"""The service as a process: its port, its server, its graceful end."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import structlog
import uvicorn

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.deploy.local.processes import listener
from autotuner.server.app import create_app
from autotuner.server.live.websocket import WEBSOCKETS
from autotuner.services.settings import Settings

GRACE_S = 5
"""How long open requests may go on when the service ends, seconds."""


async def serve(settings: Settings, listening: socket.socket, on_ready: Callable[[str], None]) -> None:
    """Serve until cancelled, then let open requests end. ``on_ready`` gets the address when requests are answered.

    AutotunerError: STORE_UNAVAILABLE, STORE_SCHEMA, STORAGE, before anything is served.
    """
    address = address_of(listening)
    app = create_app(replace(settings, port=listening.getsockname()[1]))
    config = uvicorn.Config(
        app,
        lifespan="off",  # entered here, so that its errors come to the caller
        log_config=None,
        access_log=False,  # it would log whole addresses, tokens in them too; the application logs requests itself
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        **WEBSOCKETS,
    )
    async with app.router.lifespan_context(app):
        server = _Server(config, lambda: on_ready(address))
        running = asyncio.create_task(server.serve([listening]))
        with _program_kept():
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                structlog.get_logger("autotuner.service").info("the service ends")
                app.state.context.feed.end()  # streams have no end of their own, and the server waits for that
                server.should_exit = True
                await running
                raise


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The socket of the settings' host and port; closed at the end.

    AutotunerError: UNSUPPORTED for an address that is not of the loopback, CONFLICT for a port that is taken,
    INVALID_VALUE for one that cannot be had.
    """
    check_loopback(settings.host)
    try:
        family, _, _, _, place = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _no_port(settings, error) from error
    with opened:
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(place)
            opened.listen(128)
        except OSError as error:
            raise _taken(settings) if error.errno == errno.EADDRINUSE else _no_port(settings, error) from error
        yield opened


@contextmanager
def _program_kept() -> Iterator[None]:
    """Keep what is in memory now, above all the program itself, out of the collector's rounds: a round through all of
    it holds up requests and events, and finds nothing.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def check_loopback(host: str) -> None:
    """AutotunerError(UNSUPPORTED) unless the address can be reached from this host alone."""
    try:
        inside = ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"The service cannot listen on {host!r}",
            why="other hosts could reach it there, and that needs accounts, which this version does not have",
            remedy="Listen on 127.0.0.1 and come through ssh: ssh -L 8000:127.0.0.1:8000 HOST",
            place="host",
        )


def address_of(listening: socket.socket) -> str:
    """The address of a service, without a token."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells when it serves, and leaves signals to the command line."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: whoever runs the service handles them."""
        yield


def _taken(settings: Settings) -> AutotunerError:
    pid = listener(settings.port)
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() if pid else ""
    except OSError:
        name = ""
    holder = f"process {pid} ({name})" if name else "another program"
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"The port {settings.port} is taken",
        why=f"{holder} listens on it",
        remedy="End that program, or choose another port with --port (0: any free one)",
        place=f"{settings.host}:{settings.port}",
    )


def _no_port(settings: Settings, error: OSError) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        "The service cannot listen there",
        why=error.strerror or str(error),
        remedy="Choose another --host or --port",
        place=f"{settings.host}:{settings.port}",
    )

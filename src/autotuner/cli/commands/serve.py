"""``autotuner serve`` and ``autotuner token``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.failures import DONE
from autotuner.cli.output import say, say_json
from autotuner.cli.state import State, pass_state, shared_options
from autotuner.contracts.errors import AutotunerError, ErrorCode

if TYPE_CHECKING:
    from autotuner.services.settings import Settings


@click.command(short_help="Serve the API and the page, and run queued tasks.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; loopback only (default: 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port (default: 8000; 0: any free one).")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--worker/--no-worker", default=True, help="Run queued tasks in a process beside (default: yes).")
@click.option("--new-token", is_flag=True, help="Make a new token first; the old one and open pages lose their right.")
@shared_options()
@pass_state
def serve(state: State, host: str | None, port: int | None, open_page: bool, worker: bool, new_token: bool) -> int:
    """Serve the API and the page on this host, and run queued tasks in a process beside, until Ctrl-C.

    The address that is printed holds the token: whoever has it may do everything. Settings are read from the
    environment and from autotuner.toml in the configuration folder. Ctrl-C ends the service when the running task has
    been handed over; it goes on when a worker is there again. A second Ctrl-C ends all at once.

    \b
    Examples:
      autotuner serve
      autotuner serve --port 9000 --open
      autotuner serve --database postgresql://tuner@db/tuner

    Exit codes: 0 when it was stopped, or 2 when it cannot be started: the port is taken, the database has an old
    schema, the address is not of the loopback.
    """
    from dataclasses import replace

    import uvloop

    from autotuner.cli.interruption import Interruption

    settings = state.settings()
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    _need_extra()
    Interruption(lambda: say("Ending: the running task is handed over. Ctrl-C again ends at once.", err=True)).run(
        _serve(state, settings, open_page=open_page, worker=worker, new_token=new_token), uvloop.new_event_loop
    )
    return DONE


async def _serve(state: State, settings: Settings, *, open_page: bool, worker: bool, new_token: bool) -> None:
    import asyncio
    import os
    from contextlib import AsyncExitStack

    import structlog

    from autotuner.server import serving
    from autotuner.services.access_token import AccessToken
    from autotuner.services.logs import logging_to
    from autotuner.services.secret_values import known_secrets
    from autotuner.services.settings import variable
    from autotuner.store.sql_store import open_store
    from autotuner.worker.embedded import embedded_worker

    access = AccessToken(settings)
    async with AsyncExitStack() as stack:
        socket = stack.enter_context(serving.listening(settings))
        async with open_store(settings.database, busy_timeout_s=settings.database_timeout_s):
            pass  # a store that cannot be used is refused before anything is printed
        token = await asyncio.to_thread(access.renew if new_token else access.ensure)
        log = stack.enter_context(logging_to(settings, "server", secrets=lambda: known_secrets(settings, os.environ)))

        def ready(address: str) -> None:
            page = f"{address}/?token={token}"
            if state.json:
                say_json({"address": address, "page": page, "pid": os.getpid(), "log": str(log)})
            else:
                say(f"The service answers at {page}\nIt logs to {log}")
            if open_page:
                click.launch(page)

        os.environ.pop(variable("token"), None)  # none of what the worker starts needs it
        if worker:
            await stack.enter_async_context(embedded_worker(settings, structlog.get_logger("autotuner.worker")))
        await serving.serve(settings, socket, ready)


def _need_extra() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import structlog  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            "The service needs packages that are not installed",
            why=f"the package {error.name} is missing",
            remedy="Run: pip install 'inference-autotuner[server]'",
        ) from error


@click.command(short_help="Print the token of the service.")
@click.option("--new", is_flag=True, help="Make a new one; the old one and open pages lose their right at once.")
@shared_options()
@pass_state
def token(state: State, new: bool) -> None:
    """Print the token that every call of the service needs. It is made if there is none yet.

    \b
    Examples:
      autotuner token
      autotuner token --new

    Exit codes: 0, or 2 when it cannot be read or written.
    """
    from autotuner.services.access_token import AccessToken

    access = AccessToken(state.settings())
    value = access.renew() if new else access.ensure()
    if state.json:
        say_json({"token": value})
    else:
        click.echo(value)

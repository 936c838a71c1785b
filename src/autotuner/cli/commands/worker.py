"""``autotuner worker``: runs the tasks of the queue."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Never

import click

from autotuner.cli.interruption import Interruption
from autotuner.cli.state import State, pass_state, shared_options
from autotuner.contracts.errors import AutotunerError, ErrorCode

if TYPE_CHECKING:
    from autotuner.services.settings import Settings


@click.command(short_help="Run the tasks that are queued.")
@click.option("--name", metavar="TEXT", help="Name among the workers; default: host name and process number.")
@click.option("--owner-fd", type=int, hidden=True)
@shared_options(machine=False)
@pass_state
def worker(state: State, name: str | None, owner_fd: int | None) -> None:
    """Take tasks out of the queue and run them, one at a time, until it is stopped.

    A task is queued by `POST /api/tasks/ID/start`. The greatest priority comes first, then who has waited longest.
    Several workers share a queue: start one per host that is to measure, with the same database. A task whose worker
    died is taken over by another one and goes on from what is stored. A task that `autotuner run` runs is left to it.

    SIGTERM or Ctrl-C hands the running task over: its server is ended, and it goes on with the next worker. A second
    Ctrl-C kills. What happens is logged to logs/worker.log in the data folder, and here.

    \b
    Examples:
      autotuner worker
      autotuner worker --database postgresql://tuner@db.example/autotuner

    Exit codes: 0 stopped, 2 when the database cannot be used at the start or has an old schema.
    """
    settings = state.settings()
    try:
        import structlog  # noqa: F401
    except ModuleNotFoundError as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            "A worker needs packages that are not installed",
            why=f"the package {error.name} is missing",
            remedy="Run: pip install 'inference-autotuner[server]'",
        ) from error
    from autotuner.services.logs import logging_to
    from autotuner.services.secret_values import known_secrets

    secrets = partial(known_secrets, settings, os.environ)
    with logging_to(settings, "worker", secrets=secrets, console=owner_fd is None):
        _work(settings, name, owner_fd)


def _work(settings: Settings, name: str | None, owner_fd: int | None) -> None:
    import structlog

    from autotuner.store.location import parse_location
    from autotuner.store.sql_store import open_store
    from autotuner.store.wake import listening
    from autotuner.worker.embedded import with_owner
    from autotuner.worker.presence import this_process
    from autotuner.worker.work import Worker

    log = structlog.get_logger("autotuner.worker")
    workers: list[Worker] = []

    async def work() -> Never:
        async with (
            open_store(settings.database, busy_timeout_s=settings.database_timeout_s) as store,
            listening(parse_location(settings.database)) as wakes,
        ):
            workers.append(Worker(store, settings, this_process(name), log, wake=wakes.__anext__))
            with with_owner(owner_fd):
                await workers[0].run()

    def stopping() -> None:
        for one in workers:
            one.stopping()

    Interruption(stopping).run(work())
    log.info("stopped")

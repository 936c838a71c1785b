"""The ``BenchmarkClient`` named builtin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from autotuner.benchmark.builtin.process import WorkerProcess
from autotuner.benchmark.builtin.wire import Cancel, Done, Measure, Progress, Result
from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass
from autotuner.contracts.client import ClientError, OnProgress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import Measurement

CANCEL_S = 5.0

VERSION = version("inference-autotuner")

OPTIONS = ("prompt_token_ids", "server_pid")
"""Keys of ``AttemptJob.options`` that this client reads: [low, high) of the token ids that prompts may be made of;
the root of the server's process tree."""


class BuiltinClient:
    """Measures from a process of its own, which is started before it is needed."""

    @property
    def name(self) -> str:
        """Registered name."""
        return "builtin"

    @asynccontextmanager
    async def open(self, cores: tuple[int, ...] | None) -> AsyncGenerator[BuiltinSession]:
        """Start the worker, pinned to ``cores``; it is gone when the context has ended."""
        session = BuiltinSession(cores, await WorkerProcess.start(cores))
        try:
            yield session
        finally:
            await session.close()


class BuiltinSession:
    """An open client. A worker that died is replaced at the next ``measure``."""

    def __init__(self, cores: tuple[int, ...] | None, worker: WorkerProcess) -> None:
        self._cores = cores
        self._worker = worker
        self._number = 0
        self._busy = False

    @property
    def worker_pid(self) -> int:
        """Process id of the worker."""
        return self._worker.pid

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncIterator[Measurement]:
        """See ``contracts.client.ClientSession.measure``. One at a time: ClientError while another one runs."""
        if self._busy:
            raise ClientError(
                Failure(
                    kind=FailureClass.CLIENT,
                    diagnosis="the builtin client is measuring already",
                    hint="close the running measurement first, or open a second session on other cores",
                )
            )
        self._busy = True
        try:
            self._number += 1
            order = _order(self._number, job, endpoint, artefacts)
            if not self._worker.alive:
                await self._worker.close()
                self._worker = await WorkerProcess.start(self._cores)
            over = False
            try:
                await self._worker.send(order)
                while not over:
                    report = await self._worker.receive()
                    if report.number != order.number:
                        continue
                    if isinstance(report, Progress):
                        on_progress(report.figures)
                    elif isinstance(report, Result):
                        yield report.measurement.model_copy(update={"client": "builtin", "client_version": VERSION})
                    elif isinstance(report, Done):
                        over = True
                        if report.failure is not None:
                            raise ClientError(report.failure)
            finally:
                if not over and self._worker.alive:
                    await self._cancel(order.number)
        finally:
            self._busy = False

    async def close(self) -> None:
        """End the worker."""
        await self._worker.close()

    async def _cancel(self, number: int) -> None:
        """Returns when the worker has closed all its connections, or is gone."""
        worker = self._worker
        try:
            async with asyncio.timeout(CANCEL_S):
                await worker.send(Cancel(number=number))
                while True:
                    report = await worker.receive()
                    if isinstance(report, Done) and report.number == number:
                        return
        except (TimeoutError, ClientError):
            await worker.close()


def _order(number: int, job: AttemptJob, endpoint: Endpoint, artefacts: Path) -> Measure:
    given = {name: job.options[name] for name in OPTIONS if name in job.options}
    watched = None
    if job.cores.server is not None and job.cores.client is not None:
        watched = tuple(sorted({*job.cores.server, *job.cores.client}))
    fields: dict[str, object] = {
        **given,
        "number": number,
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "api_key": endpoint.api_key,
        "path": job.server.chat_path if job.workload.api == "chat" else job.server.completions_path,
        "workload": job.workload,
        "remaining": tuple(job.remaining()),
        "done_rates": job.done_rates,
        "slo_limits": job.slo_limits,
        "artefacts": str(artefacts),
        "salt": f"{job.workload.seed}/{job.task_id}/{job.attempt_id}",
        "cores": watched,
    }
    try:
        return Measure.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        raise ClientError(
            Failure(
                kind=FailureClass.UNSUPPORTED,
                diagnosis=f"the builtin client cannot use {'.'.join(map(str, problem['loc']))}: {problem['msg']}",
                hint=f"options it knows: {', '.join(OPTIONS)}",
            )
        ) from error

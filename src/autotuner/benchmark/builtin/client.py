"""The ``BenchmarkClient`` named builtin."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from autotuner.benchmark.builtin.host import Foreign, HostWatch
from autotuner.benchmark.builtin.pool import conduct, processes_for
from autotuner.benchmark.builtin.process import WorkerProcess
from autotuner.benchmark.builtin.sweep import Sweep
from autotuner.benchmark.builtin.wire import Cancel, Done, Measure, Result
from autotuner.contracts.attempt import AttemptJob, Failure, FailureClass
from autotuner.contracts.client import ClientError, OnProgress
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.workload import LoadPoint

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
    """An open client. A worker that died is replaced at the next ``measure``; a load that needs more gets more."""

    def __init__(self, cores: tuple[int, ...] | None, worker: WorkerProcess) -> None:
        self._cores = cores
        self._workers = [worker]
        self._number = 0
        self._busy = False

    @property
    def worker_pid(self) -> int:
        """Process id of the first worker."""
        return self._workers[0].pid

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of all workers so far."""
        return tuple(worker.pid for worker in self._workers)

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
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
            if job.stop is not None:
                await asyncio.to_thread(import_module, "scipy.special")  # not in the middle of a window
            sweep = Sweep(job.workload.load_points, job.done_rates)
            for count, entries in self._parts(job, sweep):
                self._number += 1
                order = _order(self._number, job, endpoint, artefacts, entries)
                async with aclosing(self._measure(order, count, job, on_progress)) as measurements:
                    async for measurement in measurements:
                        sweep.learn(measurement)
                        yield measurement
        finally:
            self._busy = False

    def _parts(self, job: AttemptJob, sweep: Sweep) -> Iterator[tuple[int, tuple[tuple[LoadPoint, int], ...]]]:
        """The measurements in order, in pieces that so many processes take together.

        The steps of a sweep are a piece of their own: their rates are known when what is before them was measured.
        """
        wanted = job.workload.client_processes
        for _, some in groupby(job.remaining(), key=lambda entry: entry[0].sweep_step is not None):
            settled = [(sweep.at(point), repeat) for point, repeat in some]
            for count, entries in groupby(settled, key=lambda entry: processes_for(entry[0], wanted, self._cores)):
                yield count, tuple(entries)

    async def close(self) -> None:
        """End the workers."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def _measure(
        self, order: Measure, count: int, job: AttemptJob, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        workers = await self._have(count)
        ours = (os.getpid(), os.getppid(), *self.worker_pids)
        server = job.options.get("server_pid")
        watch = HostWatch(_watched(job), ours, server if isinstance(server, int) else None)
        over = False
        try:
            async with watch.running(), aclosing(conduct(workers, order, on_progress, job.stop)) as results:
                async for result in results:
                    yield _finished(result, await watch.foreign(result.opened, result.measurement.window_s))
                over = True
        finally:
            if not over:
                await asyncio.gather(*(_cancel(worker, order.number) for worker in workers if worker.alive))

    async def _have(self, count: int) -> list[WorkerProcess]:
        """So many living workers."""
        for worker in [worker for worker in self._workers if not worker.alive]:
            await worker.close()
        self._workers = [worker for worker in self._workers if worker.alive]
        while len(self._workers) < count:
            self._workers.append(await WorkerProcess.start(self._cores))
        return self._workers[:count]


async def _cancel(worker: WorkerProcess, number: int) -> None:
    """Returns when the worker has closed all its connections, or is gone."""
    try:
        async with asyncio.timeout(CANCEL_S):
            await worker.send(Cancel(number=number))
            while True:
                report = await worker.receive()
                if isinstance(report, Done) and report.number == number:
                    return
    except (TimeoutError, ClientError):
        await worker.close()


def _finished(result: Result, foreign: Foreign | None) -> Measurement:
    measurement = result.measurement.model_copy(update={"client": "builtin", "client_version": VERSION})
    if foreign is None:
        return measurement
    return measurement.model_copy(
        update={
            "foreign_cpu_share": foreign.mean,
            "foreign_cpu_peak": foreign.peak,
            "disturbed": foreign.disturbed,
            "disturbed_from_s": foreign.begun,
        }
    )


def _watched(job: AttemptJob) -> tuple[int, ...] | None:
    if job.cores.server is None or job.cores.client is None:
        return None
    return tuple(sorted({*job.cores.server, *job.cores.client}))


def _order(
    number: int, job: AttemptJob, endpoint: Endpoint, artefacts: Path, remaining: tuple[tuple[LoadPoint, int], ...]
) -> Measure:
    fields: dict[str, object] = {
        "prompt_token_ids": job.options.get("prompt_token_ids"),
        "number": number,
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "api_key": endpoint.api_key,
        "path": job.server.chat_path if job.workload.api == "chat" else job.server.completions_path,
        "workload": job.workload,
        "remaining": remaining,
        "slo_limits": job.slo_limits,
        "watched": job.stop is not None,
        "artefacts": str(artefacts),
        "salt": f"{job.workload.seed}/{job.task_id}/{job.attempt_id}",
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

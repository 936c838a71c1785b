"""One server start of a task: hand a job to the executor and store each record before the next step happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotuner.contracts.attempt import (
    AttemptJob,
    AttemptReason,
    AttemptStatus,
    Deployed,
    Ended,
    Failure,
    FailureClass,
    Measured,
    Phase,
    PhaseChanged,
    Progress,
    Ready,
)
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.store import AttemptRow, ExperimentRecord, Store
from autotuner.contracts.waiting import not_counted
from autotuner.coordinator.ledger import Ledger
from autotuner.planning.plan import Plan

OnChange = Callable[[Phase | None, LiveFigures | None], None]


@dataclass(frozen=True)
class Start:
    """How a start ended."""

    attempt: AttemptRow
    measurements: tuple[Measurement, ...]
    failure: Failure | None


class Starter:
    """Starts servers for experiments of one task."""

    def __init__(
        self,
        *,
        store: Store,
        session: ExecutorSession,
        plan: Plan,
        ledger: Ledger,
        artefacts: Path,
        host: Mapping[str, Any],
        slo_limits: Mapping[str, float],
    ) -> None:
        self._store = store
        self._session = session
        self._plan = plan
        self._ledger = ledger
        self._artefacts = artefacts
        self._host = dict(host)
        self._slo_limits = dict(slo_limits)

    async def start(
        self, experiment: ExperimentRecord, reason: AttemptReason, on_change: OnChange, *, block: int | None = None
    ) -> Start:
        """Run one attempt to its end and store all of it.

        Cancelling it ends the server first; the attempt then stays as it is until ``Store.interrupt_attempts``.
        """
        row = await self._store.start_attempt(experiment.id, reason=reason, host=self._host, block=block)
        job = self._job(experiment, row)
        await self._store.set_attempt_job(row.id, job)
        measurements: list[Measurement] = []
        ended: Ended | None = None
        seconds = self._plan.document.optimization.timeout_per_iteration
        limit = asyncio.timeout(seconds)
        try:
            async with limit, aclosing(self._session.run(job)) as records:
                async for record in records:
                    match record:
                        case PhaseChanged(phase=phase):
                            on_change(phase, None)
                        case Progress(figures=figures):
                            on_change(None, figures)
                        case Deployed(handle=handle):
                            with not_counted(limit):
                                await self._store.set_attempt_handle(row.id, handle)
                        case Ready(base_url=base_url, engine_version=version):
                            with not_counted(limit):
                                await self._store.set_attempt_ready(row.id, base_url=base_url, engine_version=version)
                        case Measured(measurement=measurement):
                            with not_counted(limit):
                                await self._store.add_measurement(row.id, measurement)
                            measurements.append(measurement)
                        case Ended():
                            ended = record
        except TimeoutError:
            if not limit.expired():
                raise
            ended = Ended(status=AttemptStatus.FAILED, failure=_over_time(seconds))
        if ended is None:
            ended = Ended(status=AttemptStatus.FAILED, failure=_LOST)
        finished = await self._store.finish_attempt(
            row.id,
            status=ended.status,
            failure=ended.failure,
            phase_seconds=ended.phase_seconds,
            peak_rss_bytes=ended.peak_rss_bytes,
        )
        self._ledger.attempts[finished.id] = finished
        self._ledger.measurements[finished.id] = measurements
        return Start(finished, tuple(measurements), ended.failure)

    def _job(self, experiment: ExperimentRecord, row: AttemptRow) -> AttemptJob:
        plan = self._plan
        resolver = plan.resolver
        folder = self._artefacts / f"experiment-{experiment.number:04d}" / f"attempt-{row.number:02d}"
        return AttemptJob(
            task_id=experiment.task_id,
            task_name=plan.task_name,
            experiment_id=experiment.id,
            experiment_number=experiment.number,
            attempt_id=row.id,
            reason=row.reason,
            deployment=plan.deployment,
            client=plan.client,
            command=None if plan.endpoint_url is not None else resolver.command(experiment.parameters),
            endpoint_url=plan.endpoint_url,
            served_name=plan.document.benchmark.model_name or resolver.served_name,
            server=plan.server,
            workload=plan.workload,
            slo_limits=self._slo_limits,
            budgets=plan.budgets,
            cores=plan.cores,
            artefact_dir=str(folder),
            options=resolver.options(experiment.parameters),
        )


def _over_time(limit: float | None) -> Failure:
    return Failure(
        kind=FailureClass.BENCHMARK_TIMEOUT,
        diagnosis=f"the start took longer than optimization.timeout_per_iteration ({limit or 0:g} s)",
        hint="raise it, or measure fewer load points or shorter windows",
    )


_LOST = Failure(
    kind=FailureClass.INFRASTRUCTURE,
    diagnosis="the executor ended without saying how the attempt ended",
    hint="try again; if it happens again, report it with the log",
)

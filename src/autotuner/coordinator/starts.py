"""One server start of a task: hand a job to the executor and store each record before the next step happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotuner.contracts.attempt import (
    Answered,
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
from autotuner.contracts.load_search import LoadLimit
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.quality import BASELINE_PASSES, Answers, JudgedAnswers, QualityProbe
from autotuner.contracts.stopping import StopRules
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentRecord, Store
from autotuner.contracts.waiting import not_counted
from autotuner.contracts.workload import Workload
from autotuner.coordinator.found_load import beginning, probes
from autotuner.coordinator.ledger import OWN, Figures, Ledger, answers_left
from autotuner.planning.plan import Plan
from autotuner.scoring.answers import calibrate, judge_answers

OnChange = Callable[[Phase | None, LiveFigures | None], None]


@dataclass(frozen=True)
class Start:
    """How a start ended. Its figures include those it inherited from starts that were cut off."""

    attempt: AttemptRow
    figures: Figures
    failure: Failure | None

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """All measurements, in the order of load points and repeats."""
        return self.figures.measurements


class Starter:
    """Starts servers for experiments of one task. ``clock`` gives monotonic seconds."""

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
        load_limits: Sequence[LoadLimit],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._session = session
        self._plan = plan
        self._ledger = ledger
        self._artefacts = artefacts
        self._host = dict(host)
        self._slo_limits = dict(slo_limits)
        self._load_limits = tuple(load_limits)
        self._clock = clock

    async def start(
        self,
        experiment: ExperimentRecord,
        reason: AttemptReason,
        on_change: OnChange,
        *,
        block: int | None = None,
        stop: StopRules | None = None,
    ) -> Start:
        """Run one attempt to its end and store all of it. What starts before it have left is not measured again.

        With ``stop`` it is measured no longer than those rules say.

        Cancelling it ends the server first; the attempt then stays as it is until ``Store.interrupt_attempts``.
        """
        row = await self._store.start_attempt(experiment.id, reason=reason, host=self._host, block=block)
        job = self._job(experiment, row, self._ledger.same_purpose(experiment, reason, block), stop)
        await self._store.set_attempt_job(row.id, job)
        ended: Ended | None = None
        entered: list[tuple[Phase, float]] = []
        seconds = self._plan.document.optimization.timeout_per_iteration
        limit = asyncio.timeout(seconds)
        try:
            async with limit, aclosing(self._session.run(job)) as records:
                async for record in records:
                    match record:
                        case PhaseChanged(phase=phase):
                            entered.append((phase, self._clock()))
                            on_change(phase, None)
                        case Progress(figures=figures):
                            on_change(None, figures)
                        case Deployed(handle=handle):
                            with not_counted(limit):
                                await self._store.set_attempt_handle(row.id, handle)
                        case Ready(base_url=base_url, engine_version=version):
                            with not_counted(limit):
                                await self._store.set_attempt_ready(row.id, base_url=base_url, engine_version=version)
                        case Answered(passes=passes):
                            answers = self._judged(experiment, passes)
                            with not_counted(limit):
                                await self._store.set_attempt_answers(row.id, answers)
                        case Measured(measurement=measurement):
                            with not_counted(limit):
                                await self._store.add_measurement(row.id, measurement)
                            self._ledger.put_measurement(row.id, measurement)
                        case Ended():
                            ended = record
        except TimeoutError:
            if not limit.expired():
                raise
            ended = self._given_up(_over_time(seconds), entered)
        if ended is None:
            ended = self._given_up(_LOST, entered)
        finished = await self._store.finish_attempt(
            row.id,
            status=ended.status,
            failure=ended.failure,
            phase_seconds=ended.phase_seconds,
            peak_rss_bytes=ended.peak_rss_bytes,
        )
        self._ledger.put_attempt(finished)
        return Start(finished, self._ledger.figures(finished), ended.failure)

    def _judged(self, experiment: ExperimentRecord, passes: Sequence[Answers]) -> JudgedAnswers:
        """What is kept of answers: whole ones of the baseline alone."""
        if experiment.origin is ExperimentOrigin.BASELINE:
            return calibrate(passes)
        return judge_answers(self._ledger.baseline_answers or JudgedAnswers(), passes[0])

    def _probe(
        self, experiment: ExperimentRecord, row: AttemptRow, before: Sequence[AttemptRow]
    ) -> QualityProbe | None:
        """What a start is asked: nothing where its configuration is judged already, or there is nothing to judge by."""
        probe = self._plan.quality
        if probe is None or row.reason not in OWN or answers_left(before) is not None:
            return None
        if experiment.origin is ExperimentOrigin.BASELINE:
            return probe.model_copy(update={"passes": BASELINE_PASSES})
        known = self._ledger.baseline_answers
        return None if known is None or known.reference is None else probe

    def _given_up(self, failure: Failure, entered: Sequence[tuple[Phase, float]]) -> Ended:
        """The end of an attempt that did not say so itself, with the time that it spent in each phase."""
        spent: dict[Phase, float] = {}
        for (phase, since), until in zip(entered, [*(when for _, when in entered[1:]), self._clock()], strict=False):
            spent[phase] = spent.get(phase, 0.0) + until - since
        return Ended(status=AttemptStatus.FAILED, failure=failure, phase_seconds=spent)

    def _job(
        self, experiment: ExperimentRecord, row: AttemptRow, before: Sequence[AttemptRow], stop: StopRules | None
    ) -> AttemptJob:
        """``before``: starts of the same purpose; of those that were cut off, what they measured is done already."""
        plan = self._plan
        resolver = plan.resolver
        left = self._ledger.left_over(before)
        workload = self._workload(experiment, row.reason)
        search = workload.load_search
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
            client_python=plan.client_python,
            command=None if plan.endpoint_url is not None else resolver.command(experiment.parameters),
            endpoint_url=plan.endpoint_url,
            served_name=plan.document.benchmark.model_name or resolver.served_name,
            server=plan.server,
            workload=workload,
            quality=self._probe(experiment, row, before),
            done=tuple(left),
            done_rates=tuple((m.load_point, m.requests_per_second) for m in left.values()),
            done_probes=() if search is None else probes(left.values(), search, self._load_limits),
            first=plan.scored_at if _probed(plan) else (),
            stop=stop if search is None else None,
            before=tuple(left.values()),
            draw_key=self._draw_key(experiment, row, before),
            slo_limits=self._slo_limits,
            load_limits=self._load_limits if search is not None else (),
            budgets=plan.budgets,
            cores=plan.cores,
            artefact_dir=str(folder),
            options=resolver.options(experiment.parameters),
        )

    def _draw_key(self, experiment: ExperimentRecord, row: AttemptRow, before: Sequence[AttemptRow]) -> str:
        """The same for a start and for the one that replaces it after it was cut off, and for no other of a task."""
        purpose = "own" if row.reason in OWN else f"{row.reason.value}-{row.block}"
        ended = sum(a.status is AttemptStatus.FAILED or self._ledger.measured(a) for a in before)
        return f"{experiment.number}/{purpose}/{ended}"

    def _workload(self, experiment: ExperimentRecord, reason: AttemptReason) -> Workload:
        workload = self._plan.workload_of(experiment.parameters)
        if workload.load_search is None:
            return workload
        search = beginning(
            workload.load_search,
            reason,
            experiment,
            [other for other in self._ledger.experiments.values() if other.number < experiment.number],
            self._plan.resolver.gpus(experiment.parameters),
        )
        return workload.model_copy(update={"load_search": search})


def _probed(plan: Plan) -> bool:
    """Whether the scored load points come first in all starts of a task, so that they are alike."""
    points = plan.workload.load_points
    searched = plan.workload.load_search is not None or any(point.sweep_step is not None for point in points)
    return plan.document.optimization.early_stop and not searched


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

"""The life of one server: start it, measure it, and end it whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from autotuner.contracts.attempt import (
    Answered,
    AttemptJob,
    AttemptRecord,
    AttemptStatus,
    Deployed,
    Ended,
    Failure,
    FailureClass,
    Handle,
    Measured,
    Phase,
    PhaseChanged,
    Progress,
    Ready,
)
from autotuner.contracts.client import ClientError, ClientSession
from autotuner.contracts.deployment import Deployment, DeploymentError, Endpoint, OnHandle
from autotuner.contracts.measurement import LiveFigures, Measurement
from autotuner.contracts.waiting import not_counted
from autotuner.quality.asking import ask_all
from autotuner.runner.probing import measurements
from autotuner.runner.stream import Sender, end, stream
from autotuner.runner.warm_up import WARMING, WarmUpLimit
from autotuner.scoring.pruning import Ahead, ahead
from autotuner.telemetry.watch import ServerWatch, watching

LIVENESS_S = 0.25
"""How often a server is looked at while it is measured, seconds."""

_WHEN = {
    Phase.DEPLOY: "while it was being started",
    Phase.LOAD: "before it answered",
    Phase.QUALITY: "while its answers were taken",
    Phase.WARM_UP: "while it was warmed up",
    Phase.MEASURE: "while it was measured",
    Phase.TEARDOWN: "while it was stopped",
}


def run_attempt(
    job: AttemptJob, deployment: Deployment, client: ClientSession, *, clock: Callable[[], float] = time.monotonic
) -> AsyncGenerator[AttemptRecord, None]:
    """Stream the records of one attempt; the last is ``Ended``, and the server is gone before it is sent.

    Closing the iterator or cancelling its reader tears the server down first. ``clock`` gives seconds.
    """
    return stream(_Attempt(job, deployment, client, clock).run)


class _Attempt:
    """State of one attempt."""

    def __init__(
        self, job: AttemptJob, deployment: Deployment, client: ClientSession, clock: Callable[[], float]
    ) -> None:
        self._job = job
        self._deployment = deployment
        self._client = client
        self._clock = clock
        self._phases = PhaseTimer(clock)
        self._peak_rss: int | None = None
        self._pruned = False
        self._at = Phase.DEPLOY

    async def run(self, sender: Sender) -> None:
        """Go through all phases."""
        failure: Failure | None
        try:
            failure = await self._serve(sender)
        except DeploymentError as error:
            failure = self._of_the_server(error.failure)
        except ClientError as error:
            failure = error.failure
        except OSError as error:
            failure = Failure(
                kind=FailureClass.INFRASTRUCTURE,
                diagnosis=f"the host refused a step of the attempt: {error}",
                hint="look at the disk, the permissions and the limits of this host",
            )
        self._phases.stop()
        await sender.send(
            Ended(
                status=self._status(failure),
                failure=None if failure is None else failure.model_copy(update={"phase": self._at}),
                phase_seconds=self._phases.seconds,
                peak_rss_bytes=self._peak_rss,
            )
        )

    def _status(self, failure: Failure | None) -> AttemptStatus:
        if failure is not None:
            return AttemptStatus.FAILED
        return AttemptStatus.PRUNED if self._pruned else AttemptStatus.SUCCESS

    async def _serve(self, sender: Sender) -> Failure | None:
        """Start, measure and stop the server; the reason if there are no usable figures."""
        handle: Handle | None = None

        async def on_handle(made: Handle) -> None:
            # Kept first: if the deployment is cancelled before it returns, there is a server to stop already.
            nonlocal handle
            handle = made
            await sender.send(Deployed(handle=made))

        try:
            await asyncio.to_thread(Path(self._job.artefact_dir).mkdir, parents=True, exist_ok=True)
            await self._enter(Phase.DEPLOY, sender)
            budget = self._job.budgets.start_s
            begun = self._clock()
            handle = await self._start(on_handle, budget)
            await self._enter(Phase.LOAD, sender)
            left = max(0.0, budget - (self._clock() - begun))
            endpoint = await self._deployment.wait_ready(handle, left)
            await sender.send(Ready(base_url=endpoint.base_url, engine_version=endpoint.engine_version))
            await self._take_answers(handle, endpoint, sender)
            await self._enter(Phase.MEASURE, sender)
            return await self._measure(handle, endpoint, sender)
        finally:
            if handle is not None:
                self._phases.enter(Phase.TEARDOWN)
                sender.notify(PhaseChanged(phase=Phase.TEARDOWN))
                before, self._at = self._at, Phase.TEARDOWN
                await self._deployment.stop(handle, self._job.budgets.stop_s)
                self._at = before

    async def _take_answers(self, handle: Handle, endpoint: Endpoint, sender: Sender) -> None:
        """Ask the quality guard's prompts, if the job has them, while watching the server."""
        probe = self._job.quality
        if probe is None:
            return
        await self._enter(Phase.QUALITY, sender)
        timeout_s = self._job.workload.limits.request_timeout_s
        asking = asyncio.create_task(ask_all(endpoint, self._job.server, probe, request_timeout_s=timeout_s))
        watching = asyncio.create_task(self._watch(handle))
        try:
            await asyncio.wait({asking, watching}, return_when=asyncio.FIRST_COMPLETED)
            dead = await self._deployment.failure(handle)
            if dead is not None:
                raise DeploymentError(dead)
            await sender.send(Answered(passes=await asking))
        finally:
            await end(asking, watching)

    async def _start(self, on_handle: OnHandle, budget: float) -> Handle:
        """Deploy within the budget for the start, which a deployment's ``start`` does not know."""
        limit = asyncio.timeout(budget)

        async def hand_over(handle: Handle) -> None:
            with not_counted(limit):  # the reader may have to wait until it can store it
                await on_handle(handle)

        try:
            async with limit:
                return await self._deployment.start(self._job, hand_over)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeploymentError(
                Failure(
                    kind=FailureClass.START_TIMEOUT,
                    diagnosis=f"the server was not deployed within the budget for its start of {budget:g} s",
                    hint="raise optimization.phase_budgets.start",
                )
            ) from None

    async def _enter(self, phase: Phase, sender: Sender) -> None:
        self._at = phase
        self._phases.enter(phase)
        await sender.send(PhaseChanged(phase=phase))

    async def _measure(self, handle: Handle, endpoint: Endpoint, sender: Sender) -> Failure | None:
        """Measure all load points while watching the server; the reason if there are no usable figures."""
        budget = self._job.budgets.measure_s
        warm_up = WarmUpLimit(self._job.budgets.warm_up_s)
        limit = asyncio.timeout(budget)
        measuring = asyncio.create_task(self._load_points(handle, endpoint, sender, warm_up, limit))
        watching = asyncio.create_task(self._watch(handle))
        overdue = asyncio.create_task(warm_up.overdue())
        done: set[asyncio.Task[Failure | None]] = set()
        try:
            try:
                async with limit:
                    done, _ = await asyncio.wait({measuring, watching, overdue}, return_when=asyncio.FIRST_COMPLETED)
            except TimeoutError:
                if not limit.expired():
                    raise
            if done:
                # A dead server explains what the client saw better than the client does, and figures of a server that
                # did not live through its load are not to be trusted.
                dead = await self._deployment.failure(handle)
                if dead is not None:
                    return self._of_the_server(dead)
                if measuring in done:
                    return measuring.result()
                if watching in done:
                    return self._of_the_server(watching.result())
                failure = overdue.result()
            else:
                failure = Failure(
                    kind=FailureClass.BENCHMARK_TIMEOUT,
                    diagnosis=f"the measurement was not finished within its budget of {budget:g} s",
                    hint="raise optimization.phase_budgets.measure, or measure fewer load points or shorter windows",
                )
            return failure.model_copy(update={"log_tail": await self._deployment.log_tail(handle)})
        finally:
            await end(measuring, watching, overdue)

    def _of_the_server(self, failure: Failure) -> Failure:
        """The failure, which says when the server died."""
        if failure.kind not in (FailureClass.CRASH, FailureClass.OOM):
            return failure
        return failure.model_copy(update={"diagnosis": f"{_WHEN[self._at]}: {failure.diagnosis}"})

    async def _load_points(
        self, handle: Handle, endpoint: Endpoint, sender: Sender, warm_up: WarmUpLimit, limit: asyncio.Timeout
    ) -> Failure | None:
        # A server that has a process is one of this host.
        async with watching(endpoint, self._job, here=handle.fields.get("pid") is not None) as watch:
            return await self._watched_load_points(handle, endpoint, sender, warm_up, limit, watch)

    async def _watched_load_points(
        self,
        handle: Handle,
        endpoint: Endpoint,
        sender: Sender,
        warm_up: WarmUpLimit,
        limit: asyncio.Timeout,
        watch: ServerWatch,
    ) -> Failure | None:
        artefacts = Path(self._job.artefact_dir)
        pid = handle.fields.get("pid")
        job = (
            self._job
            if pid is None
            else self._job.model_copy(update={"options": {**self._job.options, "server_pid": pid}})
        )

        def on_progress(figures: LiveFigures) -> None:
            warm_up.saw(figures)
            watch.saw(figures)
            self._at = Phase.WARM_UP if figures.phase == WARMING else Phase.MEASURE
            sender.notify(Progress(figures=figures))

        measured = list(job.before)
        plan = ahead(job, measured)
        searching = job.workload.load_search is not None
        while searching or plan.left:
            shorter = job if searching else _without(job, plan)
            measuring = measurements(self._client, shorter, endpoint, artefacts, on_progress)
            async with aclosing(measuring) as finished:
                async for measurement in finished:
                    warm_up.over()
                    self._at = Phase.MEASURE
                    self._phases.shift(Phase.WARM_UP, measurement.warmup_s)
                    measurement = await watch.completed(measurement)
                    with not_counted(limit):
                        await sender.send(Measured(measurement=measurement))
                    if measurement.completed_requests == 0 and not _is_too_much(measurement, job):
                        return _nothing_succeeded(measurement)
                    if searching:
                        continue
                    measured.append(measurement)
                    planned, plan = plan, ahead(job, measured)
                    place = (measurement.load_point, measurement.repeat)
                    if plan.left != tuple(one for one in planned.left if one != place):
                        break  # some of it need not be measured any more
                else:
                    break
        self._pruned = not searching and plan.pruned is not None
        return None

    async def _watch(self, handle: Handle) -> Failure:
        """Returns why the server died, as soon as it has; keeps the peak of its memory."""
        while True:
            failure = await self._deployment.failure(handle)
            if failure is not None:
                return failure
            stats = await self._deployment.stats(handle)
            if stats.rss_bytes is not None:
                self._peak_rss = max(self._peak_rss or 0, stats.rss_bytes)
            await asyncio.sleep(LIVENESS_S)


def _without(job: AttemptJob, plan: Ahead) -> AttemptJob:
    """The job of what is left."""
    left = set(plan.left)
    over = [(p.name, r) for p, r in job.remaining() if (p.name, r) not in left]
    return job.model_copy(update={"done": (*job.done, *over)}) if over else job


class PhaseTimer:
    """Seconds spent in each phase."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._phase: Phase | None = None
        self._since = 0.0
        self.seconds: dict[Phase, float] = {}

    def enter(self, phase: Phase) -> None:
        """End the current phase and begin another."""
        self.stop()
        self._phase, self._since = phase, self._clock()

    def stop(self) -> None:
        """End the current phase."""
        if self._phase is not None:
            self._add(self._phase, self._clock() - self._since)
            self._phase = None

    def shift(self, phase: Phase, seconds: float) -> None:
        """Count part of the current phase as another one."""
        if self._phase is not None:
            self._add(phase, seconds)
            self._add(self._phase, -seconds)

    def _add(self, phase: Phase, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


def _nothing_succeeded(measurement: Measurement) -> Failure:
    texts = measurement.error_texts
    codes = ", ".join(
        f"{count} × {code}" + (f": {texts[code]}" if code in texts else "")
        for code, count in sorted(measurement.error_codes.items())
    )
    # A server that takes requests and never answers hangs, which is no matter of the network.
    hangs = set(measurement.error_codes) <= {"timeout"}
    return Failure(
        kind=FailureClass.BENCHMARK_TIMEOUT if hangs else FailureClass.UNREACHABLE,
        diagnosis=f"no request succeeded at {measurement.load_point} ({codes or 'none was answered in time'})",
        hint="look at the server's log; raise benchmark.request_timeout, or lower the load"
        if hangs
        else "look at the server's log; try the same request by hand, or lower the load",
    )


def _is_too_much(measurement: Measurement, job: AttemptJob) -> bool:
    """Whether no success only says that a searched load was too high: a lower one can be measured."""
    search = job.workload.load_search
    load = measurement.concurrency if measurement.concurrency is not None else measurement.request_rate
    return search is not None and load is not None and load > search.lowest

"""Starts the winner of a finished task again and measures it with the task's own client and with another one."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import replace

from autotuner.benchmark.registry import CLIENTS
from autotuner.config.load import validate
from autotuner.contracts.attempt import AttemptReason, Phase
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import Executor
from autotuner.contracts.measurement import LiveFigures
from autotuner.contracts.progress import Observer
from autotuner.contracts.result import ExperimentSummary, TaskResult, Verification
from autotuner.contracts.store import Store, TaskRecord
from autotuner.coordinator.found_load import at_found_load
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.starts import Starter
from autotuner.coordinator.verifications import next_round, with_verifications
from autotuner.planning.plan import Plan
from autotuner.services.clients import check_client, with_client
from autotuner.services.host import describe_host, off_cores
from autotuner.services.left_behind import end_left_behind
from autotuner.services.planning import check_ready, plan_document
from autotuner.services.plugins import EXECUTORS, InstalledPlugins
from autotuner.services.queries import ENDED, named_task, task_result
from autotuner.services.settings import Settings
from autotuner.services.task_identity import check_same, identity_here
from autotuner.services.task_lock import Hold, is_taken, taken
from autotuner.services.tasks import open_executor, patient
from autotuner.services.writing import check_folder
from autotuner.store.sql_store import SqlStore, open_store
from autotuner.store.units import Guarded


async def verify_task(
    name: str, settings: Settings, observer: Observer, *, client: str, window_s: float | None = None
) -> tuple[TaskResult, Verification]:
    """The result of the task with its verifications, and the one that was made now.

    Two servers are started one after the other, for the reason ``verify``. ``window_s``: another window than the
    task's, for both. AutotunerError before anything is started: NOT_FOUND, TASK_BUSY, CONFLICT for a task that has not
    ended, NO_RESULT without a winner, UNSUPPORTED for predictions and for a load that a client cannot produce,
    MISSING_EXTRA for a client that is not installed, TASK_CHANGED on another machine; afterwards NO_RESULT when a start
    failed, which is stored. CancelledError (Ctrl-C) leaves no server and no verification.
    """
    executor = EXECUTORS.load(settings.executor)()
    async with open_store(settings.database, create=False, busy_timeout_s=settings.database_timeout_s) as store:
        task = await named_task(store, name)
        await _check_ended(settings, task)
        result = await task_result(store, task, settings)
        winner = _winner(result)
        plans = await asyncio.to_thread(_plans, task, winner, client, settings, window_s)
        await asyncio.to_thread(check_client, plans[1])
        version = await asyncio.to_thread(check_ready, plans[0])
        check_same(task, identity_here(plans[0], version))
        host = describe_host()  # before this process leaves the server's cores
        async with taken(settings, task) as hold:
            with ExitStack() as stack:
                stack.enter_context(off_cores(plans[0].cores.server))
                await asyncio.to_thread(check_folder, settings.folder_of(task))
                await end_left_behind(store, settings, task, observer)
                await store.interrupt_attempts(task.id)
                verifying = _Verifying(store, settings, observer, task, winner, hold, host)
                try:
                    await verifying.run(executor, plans)
                finally:
                    await asyncio.shield(store.interrupt_attempts(task.id))
        result = await with_verifications(result, store)
    made = result.verifications[-1]
    if made.failure is not None:
        raise AutotunerError(
            ErrorCode.NO_RESULT,
            f"the winner of the task {task.name!r} could not be verified with {made.client}",
            why=made.failure,
            remedy=f"`autotuner logs {task.name} --experiment {winner.number}` shows the server's log; the client's is "
            "among the artefacts",
            place=task.name,
        )
    return result, made


class _Verifying:
    """One round: a server start for each plan, stored as the starts of the confirmation are."""

    def __init__(
        self,
        store: SqlStore,
        settings: Settings,
        observer: Observer,
        task: TaskRecord,
        winner: ExperimentSummary,
        hold: Hold,
        host: dict[str, object],
    ) -> None:
        self._plain = store
        guarded = store.through(lambda units: Guarded(units, hold))
        self._store: Store = guarded.through(lambda units: patient(units, settings, observer))
        self._settings = settings
        self._observer = observer
        self._task = task
        self._winner = winner
        self._host = host

    async def run(self, executor: Executor, plans: tuple[Plan, Plan]) -> None:
        ledger = await Ledger.read(self._store, self._task.id)
        experiment = ledger.experiments[self._winner.number]
        number = next_round(ledger.attempts_of(experiment))
        for plan in plans:
            self._observer.on_message(f"Starting the winner, #{experiment.number}, for the client {plan.client}.")
            async with open_executor(executor, plan) as session:
                scorer = Scorer.of(plan)
                starter = Starter(
                    store=self._store,
                    session=session,
                    plan=plan,
                    ledger=ledger,
                    artefacts=self._settings.folder_of(self._task),
                    host=self._host,
                    slo_limits=scorer.request_limits,
                    load_limits=scorer.load_limits,
                    clock=time.monotonic,
                )
                start = await starter.start(experiment, AttemptReason.VERIFY, self._moved(plan), block=number)
            if start.failure is not None:
                self._observer.on_message(f"It failed: {start.failure.diagnosis}.")

    def _moved(self, plan: Plan) -> _Told:
        return _Told(self._observer, plan)


class _Told:
    """Tells an observer the phases of a start."""

    def __init__(self, observer: Observer, plan: Plan) -> None:
        self._observer = observer
        self._plan = plan

    def __call__(self, phase: Phase | None, live: LiveFigures | None) -> None:
        if phase is Phase.MEASURE:
            points = ", ".join(point.name for point in self._plan.workload.load_points)
            self._observer.on_message(f"It answers; {self._plan.client} measures {points}.")


async def _check_ended(settings: Settings, task: TaskRecord) -> None:
    if await is_taken(settings, task.id):
        raise AutotunerError(
            ErrorCode.TASK_BUSY,
            f"the task {task.name!r} is being run by another process",
            why="its winner is known when it has ended",
            remedy=f"Wait for it: `autotuner attach {task.name}` shows it",
            place=task.name,
        )
    if task.status not in ENDED:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"the task {task.name!r} has not ended",
            why=f"it is {task.status.value}, and no process runs it",
            remedy=f"`autotuner task start {task.name}` goes on with it",
            place=task.name,
        )


def _winner(result: TaskResult) -> ExperimentSummary:
    if result.predicted:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"the task {result.task_name!r} cannot be verified",
            why="its figures are predictions: there is no server to be measured",
            remedy="Run a task with a real engine",
            place=result.task_name,
        )
    if result.winner is None:
        raise AutotunerError(
            ErrorCode.NO_RESULT,
            f"the task {result.task_name!r} has no winner to be verified",
            why=result.headline,
            remedy=f"`autotuner results {result.task_name}` shows what was measured",
            place=result.task_name,
        )
    return result.winner


def _plans(
    task: TaskRecord, winner: ExperimentSummary, client: str, settings: Settings, window_s: float | None
) -> tuple[Plan, Plan]:
    """The task's plan at the load that is scored, with its own client and with the other one."""
    document = validate(task.document, name=task.name).model_copy(update={"task_name": task.name})
    plan = plan_document(document, settings)
    name = CLIENTS.resolve(client)
    if name == plan.client:
        others = ", ".join(other for other in CLIENTS.names() if other != name)
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            f"the task {task.name!r} was measured with {name} itself",
            why="two clients can be compared only when they differ",
            remedy=f"Name another one: --client with one of {others}",
            place="--client",
        )
    if plan.workload.load_search is not None:
        plan = at_found_load(plan, winner.metrics)
    points = tuple(point for point in plan.workload.load_points if point.name in plan.scored_at)
    limits = plan.workload.limits
    if window_s is not None:
        longest = max(limits.max_window_s, window_s)
        update = {"window_s": window_s, "max_window_s": longest, "min_requests": 0, "max_requests": None}
        limits = limits.model_copy(update=update)
    workload = plan.workload.model_copy(update={"load_points": points, "repeats": 1, "limits": limits})
    own = replace(plan, workload=workload)
    return own, with_client(own, InstalledPlugins().client(name), settings)

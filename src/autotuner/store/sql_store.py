"""The store on SQLite or PostgreSQL: each method is one unit of work of the module of its noun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, Handle, Phase
from autotuner.contracts.event_log import AttemptFolder, LogBounds
from autotuner.contracts.listing import (
    ExperimentItem,
    ExperimentLines,
    ExperimentParts,
    ExperimentQuery,
    Page,
    TaskFacts,
    TaskQuery,
    TaskSummary,
)
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.overview import Hour, Overview, StartPhases
from autotuner.contracts.presets import NewPreset, Preset, PresetContent, PresetRevision, RevisionReason
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.queue import NewWorker, WorkerRecord, WorkerState
from autotuner.contracts.runs import ArchivedRun, CreatedTask
from autotuner.contracts.store import (
    AttemptRow,
    Event,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    MeasurementRow,
    NewEvent,
    NewTask,
    TaskRecord,
    TaskState,
    TaskStatus,
)
from autotuner.contracts.values import Scalar
from autotuner.contracts.webhooks import Delivery, DeliveryState, TaskEnd
from autotuner.store import (
    attempts,
    event_log,
    experiment_rows,
    experiments,
    idempotency,
    listing,
    overview,
    presets,
    queue,
    runs,
    session_lock,
    tasks,
    webhooks,
)
from autotuner.store.columns import utc_now
from autotuner.store.database import BUSY_TIMEOUT_S, Database
from autotuner.store.location import parse_location
from autotuner.store.schema import ensure_schema
from autotuner.store.sealed import file_state, require_unchanged, sealed
from autotuner.store.units import Units


@asynccontextmanager
async def open_store(
    url_or_path: str,
    *,
    create: bool = True,
    clock: Callable[[], datetime] = utc_now,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> AsyncIterator[SqlStore]:
    """Open the store at a path, ``sqlite:///path`` or ``postgresql://user@host/database``; closes it at the end.

    ``create``: a SQLite file that is missing or empty gets the tables. ``clock`` gives the times that are stored
    (with a time zone). ``busy_timeout_s``: how long a write waits for another process's write. A SQLite file on a file
    system that is mounted read-only can be read without ``create``.

    Raises AutotunerError: INVALID_VALUE (no address), STORE_UNAVAILABLE, STORE_SCHEMA, MISSING_EXTRA.
    """
    location = parse_location(url_or_path)
    read_only = None if create else await asyncio.to_thread(sealed, location)
    before = await asyncio.to_thread(file_state, location)
    location = read_only or location
    await asyncio.to_thread(partial(ensure_schema, location, create=create, busy_timeout_s=busy_timeout_s))
    database = Database(location, busy_timeout_s=busy_timeout_s)
    try:
        yield SqlStore(database, clock)
    finally:
        await database.close()
    if read_only is not None:
        await asyncio.to_thread(require_unchanged, location, before)


class SqlStore:
    """A ``Store``, ``QueueStore``, ``RunStore``, ``ListingStore`` and ``PresetStore`` of ``autotuner.contracts``; see
    there for each method.

    Made by ``open_store``, which owns the database.

    Beyond the protocol: a deleted task can still be read (``deleted_at`` is set, its events go on to be there) and
    counts as unknown for every change. An outcome or end that contradicts the stored one raises StatusConflictError.
    """

    def __init__(self, database: Units, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def through(self, wrap: Callable[[Units], Units]) -> SqlStore:
        """This store with its units run in another way: with patience, or behind a guard."""
        return SqlStore(wrap(self._database), self._clock)

    async def create_task(self, task: NewTask) -> TaskRecord:
        """Store a task."""
        return await self._database.write(lambda session: tasks.create(session, task, self._clock()))

    async def get_task(self, task_id: int) -> TaskRecord:
        """One task."""
        return await self._database.read(lambda session: tasks.get(session, task_id))

    async def get_task_state(self, task_id: int) -> TaskState:
        """Status and number of the next event of a task."""
        return await self._database.read(lambda session: tasks.state(session, task_id))

    async def find_task(self, name: str) -> TaskRecord | None:
        """The undeleted task of that name."""
        return await self._database.read(lambda session: tasks.find(session, name))

    async def list_tasks(
        self, *, status: TaskStatus | None = None, search: str | None = None, offset: int = 0, limit: int = 50
    ) -> tuple[list[TaskRecord], int]:
        """A page of the undeleted tasks, newest first, and how many there are in all."""
        return await self._database.read(
            lambda session: tasks.page(session, status=status, search=search, offset=offset, limit=limit)
        )

    async def change_task(
        self,
        task_id: int,
        event: NewEvent,
        *,
        expected: Sequence[TaskStatus],
        status: TaskStatus,
        fields: Mapping[str, Any] | None = None,
        next_seq: int | None = None,
    ) -> TaskRecord:
        """Compare and set the status, with other fields. ValueError for a field that can't be changed."""
        return await self._database.write(
            lambda session: tasks.change(
                session,
                task_id,
                event,
                self._clock(),
                expected=expected,
                status=status,
                fields=fields or {},
                next_seq=next_seq,
            )
        )

    async def delete_task(self, task_id: int) -> None:
        """Soft delete."""
        await self._database.write(lambda session: tasks.delete(session, task_id, self._clock()))

    async def add_experiment(
        self,
        task_id: int,
        *,
        origin: ExperimentOrigin,
        parameters: Mapping[str, Scalar],
        identity: str,
        label: str | None = None,
    ) -> ExperimentRecord:
        """Store a pending experiment with the next number."""
        return await self._database.write(
            lambda session: experiments.add(
                session,
                task_id,
                self._clock(),
                origin=origin,
                parameters=parameters,
                identity=identity,
                label=label,
            )
        )

    async def get_experiment(self, experiment_id: int) -> ExperimentRecord:
        """One experiment."""
        return await self._database.read(lambda session: experiments.get(session, experiment_id))

    async def list_experiments(
        self, task_id: int, *, bulk: bool = True, failed: bool = False
    ) -> list[ExperimentRecord]:
        """All experiments of a task, or those with failures, by number."""
        return await self._database.read(
            lambda session: experiments.of_task(session, task_id, bulk=bulk, failed=failed)
        )

    async def count_experiments(self, task_id: int) -> dict[ExperimentStatus, int]:
        """How many experiments of a task have each status."""
        return await self._database.read(lambda session: experiments.counts(session, task_id))

    async def finish_experiment(
        self,
        experiment_id: int,
        event: NewEvent,
        *,
        status: ExperimentStatus,
        metrics: Mapping[str, Any] | None = None,
        objective_score: float | None = None,
        penalised_score: float | None = None,
        slo: Mapping[str, Any] | None = None,
        failure: Failure | None = None,
    ) -> ExperimentRecord:
        """Store the outcome of an experiment; the same outcome may be stored again with other figures."""
        return await self._database.write(
            lambda session: experiments.finish(
                session,
                experiment_id,
                event,
                self._clock(),
                status=status,
                metrics=metrics,
                objective_score=objective_score,
                penalised_score=penalised_score,
                slo=slo,
                failure=failure,
            )
        )

    async def reopen_experiment(self, experiment_id: int) -> ExperimentRecord:
        """Make a failed experiment pending again."""
        return await self._database.write(lambda session: experiments.reopen(session, experiment_id, self._clock()))

    async def start_attempt(
        self, experiment_id: int, *, reason: AttemptReason, host: Mapping[str, Any], block: int | None = None
    ) -> AttemptRow:
        """Store a new attempt."""
        return await self._database.write(
            lambda session: attempts.start(session, experiment_id, self._clock(), reason=reason, host=host, block=block)
        )

    async def set_attempt_job(self, attempt_id: int, job: AttemptJob) -> None:
        """Store what is going to be run."""
        await self._database.write(lambda session: attempts.set_job(session, attempt_id, job))

    async def set_attempt_handle(self, attempt_id: int, handle: Handle) -> None:
        """Store where the server runs."""
        await self._database.write(lambda session: attempts.set_handle(session, attempt_id, handle))

    async def set_attempt_ready(self, attempt_id: int, *, base_url: str, engine_version: str | None) -> None:
        """The server answers."""
        await self._database.write(
            lambda session: attempts.set_ready(
                session, attempt_id, self._clock(), base_url=base_url, engine_version=engine_version
            )
        )

    async def set_attempt_answers(self, attempt_id: int, answers: JudgedAnswers) -> None:
        """Store what the quality guard found."""
        await self._database.write(lambda session: attempts.set_answers(session, attempt_id, answers))

    async def add_measurement(self, attempt_id: int, measurement: Measurement) -> MeasurementRow:
        """Store a finished measurement."""
        return await self._database.write(
            lambda session: attempts.add_measurement(session, attempt_id, self._clock(), measurement)
        )

    async def finish_attempt(
        self,
        attempt_id: int,
        *,
        status: AttemptStatus,
        failure: Failure | None = None,
        phase_seconds: Mapping[Phase, float] | None = None,
        peak_rss_bytes: int | None = None,
    ) -> AttemptRow:
        """Store the end of an attempt."""
        return await self._database.write(
            lambda session: attempts.finish(
                session,
                attempt_id,
                self._clock(),
                status=status,
                failure=failure,
                phase_seconds=phase_seconds or {},
                peak_rss_bytes=peak_rss_bytes,
            )
        )

    async def interrupt_attempts(self, task_id: int) -> list[AttemptRow]:
        """Mark attempts that never ended as interrupted and begun, unfinished experiments pending."""
        return await self._database.write(lambda session: attempts.interrupt(session, task_id, self._clock()))

    async def unended_attempts(self) -> list[AttemptRow]:
        """Attempts without an end of all undeleted tasks that run, as far as is stored."""
        return await self._database.read(attempts.unended)

    async def list_attempts(
        self, task_id: int, *, experiment_id: int | None = None, bulk: bool = True, failed: bool = False
    ) -> list[AttemptRow]:
        """Attempts in the order of their start."""
        return await self._database.read(
            lambda session: attempts.of_task(session, task_id, experiment_id=experiment_id, bulk=bulk, failed=failed)
        )

    async def list_commands(self, task_id: int) -> dict[int, tuple[str, ...]]:
        """By attempt, the arguments of the server that it starts."""
        return await self._database.read(lambda session: attempts.commands(session, task_id))

    async def list_measurements(self, task_id: int, *, experiment_id: int | None = None) -> list[MeasurementRow]:
        """Measurements in the order in which they were stored."""
        return await self._database.read(
            lambda session: attempts.measurements_of_task(session, task_id, experiment_id=experiment_id)
        )

    async def list_openings(self, task_id: int) -> dict[int, list[int]]:
        """By experiment, how many starts it had before each time that it was opened again."""
        return await self._database.read(lambda session: tasks.openings(session, task_id))

    async def events(self, task_id: int, *, since: int = 0, limit: int = 1000) -> list[Event]:
        """Stored events of a task with seq > since, in order."""
        return await self._database.read(lambda session: tasks.events(session, task_id, since=since, limit=limit))

    async def query_tasks(self, query: TaskQuery) -> Page[TaskSummary]:
        """A page of tasks."""
        return await self._database.read(lambda session: listing.query_tasks(session, query))

    async def query_experiments(self, query: ExperimentQuery) -> Page[ExperimentItem]:
        """A page of experiments."""
        return await self._database.read(lambda session: listing.query_experiments(session, query))

    async def experiment_lines(self, query: ExperimentQuery, reasons: Collection[AttemptReason]) -> ExperimentLines:
        """A page of experiments with their JSON as text."""
        return await self._database.read(lambda session: listing.experiment_lines(session, query, reasons))

    async def get_experiments(self, ids: Sequence[int]) -> list[ExperimentItem]:
        """Some experiments, in the order of ``ids``."""
        return await self._database.read(lambda session: experiment_rows.get_experiments(session, ids))

    async def enqueue_task(
        self, task_id: int, *, expected: Sequence[TaskStatus], status: TaskStatus, priority: int | None = None
    ) -> TaskRecord:
        """Put a task into the queue."""
        return await self._database.write(
            lambda session: queue.enqueue(
                session, task_id, self._clock(), expected=expected, status=status, priority=priority
            )
        )

    async def dequeue_task(self, task_id: int) -> TaskRecord:
        """Take a task out of the queue."""
        return await self._database.write(lambda session: queue.dequeue(session, task_id, self._clock()))

    async def claim_task(
        self, worker_id: int, *, silent_s: float, passed: frozenset[int] = frozenset()
    ) -> TaskRecord | None:
        """Claim the first task that is free."""
        # Workers ask often and mostly for nothing, for which no writer has to wait.
        waiting = partial(queue.waiting, silent_s=silent_s, passed=passed)
        if await self._database.read(lambda session: waiting(session, worker_id, self._clock())) is None:
            return None
        claim = partial(queue.claim, silent_s=silent_s, passed=passed)
        return await self._database.write(lambda session: claim(session, worker_id, self._clock()))

    async def release_task(self, task_id: int, worker_id: int) -> None:
        """Give a claim back."""
        await self._database.write(lambda session: queue.release(session, task_id, worker_id))

    async def register_worker(self, worker: NewWorker) -> WorkerRecord:
        """Store a worker."""
        return await self._database.write(lambda session: queue.register(session, worker, self._clock()))

    async def beat(self, worker_id: int, state: WorkerState) -> None:
        """Store that a worker lives."""
        await self._database.write(lambda session: queue.beat(session, worker_id, self._clock(), state=state))

    async def remove_worker(self, worker_id: int) -> None:
        """A worker has ended."""
        await self._database.write(lambda session: queue.remove(session, worker_id))

    async def list_workers(self) -> list[WorkerRecord]:
        """All workers by number."""
        return await self._database.read(lambda session: queue.workers(session, self._clock()))

    async def drop_workers(self, *, silent_s: float) -> int:
        """Remove workers that have been silent for long."""
        return await self._database.write(lambda session: queue.drop(session, self._clock(), silent_s=silent_s))

    async def tasks_before(self, task_id: int) -> int:
        """How many queued tasks come before a queued one."""
        return await self._database.read(lambda session: listing.tasks_before(session, task_id))

    async def archive_run(
        self, task_id: int, *, identity: Mapping[str, Any], fingerprint: str, drop: bool
    ) -> ArchivedRun:
        """Archive what a task has done, and begin its next run."""
        return await self._database.write(
            lambda session: runs.archive(
                session, task_id, self._clock(), identity=identity, fingerprint=fingerprint, drop=drop
            )
        )

    async def edit_task(self, task_id: int, values: Mapping[str, Any], *, next_seq: int) -> TaskRecord:
        """Set what may be changed of a task that nobody runs."""
        return await self._database.write(
            lambda session: runs.edit(session, task_id, values, self._clock(), next_seq=next_seq)
        )

    async def restore_task(self, task_id: int, *, name: str | None = None) -> TaskRecord:
        """Take back a deletion."""
        return await self._database.write(lambda session: runs.restore(session, task_id, self._clock(), name=name))

    async def deleted_tasks(self, *, before: datetime) -> list[TaskRecord]:
        """Tasks and archived runs that were deleted before then."""
        return await self._database.read(lambda session: runs.deleted(session, before=before))

    async def purge_task(self, task_id: int) -> list[TaskRecord]:
        """Remove a deleted task and its archived runs."""
        return await self._database.write(lambda session: runs.purge(session, task_id))

    async def create_task_once(self, task: NewTask, *, key: str, request: str, since: datetime) -> CreatedTask:
        """Store a task, unless the key has made one."""
        return await self._database.write(
            lambda session: idempotency.create(session, task, self._clock(), key=key, request=request, since=since)
        )

    async def find_created(self, *, key: str, request: str, since: datetime) -> TaskRecord | None:
        """The task that the key has made."""
        return await self._database.read(
            lambda session: idempotency.find(session, key=key, request=request, since=since)
        )

    async def drop_keys(self, *, before: datetime) -> int:
        """Forget old keys."""
        return await self._database.write(lambda session: idempotency.drop(session, before=before))

    async def log_bounds(self, task_id: int) -> LogBounds:
        """Number of the first and last stored event of a task that is not deleted."""
        return await self._database.read(lambda session: event_log.bounds(session, task_id))

    async def log_positions(self, tasks: Collection[int] | None = None) -> dict[int, int]:
        """Number of the last stored event of all tasks but archived runs, or of some."""
        return await self._database.read(lambda session: event_log.positions(session, tasks))

    async def log_starts(self, tasks: Collection[int]) -> dict[int, int]:
        """Number of the first stored event of some tasks."""
        return await self._database.read(lambda session: event_log.starts(session, tasks))

    async def log_after(self, positions: Mapping[int, int], *, limit: int = 200) -> list[Event]:
        """Events of tasks after the given numbers."""
        return await self._database.read(lambda session: event_log.after(session, positions, limit))

    async def log_task_of(self, experiment_id: int) -> int:
        """The task of an experiment."""
        return await self._database.read(lambda session: event_log.task_of(session, experiment_id))

    async def log_experiment(self, task_id: int, number: int) -> int | None:
        """The id of a task's experiment of that number."""
        return await self._database.read(lambda session: event_log.experiment_of(session, task_id, number))

    async def attempt_folders(self, task_id: int, *, last: int | None = None) -> list[AttemptFolder]:
        """Where server starts of a task keep their files."""
        return await self._database.read(lambda session: attempts.folders(session, task_id, last))

    async def running_tasks(self, limit: int = 100) -> list[int]:
        """Ids of tasks that run, or wait paused."""
        return await self._database.read(lambda session: event_log.running(session, limit))

    async def experiment_parts(self, experiment_id: int) -> ExperimentParts:
        """One experiment with all that is stored of it."""
        return await self._database.read(lambda session: experiment_rows.experiment_parts(session, experiment_id))

    async def is_locked(self, key: int) -> bool:
        """Whether a connection of the database, a PostgreSQL, holds a ``session_lock``."""
        return await self._database.read(lambda session: session_lock.holds(session.connection(), key))

    async def facts_of(self, ids: Sequence[int]) -> dict[int, TaskFacts]:
        """What experiments show of some tasks."""
        return await self._database.read(lambda session: experiment_rows.facts_of(session, ids))

    async def seconds_of(self, ids: Sequence[int], reasons: Collection[AttemptReason]) -> dict[int, float]:
        """How long the ended server starts of some experiments took."""
        return await self._database.read(lambda session: experiment_rows.seconds_of(session, ids, reasons))

    async def seed_presets(self, new: Sequence[NewPreset]) -> None:
        """Store the system presets that are not there yet."""
        if await self._database.read(lambda session: presets.missing(session, new)):
            await self._database.write(lambda session: presets.seed(session, new, self._clock()))

    async def create_preset(self, preset: NewPreset) -> Preset:
        """Store a preset with its first revision."""
        return await self._database.write(lambda session: presets.create(session, preset, self._clock()))

    async def get_preset(self, preset_id: int) -> Preset:
        """One preset."""
        return await self._database.read(lambda session: presets.get(session, preset_id))

    async def list_presets(self) -> list[Preset]:
        """All presets by number."""
        return await self._database.read(presets.every)

    async def change_preset(
        self, preset_id: int, content: PresetContent, *, reason: RevisionReason, revision: int
    ) -> Preset:
        """Store a new revision of a preset."""
        return await self._database.write(
            lambda session: presets.change(session, preset_id, content, self._clock(), reason=reason, revision=revision)
        )

    async def delete_preset(self, preset_id: int) -> None:
        """Remove a preset and its history."""
        await self._database.write(lambda session: presets.remove(session, preset_id))

    async def preset_revisions(self, preset_id: int) -> list[PresetRevision]:
        """All revisions of a preset, oldest first."""
        return await self._database.read(lambda session: presets.revisions(session, preset_id))

    async def overview(self) -> Overview:
        """How much there is of everything."""
        return await self._database.read(overview.overview)

    async def finished_by_hour(self, since: datetime) -> list[Hour]:
        """Hours in which experiments ended."""
        return await self._database.read(lambda session: overview.finished_by_hour(session, since))

    async def newest_attempt(self) -> int:
        """Number of the newest attempt."""
        return await self._database.read(overview.newest_attempt)

    async def start_phases(self, *, after: int, also: Sequence[int], limit: int) -> list[StartPhases]:
        """How long the phases of starts took."""
        return await self._database.read(
            lambda session: overview.start_phases(session, after=after, also=also, limit=limit)
        )

    async def probe(self) -> None:
        """Write, read and remove something."""
        await self._database.write(lambda session: overview.probe(session, self._clock()))

    async def add_deliveries(self, webhook: str, *, types: Sequence[str], since: datetime) -> int:
        """Store the deliveries that are missing."""
        return await self._database.write(
            lambda session: webhooks.add(session, webhook, self._clock(), types=types, since=since)
        )

    async def take_delivery(self, names: Sequence[str], *, lease_s: float) -> Delivery | None:
        """A delivery that is due."""
        return await self._database.write(
            lambda session: webhooks.take(session, self._clock(), webhooks=names, lease_s=lease_s)
        )

    async def settle_delivery(
        self, delivery_id: int, *, state: DeliveryState, error: str | None = None, wait_s: float = 0.0
    ) -> None:
        """Store what became of a try."""
        await self._database.write(
            lambda session: webhooks.settle(
                session, delivery_id, self._clock(), state=state, error=error, wait_s=wait_s
            )
        )

    async def task_end(self, task_id: int, seq: int) -> TaskEnd | None:
        """What a delivery tells."""
        return await self._database.read(lambda session: webhooks.task_end(session, task_id, seq))

    async def list_deliveries(self, webhook: str, *, page: int, size: int) -> Page[Delivery]:
        """Deliveries of a webhook."""
        return await self._database.read(lambda session: webhooks.page(session, webhook, page=page, size=size))

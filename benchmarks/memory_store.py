"""A store that keeps everything in memory, for one process: thousands of simulated tasks without a database."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, Failure, Handle, Phase
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.store import (
    AttemptRow,
    Event,
    EventType,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    MeasurementRow,
    NewEvent,
    NewTask,
    StatusConflictError,
    TaskRecord,
    TaskState,
    TaskStatus,
)
from autotuner.contracts.values import Frozen, Scalar

R = TypeVar("R", bound=Frozen)

UNFINISHED = (ExperimentStatus.PENDING, ExperimentStatus.DEPLOYING, ExperimentStatus.BENCHMARKING)
RUNNING = (AttemptStatus.PENDING, AttemptStatus.DEPLOYING, AttemptStatus.BENCHMARKING)
AT_WORK = (TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.CANCELLING)
CHANGEABLE = {
    *("document", "parameters", "result", "error", "stop_reason"),
    *("elapsed_s", "started_at", "finished_at"),
}
RAW = "raw_results"


class MemoryStore:
    """Implements ``contracts.store.Store``. No method awaits anything, so each is one transaction."""

    def __init__(self) -> None:
        self._tasks: dict[int, TaskRecord] = {}
        self._experiments: dict[int, ExperimentRecord] = {}
        self._attempts: dict[int, AttemptRow] = {}
        self._measurements: dict[int, MeasurementRow] = {}
        self._events: dict[int, list[Event]] = {}

    # ---- tasks

    async def create_task(self, task: NewTask) -> TaskRecord:
        if await self.find_task(task.name) is not None:
            raise _conflict(f"There is already a task named {task.name!r}", task.name)
        now, task_id = _now(), len(self._tasks) + 1
        self._tasks[task_id] = TaskRecord(
            **copy.deepcopy(task.model_dump()),
            id=task_id,
            status=TaskStatus.PENDING,
            next_seq=1,
            created_at=now,
            updated_at=now,
        )
        self._events[task_id] = []
        self._append(task_id, NewEvent(type=EventType.TASK_CREATED, data={"task_name": task.name}), now)
        return self._tasks[task_id]

    async def get_task(self, task_id: int) -> TaskRecord:
        return _found(self._tasks, task_id, "task")

    async def get_task_state(self, task_id: int) -> TaskState:
        task = _found(self._tasks, task_id, "task")
        return TaskState(status=task.status, next_seq=task.next_seq)

    async def find_task(self, name: str) -> TaskRecord | None:
        return next((task for task in self._undeleted() if task.name == name), None)

    async def list_tasks(
        self, *, status: TaskStatus | None = None, search: str | None = None, offset: int = 0, limit: int = 50
    ) -> tuple[list[TaskRecord], int]:
        wanted = [
            task
            for task in reversed(list(self._undeleted()))
            if status in (None, task.status) and (search or "").casefold() in task.name.casefold()
        ]
        return wanted[offset : offset + limit], len(wanted)

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
        unknown = sorted(set(fields or {}) - CHANGEABLE)
        if unknown:
            raise ValueError(f"not changeable: {', '.join(unknown)}")
        task = self._unlocked(task_id)
        if task.status not in expected or next_seq not in (None, task.next_seq):
            raise StatusConflictError(task.status.value)
        _change(self._tasks, task_id, **copy.deepcopy(dict(fields or {})), status=status, updated_at=_now())
        self._append(task_id, event)
        return self._tasks[task_id]

    async def delete_task(self, task_id: int) -> None:
        task = self._unlocked(task_id)
        if task.status in (TaskStatus.RUNNING, TaskStatus.CANCELLING):
            raise StatusConflictError(task.status.value)
        _change(self._tasks, task_id, deleted_at=_now(), updated_at=_now())
        self._append(task_id, NewEvent(type=EventType.TASK_DELETED))

    # ---- experiments

    async def add_experiment(
        self,
        task_id: int,
        *,
        origin: ExperimentOrigin,
        parameters: Mapping[str, Scalar],
        identity: str,
        label: str | None = None,
    ) -> ExperimentRecord:
        self._unlocked(task_id)
        others = self._of(self._experiments.values(), task_id)
        if any(other.identity == identity for other in others):
            raise _conflict("There is an experiment with this configuration already", identity)
        made = ExperimentRecord(
            id=len(self._experiments) + 1,
            task_id=task_id,
            number=len(others),
            origin=origin,
            label=label,
            status=ExperimentStatus.PENDING,
            parameters=dict(parameters),
            identity=identity,
            created_at=_now(),
        )
        self._experiments[made.id] = made
        return made

    async def get_experiment(self, experiment_id: int) -> ExperimentRecord:
        return _found(self._experiments, experiment_id, "experiment")

    async def list_experiments(
        self, task_id: int, *, bulk: bool = True, failed: bool = False
    ) -> list[ExperimentRecord]:
        await self.get_task(task_id)
        found = self._of(self._experiments.values(), task_id)
        if failed:
            wanted = self._with_failures(task_id)
            found = [one for one in found if one.id in wanted]
        return found if bulk else [_lean(experiment) for experiment in found]

    async def count_experiments(self, task_id: int) -> dict[ExperimentStatus, int]:
        return dict(Counter(experiment.status for experiment in await self.list_experiments(task_id)))

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
        if status in UNFINISHED:
            raise ValueError(f"{status} is not an end")
        experiment = await self.get_experiment(experiment_id)
        self._unlocked(experiment.task_id)
        if experiment.status not in (*UNFINISHED, status):
            raise StatusConflictError(experiment.status.value)
        _change(
            self._experiments,
            experiment_id,
            status=status,
            metrics=None if metrics is None else copy.deepcopy(dict(metrics)),
            objective_score=objective_score,
            penalised_score=penalised_score,
            slo=None if slo is None else copy.deepcopy(dict(slo)),
            failure=failure,
            finished_at=_now(),
        )
        self._append(experiment.task_id, event.model_copy(update={"experiment_id": experiment_id}))
        return self._experiments[experiment_id]

    async def reopen_experiment(self, experiment_id: int) -> ExperimentRecord:
        experiment = await self.get_experiment(experiment_id)
        self._unlocked(experiment.task_id)
        if experiment.status is not ExperimentStatus.FAILED:
            raise StatusConflictError(experiment.status.value)
        pending = ExperimentStatus.PENDING
        _change(self._experiments, experiment_id, status=pending, metrics=None, failure=None, finished_at=None)
        event = NewEvent(
            type=EventType.EXPERIMENT_RETRIED, experiment_id=experiment_id, data={"number": experiment.number}
        )
        self._append(experiment.task_id, event)
        return self._experiments[experiment_id]

    # ---- attempts

    async def start_attempt(
        self, experiment_id: int, *, reason: AttemptReason, host: Mapping[str, Any], block: int | None = None
    ) -> AttemptRow:
        experiment = await self.get_experiment(experiment_id)
        self._unlocked(experiment.task_id)
        number = 1 + sum(attempt.experiment_id == experiment_id for attempt in self._attempts.values())
        made = AttemptRow(
            id=len(self._attempts) + 1,
            experiment_id=experiment_id,
            task_id=experiment.task_id,
            number=number,
            reason=reason,
            block=block,
            status=AttemptStatus.DEPLOYING,
            host=copy.deepcopy(dict(host)),
            started_at=_now(),
        )
        self._attempts[made.id] = made
        self._advance(experiment_id, ExperimentStatus.DEPLOYING)
        data = {"parameters": experiment.parameters, "reason": reason.value}
        data |= {"number": experiment.number, "attempt": number}
        event = NewEvent(type=EventType.EXPERIMENT_STARTED, experiment_id=experiment_id, data=data)
        self._append(experiment.task_id, event)
        return made

    async def set_attempt_job(self, attempt_id: int, job: AttemptJob) -> None:
        _change(self._attempts, attempt_id, job=job)

    async def set_attempt_handle(self, attempt_id: int, handle: Handle) -> None:
        _change(self._attempts, attempt_id, handle=handle)

    async def set_attempt_ready(self, attempt_id: int, *, base_url: str, engine_version: str | None) -> None:
        attempt = _found(self._attempts, attempt_id, "attempt")
        self._unlocked(attempt.task_id)
        if attempt.status not in (AttemptStatus.PENDING, AttemptStatus.DEPLOYING):
            raise StatusConflictError(attempt.status.value)
        ready = AttemptStatus.BENCHMARKING
        _change(self._attempts, attempt_id, status=ready, base_url=base_url, engine_version=engine_version)
        self._advance(attempt.experiment_id, ExperimentStatus.BENCHMARKING)
        event = NewEvent(
            type=EventType.BENCHMARK_STARTED,
            experiment_id=attempt.experiment_id,
            data={"reason": attempt.reason.value, "attempt": attempt.number, "engine_version": engine_version},
        )
        self._append(attempt.task_id, event)

    async def add_measurement(self, attempt_id: int, measurement: Measurement) -> MeasurementRow:
        attempt = _found(self._attempts, attempt_id, "attempt")
        made = MeasurementRow(
            id=len(self._measurements) + 1,
            attempt_id=attempt_id,
            experiment_id=attempt.experiment_id,
            task_id=attempt.task_id,
            measurement=measurement,
            created_at=_now(),
        )
        self._measurements[made.id] = made
        return made

    async def finish_attempt(
        self,
        attempt_id: int,
        *,
        status: AttemptStatus,
        failure: Failure | None = None,
        phase_seconds: Mapping[Phase, float] | None = None,
        peak_rss_bytes: int | None = None,
    ) -> AttemptRow:
        if status in RUNNING:
            raise ValueError(f"{status} is not an end")
        attempt = _found(self._attempts, attempt_id, "attempt")
        if attempt.status not in RUNNING:
            raise StatusConflictError(attempt.status.value)
        _change(
            self._attempts,
            attempt_id,
            status=status,
            failure=failure,
            phase_seconds=dict(phase_seconds or {}),
            peak_rss_bytes=peak_rss_bytes,
            finished_at=_now(),
        )
        return self._attempts[attempt_id]

    async def interrupt_attempts(self, task_id: int) -> list[AttemptRow]:
        self._unlocked(task_id)
        changed = [a.id for a in self._of(self._attempts.values(), task_id) if a.status in RUNNING]
        for attempt_id in changed:
            _change(self._attempts, attempt_id, status=AttemptStatus.INTERRUPTED, finished_at=_now())
        for experiment in self._of(self._experiments.values(), task_id):
            if experiment.status in (ExperimentStatus.DEPLOYING, ExperimentStatus.BENCHMARKING):
                _change(self._experiments, experiment.id, status=ExperimentStatus.PENDING)
        return [self._attempts[attempt_id] for attempt_id in changed]

    async def unended_attempts(self) -> list[AttemptRow]:
        there = {task.id: task for task in self._undeleted()}
        return [
            attempt
            for attempt in self._attempts.values()
            if attempt.status in RUNNING
            and attempt.task_id in there
            and (there[attempt.task_id].status in AT_WORK or attempt.reason is AttemptReason.VERIFY)
        ]

    async def list_attempts(
        self, task_id: int, *, experiment_id: int | None = None, bulk: bool = True, failed: bool = False
    ) -> list[AttemptRow]:
        await self._require(task_id, experiment_id)
        found = self._of(self._attempts.values(), task_id, experiment_id)
        if failed:
            wanted = self._with_failures(task_id)
            found = [attempt for attempt in found if attempt.experiment_id in wanted]
        return found if bulk else [attempt.model_copy(update={"job": None, "host": {}}) for attempt in found]

    async def list_commands(self, task_id: int) -> dict[int, tuple[str, ...]]:
        return {
            attempt.id: attempt.job.command.argv
            for attempt in await self.list_attempts(task_id)
            if attempt.job is not None and attempt.job.command is not None
        }

    async def list_measurements(self, task_id: int, *, experiment_id: int | None = None) -> list[MeasurementRow]:
        await self._require(task_id, experiment_id)
        return self._of(self._measurements.values(), task_id, experiment_id)

    def _with_failures(self, task_id: int) -> set[int]:
        starts = self._of(self._attempts.values(), task_id)
        experiments = self._of(self._experiments.values(), task_id)
        return {one.experiment_id for one in starts if one.status is AttemptStatus.FAILED} | {
            one.id for one in experiments if one.status is ExperimentStatus.FAILED
        }

    async def list_openings(self, task_id: int) -> dict[int, list[int]]:
        openings: dict[int, list[int]] = {}
        starts: Counter[int | None] = Counter()
        for event in self._events[task_id]:
            if event.type is EventType.EXPERIMENT_STARTED:
                starts[event.experiment_id] += 1
            elif event.type is EventType.EXPERIMENT_RETRIED and event.experiment_id is not None:
                openings.setdefault(event.experiment_id, []).append(starts[event.experiment_id])
        return openings

    async def events(self, task_id: int, *, since: int = 0, limit: int = 1000) -> list[Event]:
        await self.get_task(task_id)
        return self._events[task_id][since : since + limit]

    # ---- what they share

    def _undeleted(self) -> Iterable[TaskRecord]:
        return (task for task in self._tasks.values() if task.deleted_at is None)

    def _unlocked(self, task_id: int) -> TaskRecord:
        """A task that may be changed."""
        task = _found(self._tasks, task_id, "task")
        if task.deleted_at is not None:
            raise _not_found("task", task_id)
        return task

    async def _require(self, task_id: int, experiment_id: int | None) -> None:
        await self.get_task(task_id)
        if experiment_id is not None and (await self.get_experiment(experiment_id)).task_id != task_id:
            raise _not_found("experiment", experiment_id)

    def _of(self, rows: Iterable[Any], task_id: int, experiment_id: int | None = None) -> list[Any]:
        return [
            row
            for row in rows
            if row.task_id == task_id and (experiment_id is None or row.experiment_id == experiment_id)
        ]

    def _advance(self, experiment_id: int, status: ExperimentStatus) -> None:
        if self._experiments[experiment_id].status in UNFINISHED:
            _change(self._experiments, experiment_id, status=status)

    def _append(self, task_id: int, event: NewEvent, now: datetime | None = None) -> None:
        seq = self._tasks[task_id].next_seq
        made = Event(seq=seq, task_id=task_id, timestamp=now or _now(), **copy.deepcopy(event.model_dump()))
        self._events[task_id].append(made)
        _change(self._tasks, task_id, next_seq=seq + 1)


def _found(rows: Mapping[int, R], number: int, noun: str) -> R:
    if number not in rows:
        raise _not_found(noun, number)
    return rows[number]


def _change(rows: dict[int, R], number: int, **values: Any) -> None:
    rows[number] = _found(rows, number, "attempt").model_copy(update=values)


def _lean(experiment: ExperimentRecord) -> ExperimentRecord:
    if experiment.metrics is None:
        return experiment
    metrics = {name: value for name, value in experiment.metrics.items() if name != RAW}
    return experiment.model_copy(update={"metrics": metrics})


def _now() -> datetime:
    return datetime.now(UTC)


def _not_found(noun: str, number: int) -> AutotunerError:
    return AutotunerError(
        ErrorCode.NOT_FOUND,
        f"There is no {noun} {number}",
        why="the store has no such number",
        remedy="Look it up",
        place=f"{noun} {number}",
    )


def _conflict(what: str, place: str) -> AutotunerError:
    return AutotunerError(ErrorCode.CONFLICT, what, why="it must be unique", remedy="Choose another one", place=place)

"""The state of a task as its event log tells it: a pure fold over the events from the first one on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autotuner.contracts.store import Event, EventType, ExperimentStatus, TaskStatus

BECOMES = {
    EventType.TASK_CREATED: TaskStatus.PENDING,
    EventType.TASK_STARTED: TaskStatus.RUNNING,
    EventType.TASK_PAUSED: TaskStatus.PAUSED,
    EventType.TASK_RESUMED: TaskStatus.RUNNING,
    EventType.TASK_COMPLETED: TaskStatus.COMPLETED,
    EventType.TASK_FAILED: TaskStatus.FAILED,
    EventType.TASK_CANCELLED: TaskStatus.CANCELLED,
}
FINAL = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
OUTCOMES = {
    EventType.EXPERIMENT_COMPLETED: ExperimentStatus.SUCCESS,
    EventType.EXPERIMENT_FAILED: ExperimentStatus.FAILED,
    EventType.EXPERIMENT_CANCELLED: ExperimentStatus.CANCELLED,
    EventType.EXPERIMENT_PRUNED: ExperimentStatus.PRUNED,
    EventType.EXPERIMENT_RETRIED: ExperimentStatus.PENDING,
}
UNFINISHED = {
    EventType.EXPERIMENT_STARTED: ExperimentStatus.DEPLOYING,
    EventType.BENCHMARK_STARTED: ExperimentStatus.BENCHMARKING,
}


@dataclass
class Folded:
    """``experiments``: by id, those that have an event; all others are pending."""

    status: TaskStatus = TaskStatus.PENDING
    queued: bool = False
    experiments: dict[int, ExperimentStatus] = field(default_factory=dict)


def fold(events: Iterable[Event]) -> Folded:
    """The state after the events; AssertionError if their numbers do not follow from 1 on."""
    state = Folded()
    for number, event in enumerate(events, start=1):
        assert event.seq == number, "the log has no gaps"
        if event.experiment_id is not None:
            _experiment(state, event, event.experiment_id)
        else:
            _task(state, event)
    return state


def _task(state: Folded, event: Event) -> None:
    told = event.data.get("status")
    state.status = TaskStatus(told) if told is not None else BECOMES.get(event.type, state.status)
    state.queued = event.data.get("queued", state.queued) and state.status not in FINAL
    if event.type is EventType.TASK_STARTED or state.status in FINAL or state.status is TaskStatus.PENDING:
        # A run begins or is over: what was under way is so no more.
        unended = {*UNFINISHED.values()}
        for number, status in state.experiments.items():
            if status in unended:
                state.experiments[number] = ExperimentStatus.PENDING


def _experiment(state: Folded, event: Event, number: int) -> None:
    if event.type in OUTCOMES:
        state.experiments[number] = OUTCOMES[event.type]
    elif event.type in UNFINISHED:
        before = state.experiments.get(number, ExperimentStatus.PENDING)
        if before is ExperimentStatus.PENDING or before in UNFINISHED.values():  # a finished one stays what it is
            state.experiments[number] = UNFINISHED[event.type]

"""Lists of what is stored: filtered, sorted and cut into pages by the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from pydantic import Field

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure
from autotuner.contracts.result import VerdictKind
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentStatus, MeasurementRow, TaskStatus
from autotuner.contracts.values import Frozen, Scalar

Item = TypeVar("Item")

MAX_SIZE = 200
"""Items of a page."""
MAX_DEPTH = 10_000
"""The last item that a page may hold, and the greatest total that is counted exactly: what lies deeper is found by a
filter, and costs the database nothing."""


class Page(Frozen, Generic[Item]):
    """A part of a list."""

    items: tuple[Item, ...] = Field(description="what is on this page")
    total: int = Field(description="how many items there are on all pages; at most 10000 are counted")
    total_exact: bool = Field(True, description="False: there are more than ``total``")
    page: int = Field(ge=1, description="number of this page, from 1")
    size: int = Field(ge=1, le=MAX_SIZE, description="most items of a page")


class TaskQuery(Frozen):
    """Which tasks, in which order."""

    status: tuple[TaskStatus, ...] = Field((), description="one of these; all if empty")
    queued: bool | None = Field(None, description="only tasks that are, or are not, in the queue")
    search: str | None = Field(None, description="part of the name; case is ignored")
    archived: bool = Field(False, description="archived runs instead of present ones")
    deleted: bool = Field(False, description="deleted tasks that can be restored instead of present ones")
    run_of: int | None = Field(None, description="the archived runs of this task; before the two above")
    sort: Literal["id", "name", "updated_at", "status"] = "id"
    descending: bool = True
    page: int = Field(1, ge=1)
    size: int = Field(50, ge=1, le=MAX_SIZE)


class TaskOutcome(Frozen):
    """What a task came to, as a list shows it."""

    verdict: VerdictKind | None = Field(None, description="what kind of answer it is; null: of an earlier version")
    unit: str = Field(description="of its scores")
    direction: Literal["minimize", "maximize"] = Field(description="whether a small or a great score is good")
    predicted: bool = Field(False, description="figures are predictions")
    gain: float | None = Field(None, description="of the winner over the baseline: 0.25 is 25 % better; null: none")
    gain_low: float | None = Field(None, description="lower end of its interval")
    gain_high: float | None = Field(None, description="upper end of its interval")
    significant: bool | None = Field(None, description="whether the interval leaves out no gain")


class TaskSummary(Frozen):
    """A task as a list shows it: without its document and its result."""

    id: int = Field(description="its number")
    name: str = Field(description="unique among the tasks that are not deleted")
    status: TaskStatus
    engine: str | None = Field(None, description="inference engine")
    model: str | None = Field(None, description="name or path of the model")
    objective: str | None = Field(None, description="what is optimised, as in the document")
    experiments: dict[ExperimentStatus, int] = Field(default_factory=dict, description="how many have each status")
    best_score: float | None = Field(None, description="of a task that has ended: the winner's, natural units")
    outcome: TaskOutcome | None = Field(None, description="what it came to; null: it has no result")
    priority: int = Field(0, description="place in the queue: a greater number comes first")
    queued_at: datetime | None = Field(None, description="since when it waits for a worker, or is one's")
    worker_id: int | None = Field(None, description="the worker that has claimed it")
    run: int = Field(1, description="how often it was begun from nothing")
    run_of: int | None = Field(None, description="an archived run: the task whose run it was")
    elapsed_s: float = Field(0.0, description="running time over all starts, seconds")
    stop_reason: str | None = Field(None, description="why the search ended; null: it has not")
    error: dict[str, Any] | None = Field(None, description="why it failed: code, what, why, remedy; null: it did not")
    next_seq: int = Field(description="number of the next event")
    created_at: datetime = Field(description="when it was made")
    updated_at: datetime = Field(description="when anything of it changed last")
    started_at: datetime | None = Field(None, description="when it was started first; null: not yet")
    finished_at: datetime | None = Field(None, description="when it ended last; null: not yet")
    deleted_at: datetime | None = Field(None, description="when it was deleted; null: it is there")
    archived_at: datetime | None = Field(None, description="when this run was archived; null: the present one")


class ExperimentQuery(Frozen):
    """Which experiments, in which order."""

    task_id: int | None = Field(None, description="of this task; of all tasks that are not deleted if None")
    status: tuple[ExperimentStatus, ...] = ()
    origin: ExperimentOrigin | None = Field(None, description="only those; with a task only")
    slo_violation: bool | None = Field(None, description="only those that break the SLO, or keep it; with a task only")
    sort: Literal["id", "number", "objective_score"] = Field(
        "id", description="number and score: with a task only; those without a score come last"
    )
    descending: bool = False
    page: int = Field(1, ge=1)
    size: int = Field(50, ge=1, le=MAX_SIZE)


class ExperimentItem(Frozen):
    """An experiment as a list shows it: its figures without the raw results."""

    id: int = Field(description="its number in the store")
    task_id: int = Field(description="number of its task")
    number: int = Field(description="0 for the baseline; unique within the task")
    origin: ExperimentOrigin
    label: str | None = Field(None, description="name of a reference; null: it has none")
    status: ExperimentStatus
    parameters: dict[str, Scalar] = Field(description="the configuration")
    metrics: dict[str, Any] | None = Field(None, description="figures by name, without raw results; null: none yet")
    objective_score: float | None = Field(None, description="natural units; null: none yet")
    slo: dict[str, Any] | None = Field(None, description="verdict by SLO; null: none yet")
    failure: Failure | None = Field(None, description="why it failed; null: it did not")
    created_at: datetime = Field(description="when it was made")
    finished_at: datetime | None = Field(None, description="when it ended; null: not yet")


class ExperimentLine(NamedTuple):
    """An experiment as a list shows it, its JSON as the text that is stored (``store.columns.encode_json``): whoever
    hands it on need not read it.
    """

    id: int
    task_id: int
    number: int
    origin: str
    label: str | None
    status: str
    parameters: str
    metrics: str | None
    """Without raw results."""
    objective_score: float | None
    slo: str | None
    slo_violation: bool | None
    failure: str | None
    created_at: datetime
    finished_at: datetime | None


class TaskFacts(NamedTuple):
    """What an experiment shows of its task: its name, and the block ``optimization`` of its document."""

    name: str
    optimization: Mapping[str, Any]


@dataclass(frozen=True)
class ExperimentParts:
    """One experiment with what is stored of it elsewhere, starts and measurements in order."""

    item: ExperimentItem
    task: TaskFacts
    attempts: Sequence[AttemptRow]
    measurements: Sequence[MeasurementRow]


@dataclass(frozen=True)
class ExperimentLines:
    """A page of experiments. ``total`` and ``total_exact`` as of a ``Page``; the rest as the methods of these names."""

    lines: Sequence[ExperimentLine]
    total: int
    total_exact: bool
    facts_of: Mapping[int, TaskFacts]
    seconds_of: Mapping[int, float]


class AttemptItem(Frozen):
    """A server start as a list shows it."""

    id: int = Field(description="its number in the store")
    number: int = Field(description="1, 2, … within the experiment")
    reason: str = Field(description="why it was started")
    status: AttemptStatus
    phase_seconds: dict[str, float] = Field(default_factory=dict, description="seconds by phase")
    failure: Failure | None = Field(None, description="why it failed; null: it did not")
    started_at: datetime = Field(description="when it was started")
    finished_at: datetime | None = Field(None, description="when it ended; null: not yet")


class ListingStore(Protocol):
    """Lists. A page beyond MAX_DEPTH raises AutotunerError(INVALID_VALUE) that tells to filter."""

    async def query_tasks(self, query: TaskQuery) -> Page[TaskSummary]:
        """A page of tasks."""

    async def query_experiments(self, query: ExperimentQuery) -> Page[ExperimentItem]:
        """A page of experiments. AutotunerError: NOT_FOUND for an unknown task, INVALID_VALUE for a sort or filter that
        needs a task.
        """

    async def experiment_lines(self, query: ExperimentQuery, reasons: Collection[AttemptReason]) -> ExperimentLines:
        """The same page for those who only hand it on; ``reasons`` as in ``seconds_of``. AutotunerError as
        ``query_experiments``.
        """

    async def get_experiments(self, ids: Sequence[int]) -> list[ExperimentItem]:
        """Some experiments, in the order of ``ids``. AutotunerError(NOT_FOUND)."""

    async def experiment_parts(self, experiment_id: int) -> ExperimentParts:
        """One experiment with all that is stored of it. AutotunerError(NOT_FOUND)."""

    async def facts_of(self, ids: Sequence[int]) -> dict[int, TaskFacts]:
        """What experiments show of some tasks; tasks that are not there are left out."""

    async def seconds_of(self, ids: Sequence[int], reasons: Collection[AttemptReason]) -> dict[int, float]:
        """How long the ended server starts of some experiments took that were made for ``reasons``, seconds of their
        phases; experiments without any are left out.
        """

    async def tasks_before(self, task_id: int) -> int:
        """How many queued tasks come before a queued one; 0 for one that is not queued. AutotunerError(NOT_FOUND)."""

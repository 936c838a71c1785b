"""One task as it is shown: what is stored, what its document says in blocks, and why it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from autotuner.contracts.queue import WorkerRecord, WorkerState
from autotuner.contracts.store import ExperimentStatus, TaskRecord, TaskStatus
from autotuner.services.health import is_live
from autotuner.services.report.json_export import finite
from autotuner.services.score_units import score_units
from autotuner.services.settings import Settings
from autotuner.services.task_lock import is_taken
from autotuner.store.shown import shown_of_document
from autotuner.store.sql_store import SqlStore

BLOCKS = (
    "quant_config",
    "system_config",
    "parallel_config",
    "quantization_config",
    "memory_config",
    "scheduling_config",
    "advanced_tuning_config",
)


class TaskView(TaskRecord):
    """A task, with what its document says in structured blocks and how it stands."""

    result: dict[str, Any] | None = Field(
        None, description="figures of the final report, without the list of experiments; null: it has not ended"
    )
    engine: str | None = Field(None, description="inference engine")
    model: str | None = Field(None, description="name or path of the model; several with commas between them")
    objective: str | None = Field(None, description="what is optimised; several with commas between them")
    quant_config: dict[str, Any] | None = Field(None, description="precision by presets; null: not given")
    system_config: dict[str, Any] | None = Field(None, description="GPUs: kind and number; null: not given")
    parallel_config: dict[str, Any] | None = Field(None, description="parallel sizes; null: not given")
    quantization_config: dict[str, Any] | None = Field(None, description="precision by fields; null: not given")
    memory_config: dict[str, Any] | None = Field(None, description="memory of the server; null: not given")
    scheduling_config: dict[str, Any] | None = Field(None, description="batching; null: not given")
    advanced_tuning_config: dict[str, Any] | None = Field(None, description="further settings; null: not given")
    direction: Literal["minimize", "maximize"] | None = Field(
        None, description="whether a smaller or a greater score is better, of the first objective"
    )
    unit: str | None = Field(
        None, description="unit of the score; null: it depends on what is measured, and nothing has been yet"
    )
    experiments: dict[ExperimentStatus, int] = Field(
        default_factory=dict, description="how many experiments have each status"
    )
    held: bool = Field(description="whether a process runs it")
    worker: str | None = Field(None, description="name of the worker that has claimed it; null: none has")
    waiting: str | None = Field(
        None, description="why it does not run though it is queued; null: it is not, or it runs"
    )


async def view(store: SqlStore, settings: Settings, task: TaskRecord) -> TaskView:
    """The view of a task."""
    held = await is_taken(settings, task.id, store=store)
    direction, unit = _score(task)
    workers = [] if task.worker_id is None and task.queued_at is None else await store.list_workers()
    shown = {key: value for key, value in (task.result or {}).items() if key != "experiments"}
    return TaskView(
        **task.model_dump(exclude={"result", "document"}),
        document=_finite(task.document),
        result=None if task.result is None else _finite(shown),
        engine=task.identity.get("engine") or task.document.get("base_runtime"),
        **shown_of_document(task.document),
        **{block: task.document.get(block) or None for block in BLOCKS},
        direction=direction,
        unit=unit,
        experiments=await store.count_experiments(task.id),
        held=held,
        worker=next((worker.name for worker in workers if worker.id == task.worker_id), None),
        waiting=None if held or task.queued_at is None else await _waiting(store, task, workers),
    )


async def _waiting(store: SqlStore, task: TaskRecord, workers: Sequence[WorkerRecord]) -> str:
    if task.status is TaskStatus.PAUSED:
        return "it is paused; resume it"
    live = [worker for worker in workers if is_live(worker)]
    return why_waiting(task, live, before=await store.tasks_before(task.id))


def why_waiting(task: TaskRecord, workers: Sequence[WorkerRecord], *, before: int) -> str:
    """Why a queued task does not run. ``workers``: those alive. ``before``: how many queued tasks come before it."""
    if not workers:
        return "no worker is alive; `autotuner serve` and `autotuner worker` start one"
    claimed = next((worker for worker in workers if worker.id == task.worker_id), None)
    if claimed is not None:
        return f"worker {claimed.name} is about to run it"
    ahead = f"; {before} queued task{'s come' if before > 1 else ' comes'} before it" if before else ""
    if any(worker.state is WorkerState.IDLE for worker in workers):
        return f"a worker is free and takes it in a moment{ahead}"
    if all(worker.state is WorkerState.STOPPING for worker in workers):
        return f"every worker is stopping{ahead}"
    return f"{'the worker is' if len(workers) == 1 else f'all {len(workers)} workers are'} busy{ahead}"


def _score(task: TaskRecord) -> tuple[Literal["minimize", "maximize"] | None, str | None]:
    """Direction and unit: those of the result, else what is certain before anything is measured."""
    if task.result is not None and task.result.get("unit") is not None:
        return task.result.get("direction"), task.result["unit"]
    return score_units(task.document.get("optimization") or {})


def _finite(value: Mapping[str, Any]) -> dict[str, Any]:
    made = finite(value)
    if not isinstance(made, dict):
        raise TypeError("a mapping became something else")
    return made

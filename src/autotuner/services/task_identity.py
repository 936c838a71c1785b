"""What must not change between two runs of a task, and what of it is settled only when the task is first run.

A task can be made where it is not run: without its engine, on another machine. What follows from those it gets from its
first start, and from then on it is refused where it would measure something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.config.identity import changed, fingerprint, identity
from autotuner.config.load import to_data
from autotuner.contracts.engine import Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import EventType, NewEvent, NewTask, Store, TaskRecord
from autotuner.planning.plan import Plan
from autotuner.services.export import flat_parameters
from autotuner.services.host import describe_host

VERSION = "engine_version"
OF_THE_START = ("engine", VERSION, "dataset", "prompts", "hardware")
"""Parts of an identity that the first start adds, unless they are known before."""
OF_THE_HOST = (VERSION, "hardware")
"""Those of them that are known nowhere else."""


def planned_identity(plan: Plan) -> dict[str, Any]:
    """The identity as far as a plan knows it, on whatever host."""
    described = {**identity(plan.document), "engine": plan.engine}
    if plan.workload.dataset is not None:
        described["dataset"] = plan.workload.dataset.sha256
    if plan.quality is not None and plan.quality.prompts.path is not None:
        described["prompts"] = plan.quality.prompts.sha256
    return described


def identity_here(plan: Plan, version: str) -> dict[str, Any]:
    """The whole identity of a plan that is run here with that version of the engine."""
    described = {**planned_identity(plan), VERSION: version}
    if not plan.predicted and plan.endpoint_url is None:
        host = describe_host()
        described["hardware"] = {key: host[key] for key in ("cpu_model", "cores")}
    return described


def before_start(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a task that measures the same and has not been started."""
    return {key: value for key, value in stored.items() if key not in OF_THE_HOST}


def settled(stored: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, Any]:
    """The stored identity; of a task that has never been started with what its start here adds."""
    if VERSION in stored:
        return dict(stored)
    return {**{key: here[key] for key in OF_THE_START if key in here}, **stored}


def check_same(task: TaskRecord, here: Mapping[str, Any]) -> None:
    """AutotunerError(TASK_CHANGED) when something else would be measured here than the stored task did."""
    differences = changed(settled(task.identity, here), here)
    if differences:
        raise AutotunerError(
            ErrorCode.TASK_CHANGED,
            f"the task {task.name!r} exists and measures something else",
            why="; ".join(differences),
            remedy="Run it with --new to make another task, or give it another task_name",
            place="task_name",
        )


async def settle(store: Store, task: TaskRecord, here: Mapping[str, Any]) -> TaskRecord:
    """Make sure that a task, which the caller holds, goes on with what it has measured; before its first start it
    becomes what is measured here.

    AutotunerError(TASK_CHANGED) as ``check_same``; StatusConflictError when its status has changed since it was read.
    """
    if task.started_at is not None:
        check_same(task, here)
    if (task.started_at is not None and VERSION in task.identity) or task.identity == here:
        return task
    return await store.change_task(
        task.id,
        NewEvent(type=EventType.TASK_UPDATED, data={"status": task.status.value}),
        expected=(task.status,),
        status=task.status,
        fields={"identity": dict(here), "fingerprint": fingerprint(here)},
    )


def new_task(document: TaskDocument, engine: Engine, described: Mapping[str, Any], *, name: str) -> NewTask:
    """The task of a document, to be stored."""
    return NewTask(
        name=name,
        document=to_data(document),
        parameters=flat_parameters(document, engine),
        fingerprint=fingerprint(described),
        identity=dict(described),
    )

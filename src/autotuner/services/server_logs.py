"""The server logs of a task that are there to be read."""

from __future__ import annotations

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import Store, TaskRecord
from autotuner.services.queries import ServerLog, server_logs


async def read_logs(store: Store, task: TaskRecord, *, experiment: int | None) -> list[ServerLog]:
    """Logs whose file exists, in the order of the starts. AutotunerError(NOT_FOUND) with the reason for none."""
    logs = await server_logs(store, task, experiment=experiment)
    found = [log for log in logs if log.path.is_file()]
    if found:
        return found
    one = f"experiment {experiment} of " if experiment is not None else ""
    raise AutotunerError(
        ErrorCode.NOT_FOUND,
        f"there is no server log of {one}the task {task.name!r}",
        why="it started no server of its own (predictions and running endpoints have no log here)"
        if logs
        else "no server was started for it",
        remedy="`autotuner results` shows its experiments and their failures",
        place=task.name,
    )

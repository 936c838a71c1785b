"""The result of a task as it is stored."""

from __future__ import annotations

from typing import Any

from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import Store
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.summaries import summarise
from autotuner.coordinator.verifications import with_verifications

LISTED = 500
"""A result with more experiments is stored without their list: it stands in their rows, and every reading of the task
would read it too."""


def to_stored(result: TaskResult) -> dict[str, Any]:
    """Plain JSON."""
    return result.model_dump(mode="json", exclude={"experiments"} if len(result.experiments) > LISTED else None)


async def from_stored(stored: dict[str, Any], store: Store) -> TaskResult:
    """The whole result; the experiments that were left out, and verifications, are read from their rows."""
    result = await with_verifications(TaskResult.model_validate(stored), store)
    if "experiments" in stored:
        return result
    ledger = await Ledger.read(store, result.task_id)
    summaries = (summarise(experiment, ledger) for experiment in ledger.experiments.values())
    return result.model_copy(update={"experiments": tuple(summaries)})

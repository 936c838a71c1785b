"""The dataset of a document: found on disk and read."""

from __future__ import annotations

from pathlib import Path

from autotuner.benchmark.dataset import describe
from autotuner.config.document import TaskDocument
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.workload import Dataset


def resolve_dataset(document: TaskDocument) -> Dataset | None:
    """What the document's dataset holds; None without one. A relative path counts from the current folder.

    AutotunerError: MISSING_FILE, INVALID_VALUE for a file that cannot be used, or not be replayed.
    """
    asked = document.benchmark.dataset
    if asked is None:
        return None
    found = describe(Path(asked.path).expanduser().resolve())
    if asked.replay_speed and found.period_s is None:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            f"the dataset {Path(asked.path).name} cannot be replayed",
            why="its requests have no timestamps" if found.duration_s is None else "all its requests are at one time",
            remedy="Add the column timestamp, or use num_concurrency or request_rates in place of replay_speed",
            place="benchmark.dataset.replay_speed",
        )
    return found

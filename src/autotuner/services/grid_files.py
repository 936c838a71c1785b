"""Grids in files, and results placed in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.result import TaskResult
from autotuner.contracts.store import TaskRecord
from autotuner.services.grid import Grid, compare, grid_from_result, grid_text, read_grid, why_not
from autotuner.services.planning import plan_document
from autotuner.services.settings import Settings


def load_grid(path: str) -> Grid:
    """The grid of a file. AutotunerError: MISSING_FILE, INVALID_DOCUMENT."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            "the grid cannot be read",
            why=why.lower(),
            remedy="Give a file that `autotuner report --format grid` wrote",
            place=path,
        ) from None
    return read_grid(text, place=path)


def placed(result: TaskResult, grid: Grid) -> TaskResult:
    """The result with its place in the grid, or with the reason why it has none."""
    reason = why_not(grid, result)
    if reason is not None:
        return result.model_copy(update={"grid": None, "grid_note": reason})
    return result.model_copy(update={"grid": compare(grid, result), "grid_note": None})


def render_grid(task: TaskRecord, result: TaskResult, settings: Settings) -> str:
    """The grid that a task measured, as a file's text. AutotunerError(NO_RESULT, UNSUPPORTED). Blocks."""
    plan = plan_document(validate(task.document, name=task.name), settings)
    return grid_text(grid_from_result(result, plan.space, made_at=datetime.now(UTC)))

"""A result as files: the HTML page, JSON and CSV."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.result import TaskResult
from autotuner.services.report.csv_export import render_csv
from autotuner.services.report.html import render_html
from autotuner.services.report.json_export import render_json

RENDERERS: Mapping[str, Callable[[TaskResult], str]] = {"html": render_html, "json": render_json, "csv": render_csv}
NAMES = {"html": "report.html", "json": "result.json", "csv": "result.csv", "grid": "grid.json"}


def write_result_files(result: TaskResult, folder: Path) -> dict[str, Path]:
    """Write all of them into a task's folder; format → path. AutotunerError(STORAGE)."""
    written: dict[str, Path] = {}
    for kind, render in RENDERERS.items():
        written[kind] = folder / NAMES[kind]
        write_file(written[kind], render(result))
    return written


def write_file(path: Path, text: str, *, executable: bool = False) -> None:
    """Write a file whole or not at all, replacing one of that name. AutotunerError(STORAGE)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod((0o777 if executable else 0o666) & ~mask)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower()) from error


def check_writable(path: Path) -> None:
    """AutotunerError(STORAGE) now rather than after a long run, when ``path`` can't become a file."""
    if path.is_dir():
        raise unwritable(path, "it is a folder")
    above = path.absolute().parent
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise unwritable(path, f"{above} is no folder that you may write to")


def unwritable(path: Path, why: str) -> AutotunerError:
    """The error for a file that can't be written."""
    return AutotunerError(
        ErrorCode.STORAGE,
        "the file cannot be written",
        why=why,
        remedy="Free some space, or give a path that you may write to",
        place=str(path),
    )

"""A result as files: the HTML page, JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.result import TaskResult
from autotuner.services.report.csv_export import render_csv
from autotuner.services.report.html import render_html
from autotuner.services.report.json_export import render_json
from autotuner.services.writing import write_file

RENDERERS: Mapping[str, Callable[[TaskResult], str]] = {"html": render_html, "json": render_json, "csv": render_csv}
NAMES = {"html": "report.html", "json": "result.json", "csv": "result.csv", "grid": "grid.json"}


def write_result_files(
    result: TaskResult, folder: Path, report: Path | None = None
) -> tuple[dict[str, Path], AutotunerError | None]:
    """Write all of them into a task's folder, and the page a second time as ``report``.

    Returns format → path of those that are written, and the first error (STORAGE) of one that is not.
    """
    wanted = {kind: (folder / NAMES[kind], render) for kind, render in RENDERERS.items()}
    if report is not None:
        wanted["report"] = (report.absolute(), render_html)
    written: dict[str, Path] = {}
    failed: AutotunerError | None = None
    for kind, (path, render) in wanted.items():
        try:
            write_file(path, render(result))
        except AutotunerError as error:
            failed = failed or error
        else:
            written[kind] = path
    return written, failed

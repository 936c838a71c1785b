"""What a worker logs: lines of JSON in a file, and on a terminal the same for people."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, NoReturn

import structlog
from structlog.typing import FilteringBoundLogger

Log = FilteringBoundLogger

NAME = "worker.log"
MOST_BYTES, KEPT = 20 * 1024 * 1024, 4
"""Size of the file and number of older ones that are kept."""


@contextmanager
def open_log(folder: Path, *, console: bool) -> Iterator[Log]:
    """A log into ``worker.log`` of a folder; ``console``: also to stderr. What cannot be written is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    file = _Quiet(folder / NAME, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8")
    log: Log = structlog.wrap_logger(
        None,
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Outputs(file, console=console),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
    )
    try:
        yield log
    finally:
        file.close()


class _Quiet(RotatingFileHandler):
    """A full disk must end no task."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name that logging calls)
        """Go on."""


class _Outputs:
    """The last of the processors: renders an entry for each output and writes it."""

    def __init__(self, file: RotatingFileHandler, *, console: bool) -> None:
        self._file = file
        self._console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if console else None
        self._with_traceback = structlog.processors.ExceptionRenderer()
        self._json = structlog.processors.JSONRenderer(default=str)

    def __call__(self, logger: Any, name: str, entry: MutableMapping[str, Any]) -> NoReturn:
        if self._console is not None:
            sys.stderr.write(f"{self._console(logger, name, dict(entry))}\n")
        line = str(self._json(logger, name, self._with_traceback(logger, name, dict(entry))))
        self._file.emit(logging.LogRecord(NAME, logging.INFO, "", 0, line.replace("%", "%%"), (), None))
        raise structlog.DropEvent

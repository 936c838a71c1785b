"""What the service and its workers log: JSON lines in a bounded file, and on stderr for people or collectors."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import Processor

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.secret_values import Redaction
from autotuner.services.settings import Settings

QUIET = ("aiosqlite", "alembic", "asyncio", "httpcore", "httpx", "psycopg", "sqlalchemy", "websockets")
"""Libraries of which only warnings are of interest."""


@contextmanager
def logging_to(
    settings: Settings, name: str, *, secrets: Callable[[], frozenset[str]], console: bool = True
) -> Iterator[Path]:
    """Log to ``<data folder>/logs/<name>.log`` and, with ``console``, to stderr (in words on a terminal, else JSON).

    For the whole process: structlog's loggers and the standard library's, uvicorn's among them, come out alike. Values
    bound with ``structlog.contextvars`` (task, experiment, attempt, request) are in every line. ``secrets`` are blotted
    out; it is asked once, now. AutotunerError(STORAGE) when the file cannot be written.
    """
    path = settings.logs_dir / f"{name}.log"
    blot = _blotting(Redaction(secrets()))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    in_json: list[Processor] = [structlog.processors.format_exc_info, blot, structlog.processors.JSONRenderer()]
    in_words: list[Processor] = [structlog.processors.format_exc_info, blot, structlog.dev.ConsoleRenderer()]
    handlers: list[logging.Handler] = [_file(path, settings)]
    handlers[0].setFormatter(_formatter(shared, in_json))
    if console:
        stderr = logging.StreamHandler(sys.stderr)
        stderr.setFormatter(_formatter(shared, in_words if sys.stderr.isatty() else in_json))
        handlers.append(stderr)
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    root.handlers[:] = handlers
    root.setLevel(settings.log_level.upper())
    levels = {library: logging.getLogger(library).level for library in QUIET}
    for library in QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    try:
        yield path
    finally:
        structlog.reset_defaults()
        root.level, root.handlers[:] = before[0], before[1]
        for library, level in levels.items():
            logging.getLogger(library).setLevel(level)
        for handler in handlers:
            handler.close()


def _file(path: Path, settings: Settings) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))  # for its owner alone
        return logging.handlers.RotatingFileHandler(
            path, maxBytes=settings.log_max_bytes, backupCount=settings.log_files - 1, encoding="utf-8"
        )
    except OSError as error:
        raise AutotunerError(
            ErrorCode.STORAGE,
            "The log cannot be written",
            why=error.strerror or str(error),
            remedy="Make the data folder writable",
            place=str(path),
        ) from error


def _formatter(shared: list[Processor], rendering: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_colours, *rendering],
    )


def _blotting(redaction: Redaction) -> Processor:
    def blot(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        cleaned: dict[str, Any] = redaction.value(event)
        return cleaned

    return blot


def _without_colours(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Without uvicorn's second form of its messages."""
    event.pop("color_message", None)
    return event

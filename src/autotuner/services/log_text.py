"""A part of a server's log as text that is safe to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.store import AttemptRow
from autotuner.contracts.values import Frozen
from autotuner.services.artefacts import open_artefact

NAME = "server.log"

# A terminal obeys these; the replacements have as many bytes, so that offsets stay what they are in the file.
_CONTROLS = bytes.maketrans(bytes([*range(9), 11, 12, *range(14, 32), 127]), b"?" * 30)
_C1 = re.compile(rb"\xc2[\x80-\x9f]")


class LogPart(Frozen):
    """A part of the log of one server start."""

    attempt: int
    offset: int
    """Byte of the file at which ``text`` begins."""
    size: int
    """Bytes of the whole log."""
    text: bytes
    """UTF-8 as far as the server wrote it; control characters that terminals obey are question marks."""


def log_part(attempts: Sequence[AttemptRow], *, attempt: int | None, offset: int, limit: int) -> LogPart:
    """At most ``limit`` bytes of the log of a start, by its number; None: of the last one that has a log.

    ``offset`` < 0 counts from the end. AutotunerError(NOT_FOUND) when there is no such start or log. Blocks.
    """
    wanted = [one for one in attempts if attempt in (None, one.number)]
    chosen = next((one for one in reversed(wanted) if _has_log(one)), None)
    if chosen is None:
        raise AutotunerError(
            ErrorCode.NOT_FOUND,
            "There is no server log",
            why="the experiment has no such start"
            if attempt is not None and not wanted
            else "it started no server of its own (predictions and running endpoints have no log here)",
            remedy="List the attempts of the experiment",
        )
    opened = open_artefact([chosen], f"attempt-{chosen.number:02d}/{NAME}")
    with opened.file as file:
        start = max(opened.size + offset, 0) if offset < 0 else min(offset, opened.size)
        file.seek(start)
        raw = file.read(limit)
    return LogPart(attempt=chosen.number, offset=start, size=opened.size, text=harmless(raw))


def harmless(raw: bytes) -> bytes:
    """The text with question marks for what terminals obey, as many bytes as before."""
    return _C1.sub(b"??", raw.translate(_CONTROLS))


def _has_log(attempt: AttemptRow) -> bool:
    return attempt.job is not None and (Path(attempt.job.artefact_dir) / NAME).is_file()

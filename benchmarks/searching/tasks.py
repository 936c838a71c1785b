"""All tasks of the comparison by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from searching import measured, recorded, surfaces
from searching.landscape import Task


def task_names(folder: Path, patterns: Sequence[str], *, tuning: bool = False) -> list[str]:
    """Names that one of the patterns matches; the folder holds the tables. ``tuning``: only what may be tuned on."""
    everything = surfaces.names(folder, tuning=tuning)
    if not tuning:
        everything += [*measured.names(folder), *recorded.names()]
    return [name for name in everything if any(fnmatch(name, pattern) for pattern in patterns)]


def load_task(folder: Path, name: str) -> Task:
    """The task of a name. LookupError for an unknown one."""
    for found in (surfaces.tasks(folder, [name]), recorded.tasks([name]), measured.tasks(folder, [name])):
        for task in found:
            return task
    raise LookupError(name)

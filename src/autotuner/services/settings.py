"""Where things lie: one place, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode

PREFIX = "AUTOTUNER_"


@dataclass(frozen=True)
class Settings:
    """Paths and switches.

    ``data_dir``: AUTOTUNER_DATA_DIR, else ``$XDG_DATA_HOME/inference-autotuner`` (``~/.local/share/…``). ``database``:
    AUTOTUNER_DATABASE_URL (a path or URL), else ``autotuner.db`` in it. ``executor``: AUTOTUNER_EXECUTOR.
    ``database_timeout_s``: AUTOTUNER_DATABASE_TIMEOUT, how long a write waits for another program's, seconds.
    """

    data_dir: Path
    database: str
    executor: str = "inline"
    database_timeout_s: float = 30.0

    @property
    def models_dir(self) -> Path:
        """Generated models."""
        return self.data_dir / "models"

    @property
    def artefacts_dir(self) -> Path:
        """Server logs, samples, reports; one folder per task."""
        return self.data_dir / "artefacts"

    @property
    def locks_dir(self) -> Path:
        """One lock file per running task."""
        return self.data_dir / "locks"

    def task_dir(self, task_id: int) -> Path:
        """Artefacts of one task."""
        return self.artefacts_dir / f"task-{task_id}"


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables. AutotunerError(INVALID_VALUE) for one that cannot be read."""
    home = Path(environ.get("HOME") or Path.home())
    shared = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    data_dir = Path(environ.get(f"{PREFIX}DATA_DIR") or shared / "inference-autotuner")
    return Settings(
        data_dir=data_dir,
        database=environ.get(f"{PREFIX}DATABASE_URL") or str(data_dir / "autotuner.db"),
        executor=environ.get(f"{PREFIX}EXECUTOR") or "inline",
        database_timeout_s=_seconds(environ.get(f"{PREFIX}DATABASE_TIMEOUT") or "30"),
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value < 86_400:
        return value
    raise AutotunerError(
        ErrorCode.INVALID_VALUE,
        f"{text!r} is no time to wait for the database",
        why="it must be a number of seconds from 0 to 86400",
        remedy="Correct the variable, or unset it",
        place=f"{PREFIX}DATABASE_TIMEOUT",
    )

"""Where things lie: one place, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import digest

PREFIX = "AUTOTUNER_"
DATABASE = "autotuner.db"


@dataclass(frozen=True)
class Settings:
    """Paths and switches.

    ``data_dir``: AUTOTUNER_DATA_DIR, else ``$XDG_DATA_HOME/inference-autotuner`` (``~/.local/share/…``). ``database``:
    AUTOTUNER_DATABASE_URL (a path or URL), else ``autotuner.db`` in it. ``executor``: AUTOTUNER_EXECUTOR.
    ``database_timeout_s``: AUTOTUNER_DATABASE_TIMEOUT, how long a write waits for another program's, seconds.
    ``store_patience_s``: AUTOTUNER_STORE_PATIENCE, how long a run waits for a database that can't be used, seconds.
    ``own_clients_dir``: AUTOTUNER_CLIENTS_DIR, where benchmark clients are installed; None: in the data folder.
    ``config_dir``: AUTOTUNER_CONFIG_DIR, what people write for all tasks, such as profiles; None: in the data folder.
    """

    data_dir: Path
    database: str
    executor: str = "inline"
    database_timeout_s: float = 30.0
    store_patience_s: float = 600.0
    own_clients_dir: Path | None = None
    config_dir: Path | None = None

    @property
    def profiles_dir(self) -> Path:
        """Files of profiles that people add."""
        return (self.config_dir or self.data_dir / "config") / "profiles"

    @property
    def clients_dir(self) -> Path:
        """Environments of the benchmark clients that are programs of their own."""
        return self.own_clients_dir or self.data_dir / "clients"

    @property
    def models_dir(self) -> Path:
        """Generated models."""
        return self.data_dir / "models"

    @property
    def artefacts_dir(self) -> Path:
        """Server logs, samples, reports; one folder per task."""
        return self.data_dir / "artefacts"

    def lock_path(self, task_id: int) -> Path:
        """The lock file of a running task: beside a database file, so that all who use the file meet there.

        For a database that is no file there is none: ValueError.
        """
        from autotuner.store.location import parse_location  # the store is slow to import

        path = parse_location(self.database).path
        if path is None:
            raise ValueError("a database server keeps its locks itself")
        path = path.resolve()
        return path.parent / "locks" / f"{path.name}.task-{task_id}.lock"

    def task_dir(self, task_id: int) -> Path:
        """Artefacts of one task; of tasks in another database than the data folder's own in a folder of that one."""
        from autotuner.store.location import parse_location

        location = parse_location(self.database)
        if location.path is not None and location.path.absolute() == self.data_dir / DATABASE:
            return self.artefacts_dir / f"task-{task_id}"
        key = location.shown if location.path is None else str(location.path.absolute())
        return self.artefacts_dir / f"database-{digest(key)[:8]}" / f"task-{task_id}"


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables. AutotunerError(INVALID_VALUE) for one that cannot be read."""
    home = Path(environ.get("HOME") or Path.home())
    shared = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    data_dir = Path(environ.get(f"{PREFIX}DATA_DIR") or shared / "inference-autotuner").expanduser().absolute()
    clients = environ.get(f"{PREFIX}CLIENTS_DIR")
    config = environ.get(f"{PREFIX}CONFIG_DIR")
    return Settings(
        data_dir=data_dir,
        database=environ.get(f"{PREFIX}DATABASE_URL") or str(data_dir / DATABASE),
        executor=environ.get(f"{PREFIX}EXECUTOR") or "inline",
        database_timeout_s=_seconds(environ, "DATABASE_TIMEOUT", 30.0),
        store_patience_s=_seconds(environ, "STORE_PATIENCE", 600.0),
        own_clients_dir=Path(clients).expanduser().absolute() if clients else None,
        config_dir=Path(config).expanduser().absolute() if config else None,
    )


def _seconds(environ: Mapping[str, str], name: str, usual: float) -> float:
    text = environ.get(f"{PREFIX}{name}") or str(usual)
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
        place=f"{PREFIX}{name}",
    )

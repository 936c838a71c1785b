"""Where things lie and how the program behaves: one class, read from a file and the environment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.dataclasses import dataclass

from autotuner.config.problems import nearest
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen, digest
from autotuner.deploy.secret_references import is_reference

if TYPE_CHECKING:
    from autotuner.contracts.store import TaskRecord

PREFIX = "AUTOTUNER_"
DATABASE = "autotuner.db"
FILE = "autotuner.toml"
LEAST_TOKEN = 16
"""Characters of a token of one's own."""
MIB = 1024**2

WebhookEvent = Literal["task_completed", "task_failed", "task_cancelled"]
WEBHOOK_EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


def _listed(value: Any) -> Any:
    """A list; text is taken apart at its commas, as variables of the environment need it."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _host_name(host: str) -> str:
    if not host or any(sign in host for sign in "/@ ?#\\") or not host.isascii() or not host.isprintable():
        raise ValueError(f"{host!r} must be name or name:port, without http:// and path")
    return host.lower()


def _strong(token: SecretStr | None) -> SecretStr | None:
    text = "" if token is None else token.get_secret_value()
    if token is not None and (len(text) < LEAST_TOKEN or not text.isascii() or not all("!" <= c <= "~" for c in text)):
        raise ValueError(f"a token needs at least {LEAST_TOKEN} visible ASCII characters, without spaces")
    return token


def _reference(secret: str) -> str:
    if not is_reference(secret):
        raise ValueError("a secret is named as env:NAME or file:/path, and never stands in a file of settings")
    return secret


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Seconds = Annotated[float, Field(ge=0, lt=86_400)]


class Webhook(Frozen):
    """An address that is told how tasks end."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="unique; part of the API's paths")
    url: str = Field(pattern=r"^https?://[^\s/@]+(/\S*)?$", description="http or https address that gets a POST")
    secret: Annotated[str, AfterValidator(_reference)] | None = Field(
        None, description="key of the signature, as env:NAME or file:/path; without one deliveries are not signed"
    )
    events: tuple[WebhookEvent, ...] = Field(WEBHOOK_EVENTS, min_length=1, description="which ends are told")
    allow_private: bool = Field(False, description="true: may lead to this host and to private networks")


def _distinct(webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
    names = [webhook.name for webhook in webhooks]
    if len(names) != len(set(names)):
        raise ValueError("two webhooks have one name")
    return webhooks


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    """Paths and switches. ``load_settings`` reads them; ``KEYS`` says how each is called outside of this program."""

    data_dir: AbsolutePath = Field(description="folder of models, logs, artefacts and the database")
    database: str = Field(description="where tasks are stored: a file, or postgresql://user@host/database")
    executor: str = Field("inline", description="how starts are run: inline, or subprocess")
    database_timeout_s: Seconds = Field(30.0, description="how long a write waits for another program's, seconds")
    store_patience_s: Seconds = Field(
        600.0, description="how long a run waits for a database that cannot be used, seconds"
    )
    own_clients_dir: AbsolutePath | None = Field(None, description="folder where benchmark clients are installed")
    config_dir: AbsolutePath | None = Field(None, description="folder of what people write for all tasks")
    host: str = Field("127.0.0.1", description="address that `autotuner serve` listens on; loopback only")
    port: int = Field(8000, ge=0, le=65_535, description="port of `autotuner serve`; 0: any free one")
    allowed_hosts: Annotated[tuple[Annotated[str, AfterValidator(_host_name)], ...], BeforeValidator(_listed)] = Field(
        (),
        description="names under which the service may be called besides 127.0.0.1, localhost and [::1], such as that "
        "of a proxy before it: name (with the service's port or none) or name:port",
    )
    token: Annotated[SecretStr | None, AfterValidator(_strong)] = Field(
        None, description="token of the service in place of the one in the data folder"
    )
    max_body_bytes: int = Field(4 * MIB, ge=1024, description="largest body of a request, bytes")
    max_archive_bytes: int = Field(1024 * MIB, ge=1024, description="largest archive of a task that is uploaded, bytes")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level of what the service logs"
    )
    log_max_bytes: int = Field(20 * MIB, ge=65_536, description="size at which a log file of the service is rotated")
    log_files: int = Field(5, ge=1, le=100, description="how many log files of the service are kept, the newest too")
    webhooks: Annotated[tuple[Webhook, ...], AfterValidator(_distinct)] = Field(
        (), description="addresses that are told how tasks end; in the file only, as [[webhooks]]"
    )

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

    @property
    def logs_dir(self) -> Path:
        """What the service and its workers log."""
        return self.data_dir / "logs"

    @property
    def token_path(self) -> Path:
        """The file with the token of the service."""
        return self.data_dir / "token"

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

    def folder_of(self, task: TaskRecord) -> Path:
        """Artefacts of one run of a task: those of a later run lie below, so none replaces those of another."""
        return self.run_folder(task.run_of or task.id, task.run)

    def run_folder(self, task_id: int, run: int) -> Path:
        """The same by the task's number and that of its run."""
        whole = self.task_dir(task_id)
        return whole if run == 1 else whole / f"run-{run}"


_OTHER_NAMES = {
    "database": "database_url",
    "database_timeout_s": "database_timeout",
    "store_patience_s": "store_patience",
    "own_clients_dir": "clients_dir",
}
KEYS: Mapping[str, str] = {field.name: _OTHER_NAMES.get(field.name, field.name) for field in fields(Settings)}
"""Field of ``Settings`` → its key in the file; the variable is ``PREFIX`` and the key in capitals."""
FILE_ONLY = frozenset({"webhooks"})
"""Fields that no variable can hold."""
VARIABLE_ONLY = frozenset({"token"})
"""Fields that do not stand in a file: secrets."""


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + KEYS[field].upper()


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables, then from the file (AUTOTUNER_CONFIG_FILE, else ``autotuner.toml`` in the
    configuration folder), then defaults. An empty variable is none.

    AutotunerError: MISSING_FILE, INVALID_DOCUMENT (no TOML), UNKNOWN_KEY, INVALID_VALUE with the variable or key.
    """
    home = Path(environ.get("HOME") or Path.home())
    shared = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    given: dict[str, Any] = {
        field: environ[variable(field)] for field in KEYS if field not in FILE_ONLY and environ.get(variable(field))
    }
    data_dir = Path(given.get("data_dir", shared / "inference-autotuner")).expanduser().absolute()
    named = environ.get(f"{PREFIX}CONFIG_FILE")
    file = Path(named or Path(given.get("config_dir", data_dir / "config")) / FILE).expanduser().absolute()
    written = _read_file(file, must_exist=bool(named))
    values = {"data_dir": data_dir, **written, **given}
    values.setdefault("database", str(Path(values["data_dir"]).expanduser().absolute() / DATABASE))
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(first["loc"], str(first["msg"]), file, frozenset(given)) from None


def _read_file(file: Path, *, must_exist: bool) -> dict[str, Any]:
    """Fields by name, as the file gives them."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if not must_exist:
            return {}
        raise _unreadable(file, "there is no such file") from error
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AutotunerError(
            ErrorCode.INVALID_DOCUMENT,
            "The file of settings is no TOML",
            why=str(error),
            remedy="Correct the line",
            place=str(file),
        ) from error
    by_key = {key: field for field, key in KEYS.items() if field not in VARIABLE_ONLY}
    for key in document:
        if key not in by_key:
            near = nearest(key, by_key)
            raise AutotunerError(
                ErrorCode.UNKNOWN_KEY,
                f"There is no setting {key!r}",
                why="a token is no part of a file of settings"
                if key in VARIABLE_ONLY
                else "the file may hold known keys",
                remedy=f"Did you mean {near!r}?" if near else "docs/reference/settings.md lists them",
                place=f"{file}: {key}",
            )
    return {by_key[key]: value for key, value in document.items()}


def _unreadable(file: Path, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.MISSING_FILE,
        "The file of settings cannot be read",
        why=why,
        remedy=f"Correct {PREFIX}CONFIG_FILE or the file's permissions",
        place=str(file),
    )


def _wrong(loc: tuple[int | str, ...], message: str, file: Path, given: frozenset[str]) -> AutotunerError:
    field = str(loc[0])
    if field in given:
        place, remedy = variable(field), "Correct the variable, or unset it"
    else:
        deeper = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc[1:])
        place, remedy = f"{file}: {KEYS.get(field, field)}{deeper}", "Correct the file"
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        "A setting cannot be used",
        why=message.removeprefix("Value error, "),
        remedy=remedy,
        place=place,
    )

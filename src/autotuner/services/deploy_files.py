"""Files that start the winner exactly as it was measured: a shell script and a systemd unit.

The key that clients must send is never written: both read it from the environment, under the name that the engine
itself reads (the variable whose value in the command is the stand-in), else as ``AUTOTUNER_API_KEY``. Secrets that the
document names by reference are read where it says, or from the unit's file of secrets.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from autotuner.contracts.attempt import API_KEY, HOST, PORT, AttemptJob, Command, file_argument
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.deploy.secret_references import is_reference

DEFAULT_KEY_VARIABLE = "AUTOTUNER_API_KEY"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def shell_command(job: AttemptJob, *, host: str = "127.0.0.1", port: int = 8000) -> str:
    """A POSIX shell script that becomes the server of the job, listening on ``host``:``port``.

    It sets the job's environment, pins the server to its cores by ``taskset``, and stops with a sentence when the key
    is not in the environment. Raises AutotunerError for a job that launches nothing or has an impossible variable.
    """
    command = _command(job)
    lines = ["#!/bin/sh", f"# {_title(job)}", "set -eu"]
    key = _key_variable(command)
    if key is not None:
        lines.append(f': "${{{key}:?set it to the key that clients must send}}"')
    for name, value in command.env.items():
        if value == API_KEY:
            lines.append(f"export {name}" if name == key else f'export {name}="${{{key}}}"')
        elif is_reference(value):
            lines.append(f"export {name}={_read_by_shell(value)}")
        else:
            lines.append(f"export {name}={shlex.quote(_placed(value, host, port))}")
    lines += _written_files(command, key or DEFAULT_KEY_VARIABLE)
    words = shell_words(command.argv, host=host, port=port, key=key or DEFAULT_KEY_VARIABLE)
    for name in command.files:
        words = words.replace(shlex.quote(file_argument(name)), f'"$files"/{shlex.quote(name)}')
    pinned = _core_list(job)
    lines.append(f"exec {'taskset -c ' + ','.join(pinned) + ' ' if pinned else ''}{words}")
    return "\n".join(lines) + "\n"


def _read_by_shell(reference: str) -> str:
    """A word of a shell that becomes the secret."""
    kind, _, name = reference.partition(":")
    return f'"${{{name}:?set it}}"' if kind == "env" else f'"$(cat -- {shlex.quote(name)})"'


def _written_files(command: Command, key: str) -> list[str]:
    """Lines that write the command's files into a folder of their own; the server's key is put in from the variable."""
    if not command.files:
        return []
    lines = ["umask 077", "files=$(mktemp -d)"]
    for name, text in command.files.items():
        quoted = text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")
        quoted = quoted.replace(json.dumps(API_KEY), f'"${{{key}}}"').rstrip("\n")
        lines += [f'cat > "$files"/{shlex.quote(name)} <<END_OF_FILE', quoted, "END_OF_FILE"]
    return lines


def shell_words(argv: Sequence[str], *, host: str, port: int, key: str = DEFAULT_KEY_VARIABLE) -> str:
    """An argument list as a shell takes it, with the stand-ins replaced; the key is read from the variable ``key``."""
    return " ".join(
        f'"${{{key}:?set a key}}"' if word == API_KEY else shlex.quote(_placed(word, host, port)) for word in argv
    )


def systemd_unit(
    job: AttemptJob, *, host: str = "127.0.0.1", port: int = 8000, key_file: str = "/etc/inference-autotuner/server.env"
) -> str:
    """A systemd service for the job, listening on ``host``:``port``; the key is read from ``key_file`` when it has one.

    Raises AutotunerError for a job that launches nothing, or whose program is a relative path (systemd has no current
    folder to find it in).
    """
    command = _command(job)
    if command.files:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "no systemd unit can start this server",
            why=f"it reads {', '.join(command.files)}, which is written at each start",
            remedy="use the shell script",
        )
    program = command.argv[0]
    if "/" in program and not program.startswith("/"):
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"no systemd unit can start {program}",
            why="systemd needs the absolute path of a program",
            remedy="give the runtime an absolute path, or use the shell script",
        )
    key = _key_variable(command)
    lines = [
        "[Unit]",
        f"Description={_specifiers(_title(job))}",
        "Wants=network-online.target",
        "After=network-online.target",
        "StartLimitIntervalSec=300",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=exec",
        "# The server should have a user of its own that can read the model: User=…",
    ]
    secret = [*([key] if key else []), *(name for name, value in command.env.items() if is_reference(value))]
    if secret:
        wanted = f"one line: {key}=…" if secret == [key] else f"the lines {', '.join(f'{name}=…' for name in secret)}"
        lines += [
            f"# A file that only root can read, with {wanted}",
            f"EnvironmentFile={_specifiers(key_file)}",
        ]
    for name, value in command.env.items():
        if value != API_KEY and not is_reference(value):
            lines.append(f"Environment={_systemd_quote(f'{name}={_placed(value, host, port)}', dollars=False)}")
    words = [_systemd_quote(program, dollars=False)]
    words += [
        f'"${{{key}}}"' if word == API_KEY else _systemd_quote(_placed(word, host, port), dollars=True)
        for word in command.argv[1:]
    ]
    lines.append(f"ExecStart={' '.join(words)}")
    pinned = _core_list(job)
    if pinned:
        lines.append(f"CPUAffinity={' '.join(pinned)}")
    # Nothing here hides devices, home folders or temporary files, or forbids code made at run time: engines need them.
    lines += [
        "Restart=on-failure",
        "RestartSec=5",
        "TimeoutStopSec=30",
        "LimitMEMLOCK=infinity",
        "NoNewPrivileges=yes",
        "ProtectSystem=full",
        "ProtectControlGroups=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _command(job: AttemptJob) -> Command:
    command = job.command
    if command is None or not command.argv:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            "there is nothing to deploy",
            why=f"the deployment mode {job.deployment} measures a server that somebody else started",
            remedy="use a task with a deployment mode that starts the server",
        )
    for name in command.env:
        if not _NAME.fullmatch(name):
            raise AutotunerError(
                ErrorCode.INVALID_VALUE,
                f"{name!r} is not the name of an environment variable",
                why="names have letters, digits and underscores only",
                remedy="rename it in the runtime's env",
                place="runtime.env",
            )
    return command


def _key_variable(command: Command) -> str | None:
    """The variable that the files read the key from; None when the server takes no key."""
    named = [name for name, value in command.env.items() if value == API_KEY]
    if named:
        return named[0]
    in_files = any(json.dumps(API_KEY) in text for text in command.files.values())
    return DEFAULT_KEY_VARIABLE if in_files or API_KEY in command.argv else None


def _placed(word: str, host: str, port: int) -> str:
    return host if word == HOST else str(port) if word == PORT else word


def _core_list(job: AttemptJob) -> list[str]:
    return [str(core) for core in job.cores.server or ()]


def _title(job: AttemptJob) -> str:
    """One line without control characters: it stands in a comment, where a line break would start a command."""
    text = f"{job.served_name}: experiment {job.experiment_number} of task {job.task_name}"
    return _CONTROL.sub("?", text).rstrip("\\")


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _systemd_quote(word: str, *, dollars: bool) -> str:
    """One word in double quotes (systemd.syntax, systemd.service). ``dollars``: where variables are substituted."""
    text = word.replace("\\", "\\\\").replace('"', '\\"')
    text = "".join(
        "".join(f"\\x{byte:02x}" for byte in c.encode()) if _CONTROL.fullmatch(c) else c for c in _specifiers(text)
    )
    return f'"{text.replace("$", "$$") if dollars else text}"'

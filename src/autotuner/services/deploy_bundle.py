"""All files that start a configuration as it was measured, and which kinds cannot be had, and why."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from autotuner.contracts.attempt import API_KEY, AttemptJob
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import Frozen
from autotuner.services.deploy_files import shell_command, systemd_unit

DeployKind = Literal["shell", "systemd", "engine_config", "docker_compose", "kubernetes"]


class DeployFile(Frozen):
    """One file."""

    kind: DeployKind = Field(description="what it is for")
    name: str = Field(description="usual name of the file")
    media_type: str = Field(description="its media type")
    text: str = Field(description="what stands in it; keys never do")


class NoDeployFile(Frozen):
    """A kind of file that cannot be had."""

    kind: DeployKind = Field(description="what it would be for")
    why: str = Field(description="why not")


class DeployFiles(Frozen):
    """The files that start a configuration as it was measured."""

    task_id: int = Field(description="number of the task")
    experiment_id: int = Field(description="number of the experiment within its task")
    predicted: bool = Field(description="the configuration was chosen by predictions; no server of it was started")
    files: tuple[DeployFile, ...] = Field(description="the files that there are")
    not_available: tuple[NoDeployFile, ...] = Field((), description="the kinds that cannot be had")


def deploy_files(job: AttemptJob, task_id: int, *, predicted: bool, host: str, port: int) -> DeployFiles:
    """The files of a start's configuration, listening on ``host``:``port``.

    AutotunerError(UNSUPPORTED) for a job that launches nothing.
    """
    script = shell_command(job, host=host, port=port)
    files = [DeployFile(kind="shell", name="serve.sh", media_type="text/x-shellscript", text=script)]
    missing: list[NoDeployFile] = []
    try:
        unit = systemd_unit(job, host=host, port=port)
    except AutotunerError as error:
        missing.append(NoDeployFile(kind="systemd", why=error.why))
    else:
        files.append(DeployFile(kind="systemd", name="llm-server.service", media_type="text/plain", text=unit))
    own = {} if job.command is None else job.command.files
    files += [_engine_file(name, text) for name, text in own.items()]
    if not own:
        why = "the server was started by arguments alone, without a configuration file"
        missing.append(NoDeployFile(kind="engine_config", why=why))
    in_container = "it was measured outside a container, so no image is known that holds this engine as it was"
    missing += [NoDeployFile(kind=kind, why=in_container) for kind in ("docker_compose", "kubernetes")]
    return DeployFiles(
        task_id=task_id,
        experiment_id=job.experiment_number,
        predicted=predicted,
        files=tuple(files),
        not_available=tuple(missing),
    )


def _engine_file(name: str, text: str) -> DeployFile:
    media_type = "application/json" if name.endswith(".json") else "application/yaml"
    without_key = text.replace(json.dumps(API_KEY), json.dumps("set the key that clients must send"))
    return DeployFile(kind="engine_config", name=name, media_type=media_type, text=without_key)

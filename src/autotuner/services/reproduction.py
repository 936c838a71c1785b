"""How to start an experiment's server again exactly as it was measured."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import ExperimentItem
from autotuner.contracts.store import AttemptRow
from autotuner.contracts.values import Frozen
from autotuner.services.deploy_files import shell_command
from autotuner.services.report.json_export import finite

OWN = frozenset({AttemptReason.FIRST, AttemptReason.RETRY, AttemptReason.RESUME})


class Reproduction(Frozen):
    """What started the server of an experiment, and how it was measured."""

    task_id: int = Field(description="number of the task")
    experiment_id: int = Field(description="number of the experiment within its task")
    attempt: int = Field(description="number of the start that this is of")
    command: tuple[str, ...] = Field(description="arguments, with {host}, {port}, {api_key} as stand-ins")
    command_line: str = Field(description="the same arguments as a shell reads them, with the same stand-ins")
    environment: dict[str, str] = Field(description="variables that were added, with the same stand-ins")
    files: dict[str, str] = Field(description="name → text of files that the server reads; {file:NAME} is their path")
    script: str = Field(description="a shell script that starts it")
    cores: tuple[int, ...] | None = Field(None, description="cores that the server was pinned to; null: none")
    engine_version: str | None = Field(None, description="version of the engine that answered")
    host: dict[str, Any] = Field(description="where it ran: host name, CPU, cores, versions")
    client: str = Field(description="benchmark client that measured it")
    load_points: tuple[str, ...] = Field(description="the loads it was measured under")
    repeats: int = Field(description="measurements of each")


def reproduction(
    item: ExperimentItem, attempts: Sequence[AttemptRow], *, host: str = "127.0.0.1", port: int = 8000
) -> Reproduction:
    """The start that gave an experiment its figures, else its last one.

    AutotunerError(NO_RESULT) for one that started no server of its own.
    """
    own = [one for one in attempts if one.reason in OWN and one.job is not None and one.job.command is not None]
    good = [one for one in own if one.status is AttemptStatus.SUCCESS]
    chosen = (good or own)[-1] if own else None
    if chosen is None or chosen.job is None or chosen.job.command is None:
        raise AutotunerError(
            ErrorCode.NO_RESULT,
            "There is nothing to start again",
            why=f"experiment {item.number} of task {item.task_id} has not started a server of its own",
            remedy="Choose another experiment",
            place=f"experiment {item.id}",
        )
    job, command = chosen.job, chosen.job.command
    described = finite(chosen.host)
    return Reproduction(
        task_id=item.task_id,
        experiment_id=item.number,
        attempt=chosen.number,
        command=command.argv,
        command_line=shlex.join(command.argv),
        environment=command.env,
        files=command.files,
        script=shell_command(job, host=host, port=port),
        cores=job.cores.server,
        engine_version=chosen.engine_version,
        host=described if isinstance(described, dict) else {},
        client=job.client,
        load_points=tuple(point.name for point in job.workload.load_points),
        repeats=job.workload.repeats,
    )

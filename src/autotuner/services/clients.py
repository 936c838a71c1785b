"""The benchmark clients that are programs of their own: where they are, what they mean for a plan."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from autotuner.benchmark.registry import CLIENTS
from autotuner.contracts.client import BenchmarkClient, ClientPackage, SeparateClient
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen, digest
from autotuner.planning.plan import Plan
from autotuner.planning.planner import expected_windows
from autotuner.services.settings import Settings

READY = "ready.json"
"""Written last: an environment without it is half made."""


class ClientState(Frozen):
    """One benchmark client and whether it can be used."""

    name: str
    version: str | None = Field(description="the version that this program knows; None: part of this program")
    state: Literal["built in", "installed", "not installed"]
    path: str | None = None


def list_clients(settings: Settings) -> list[ClientState]:
    """All registered clients, the preferred one first."""
    return list(_states(settings))


def _states(settings: Settings) -> Iterator[ClientState]:
    for name in CLIENTS.names():
        client = CLIENTS.load(name)()
        if not isinstance(client, SeparateClient):
            yield ClientState(name=name, version=None, state="built in")
            continue
        folder = environment(client.package, settings)
        there = python_of(client.package, settings) is not None
        yield ClientState(
            name=name,
            version=client.package.version,
            state="installed" if there else "not installed",
            path=str(folder) if there else None,
        )


def separate_client(name: str) -> SeparateClient:
    """The client of that name. AutotunerError: UNKNOWN_NAME, UNSUPPORTED for one that is part of this program."""
    client = CLIENTS.load(name)()
    if isinstance(client, SeparateClient):
        return client
    others = [other for other in CLIENTS.names() if isinstance(CLIENTS.load(other)(), SeparateClient)]
    raise AutotunerError(
        ErrorCode.UNSUPPORTED,
        f"the benchmark client {client.name} is not installed apart",
        why="it is part of this program",
        remedy=f"Name one of {', '.join(others)}",
    )


def environment(package: ClientPackage, settings: Settings) -> Path:
    """The folder of its environment: another one for other pins or another Python."""
    pins = [file.read_text(encoding="utf-8") for file in package.requirements]
    key = digest([package.name, package.version, pins, list(sys.version_info[:3])])
    return settings.clients_dir / package.name / key[:12]


def python_of(package: ClientPackage, settings: Settings) -> Path | None:
    """The interpreter of a finished environment; None when there is none."""
    folder = environment(package, settings)
    try:
        ready = json.loads((folder / READY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    python = folder / "bin" / "python"
    return python if ready.get("version") == package.version and python.exists() else None


def with_client(plan: Plan, client: BenchmarkClient, settings: Settings) -> Plan:
    """The plan as that client carries it out. AutotunerError(UNSUPPORTED) for a load that it cannot produce."""
    if not isinstance(client, SeparateClient):
        return replace(plan, client=client.name, client_python=None)
    refused = client.refusal(plan.workload, plan.server.completions_path)
    if refused is not None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"the benchmark client {client.name} cannot produce this load",
            why=refused,
            remedy="Change the block benchmark, or use the builtin client",
            place="benchmark",
        )
    python = python_of(client.package, settings)
    more_s = expected_windows(plan.workload) * client.point_overhead_s
    per_start_s = plan.estimate.per_start_s + more_s
    estimate = replace(plan.estimate, per_start_s=per_start_s)
    return replace(plan, client=client.name, client_python=None if python is None else str(python), estimate=estimate)


def check_client(plan: Plan) -> None:
    """AutotunerError(MISSING_EXTRA) when the plan's client must be installed first."""
    if plan.client_python is not None or plan.client not in CLIENTS.names():
        return  # not in the list: an engine's own
    if isinstance(CLIENTS.load(plan.client)(), SeparateClient):
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the benchmark client {plan.client} is not installed",
            why="it is a program of its own, with an environment of its own",
            remedy=f"Run `autotuner client install {plan.client}`",
            place="benchmark.engine",
        )

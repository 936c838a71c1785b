"""What this machine can run, and why not: checks as data."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import Field

from autotuner.contracts.engine import Runtime
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.values import Frozen
from autotuner.engines.registry import ENGINES, engine
from autotuner.services.host import describe_host
from autotuner.services.settings import Settings
from autotuner.store.location import parse_location
from autotuner.store.maintenance import schema_state
from autotuner.telemetry.nvml import LIBRARY, Nvml

PACKAGE = "inference-autotuner"
LEAST_FREE_BYTES = 1_000_000_000
_EXTRA = re.compile(r"""^(?P<name>[A-Za-z0-9._-]+).*;.*extra\s*==\s*["'](?P<extra>[^"']+)["']""")


class Check(Frozen):
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "warning", "problem"] = Field(
        description="warning: something cannot be used; problem: nothing can be run until it is mended"
    )
    found: str
    remedy: str | None = None


def run_checks(settings: Settings) -> list[Check]:
    """All checks, in the order in which they are shown. Starts no server and creates no database. Blocks."""
    return [
        _python(),
        *_host(),
        *(_engine(name) for name in ENGINES.names()),
        _data_dir(settings.data_dir),
        _database(settings),
        _gpu(),
        *_extras(),
    ]


def _python() -> Check:
    enough = sys.version_info >= (3, 11)
    return Check(
        name="python",
        state="ok" if enough else "problem",
        found=platform.python_version(),
        remedy=None if enough else "Install Python 3.11 or newer",
    )


def _host() -> Iterator[Check]:
    facts = describe_host()
    cores = len(os.sched_getaffinity(0))
    yield Check(
        name="cores",
        state="ok" if cores > 1 else "warning",
        found=f"{cores} ({facts['cpu_model'] or 'unknown model'})",
        remedy=None if cores > 1 else "With one core, server and client disturb each other: use two or more",
    )
    yield Check(name="memory", state="ok", found=str(facts["memory_kib"] or "unknown"))


def _engine(name: str) -> Check:
    title = f"engine {name}"
    try:
        info = engine(name).check_runtime(Runtime())
    except AutotunerError as error:
        return Check(name=title, state="warning", found=f"{error.what}: {error.why}", remedy=error.remedy)
    return Check(name=title, state="ok", found=f"{info.version} {info.detail}".rstrip())


def _data_dir(folder: Path) -> Check:
    above = folder.absolute()
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        remedy = "Choose another folder with --data-dir or AUTOTUNER_DATA_DIR"
        return Check(name="data folder", state="problem", found=f"{folder}: {above} is not writable", remedy=remedy)
    free = shutil.disk_usage(above).free
    found = f"{folder}, {free / 1e9:.1f} GB free" + ("" if folder.exists() else " (made when needed)")
    if free < LEAST_FREE_BYTES:
        return Check(name="data folder", state="warning", found=found, remedy="Free some space: logs need it")
    return Check(name="data folder", state="ok", found=found)


def _database(settings: Settings) -> Check:
    try:
        location = parse_location(settings.database)
        if location.path is not None and not location.path.exists():
            return Check(name="database", state="ok", found=f"{location.shown} (made by the first run)")
        state = asyncio.run(schema_state(settings.database, busy_timeout_s=settings.database_timeout_s))
    except AutotunerError as error:
        found = f"{error.place or settings.database}: {error.why}"
        return Check(name="database", state="problem", found=found, remedy=error.remedy)
    if state.current == state.head:
        return Check(name="database", state="ok", found=f"{location.shown}, schema {state.head}")
    found = f"{location.shown}, schema {state.current or 'none'}, this version needs {state.head}"
    return Check(name="database", state="problem", found=found, remedy="Run `autotuner db upgrade`")


def _gpu() -> Check:
    devices = sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*"))
    devices += ["/dev/kfd"] if Path("/dev/kfd").exists() else []
    nvml = Nvml.open()
    if nvml is not None:
        names = [name for name in nvml.names() if name]
        nvml.close()
        if names:
            return Check(name="GPU", state="ok", found=", ".join(names))
    if devices:
        found = f"{', '.join(devices)}; without {LIBRARY} their use and power are not measured"
        return Check(name="GPU", state="ok", found=found)
    return Check(
        name="GPU",
        state="warning",
        found="none",
        remedy="Not needed for CPU engines; `autotuner demo` searches predicted figures of GPUs",
    )


def _extras() -> Iterator[Check]:
    """Optional dependencies, as the package itself declares them."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires(PACKAGE) or ():
        found = _EXTRA.match(line)
        if found:
            wanted.setdefault(found["extra"], []).append(found["name"])
    for extra, names in wanted.items():
        missing = [name for name in names if not _installed(name)]
        yield Check(
            name=f"extra {extra}",
            state="warning" if missing else "ok",
            found=f"without {', '.join(missing)}" if missing else ", ".join(names),
            remedy=f"pip install '{PACKAGE}[{extra}]'" if missing else None,
        )


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True

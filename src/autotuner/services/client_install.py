"""Installs a benchmark client into an environment of its own.

An environment is whole or it is not there: the file that says that it is ready is written last, after it has shown that
it runs. What a killed installation has left is removed by the next one; its pip ends with it.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from autotuner.benchmark.external.program import OverTimeError, run_program
from autotuner.contracts.client import ClientPackage
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.services.clients import READY, environment, python_of
from autotuner.services.settings import Settings
from autotuner.services.writing import unwritable, write_file

Tell = Callable[[str], None]

STEP_S = 3600.0
CHECK_S = 300.0
LOG = "install.log"
FOLLOW_S = 1.0
_SHOWN = re.compile(r"(Collecting|Downloading|Installing collected packages|Successfully installed)\b[^(]{0,160}")
_NO_NETWORK = re.compile(
    r"(name resolution|Name or service not known|Network is unreachable|Connection refused|NewConnectionError|"
    r"ProxyError|SSLError|Read timed out|No matching distribution)"
)
_NO_DISK = re.compile(r"No space left on device|Disk quota exceeded")


async def install_client(package: ClientPackage, settings: Settings, tell: Tell) -> tuple[Path, bool]:
    """The folder of the client's environment, and whether it was made now.

    ``tell`` is told what goes on. AutotunerError: UNSUPPORTED for this Python, STORAGE without room or permission,
    UNREACHABLE when the packages cannot be had, TASK_BUSY while another process installs it, NO_RESULT when the
    finished environment does not run.
    """
    _check_python(package)
    folder = environment(package, settings)
    if await asyncio.to_thread(python_of, package, settings) is not None:
        return folder, False
    with _alone(folder, package):
        if await asyncio.to_thread(python_of, package, settings) is not None:
            return folder, False
        if await asyncio.to_thread(folder.exists):
            tell("Removing what an installation that was cut off has left.")
            await asyncio.to_thread(shutil.rmtree, folder)
        _check_room(package, folder.parent)
        log = folder.parent / LOG
        log.write_bytes(b"")
        try:
            await _make(package, folder, log, tell)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        return folder, True


async def _make(package: ClientPackage, folder: Path, log: Path, tell: Tell) -> None:
    tell(f"Making the environment {folder}.")
    await _step([sys.executable, "-m", "venv", str(folder)], package, log, STEP_S)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    for number, file in enumerate(package.requirements, start=1):
        tell(f"Installing {package.name} {package.version}, part {number} of {len(package.requirements)}.")
        async with _following(log, tell):
            await _step([*pip, "-r", str(file)], package, log, STEP_S)
    tell("Checking that it runs.")
    try:
        await _step([python, "-c", package.check], package, log, CHECK_S)
    except AutotunerError as error:
        raise AutotunerError(
            ErrorCode.NO_RESULT,
            f"{package.name} was installed but does not run",
            why=error.why,
            remedy=f"Look at {log}; another Python may help",
        ) from error
    write_file(folder / READY, json.dumps({"client": package.name, "version": package.version}) + "\n")


async def _step(command: Sequence[str], package: ClientPackage, log: Path, limit_s: float) -> None:
    before = await asyncio.to_thread(_size, log)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        ended = await run_program(command, env=env, folder=log.parent, log=log, limit_s=limit_s)
    except OverTimeError:
        raise _failed(package, f"a step took longer than {limit_s:.0f} s", log) from None
    except OSError as error:
        raise unwritable(log.parent, (error.strerror or str(error)).lower()) from error
    if ended.code == 0:
        return
    said = await asyncio.to_thread(_since, log, before)
    if _NO_DISK.search(said):
        raise _no_room(package, log.parent)
    if _NO_NETWORK.search(said):
        raise AutotunerError(
            ErrorCode.UNREACHABLE,
            f"{package.name} cannot be installed: its packages cannot be had",
            why=_last_sentence(said),
            remedy="Check the network and pip's own settings (such as PIP_INDEX_URL), and run the same again",
        )
    raise _failed(package, _last_sentence(said) or f"exit code {ended.code}", log)


def _size(log: Path) -> int:
    return log.stat().st_size


def _since(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def _failed(package: ClientPackage, why: str, log: Path) -> AutotunerError:
    return AutotunerError(
        ErrorCode.NO_RESULT,
        f"{package.name} cannot be installed",
        why=why,
        remedy=f"Look at {log}, and run the same again",
    )


def _last_sentence(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[-1][:300] if errors else ""


@asynccontextmanager
async def _following(log: Path, tell: Tell) -> AsyncIterator[None]:
    """Tells the lines of the log that show progress, while the block runs."""

    async def follow() -> None:
        read = _size(log)
        while True:
            await asyncio.sleep(FOLLOW_S)
            read = _tell_new(log, read, tell)

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait({following})


def _tell_new(log: Path, read: int, tell: Tell) -> int:
    with log.open("rb") as file:
        file.seek(read)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        found = _SHOWN.match(line.strip())
        if found:
            tell(found[0])
    return read + len(whole)


def _check_python(package: ClientPackage) -> None:
    low, below = package.pythons
    if not low <= sys.version_info[:2] < below:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"{package.name} {package.version} cannot be installed with this Python",
            why=f"it needs {low[0]}.{low[1]} to {below[0]}.{below[1] - 1}, and this is {sys.version.split()[0]}",
            remedy="Run this program with such a Python",
        )


def _check_room(package: ClientPackage, folder: Path) -> None:
    if shutil.disk_usage(folder).free < package.disk_bytes:
        raise _no_room(package, folder)


def _no_room(package: ClientPackage, folder: Path) -> AutotunerError:
    return AutotunerError(
        ErrorCode.STORAGE,
        f"there is no room for {package.name}",
        why=f"it needs {package.disk_bytes / 1e9:.0f} GB, and {shutil.disk_usage(folder).free / 1e9:.1f} GB are free",
        remedy="Free some space, or choose another folder with AUTOTUNER_CLIENTS_DIR",
        place=str(folder),
    )


@contextmanager
def _alone(folder: Path, package: ClientPackage) -> Iterator[None]:
    """Hold the client's lock: the kernel gives it back, however its holder ends."""
    path = folder.parent / ".lock"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise unwritable(path, (error.strerror or str(error)).lower()) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AutotunerError(
                ErrorCode.TASK_BUSY,
                f"{package.name} is being installed by another process",
                why=f"it holds {path}",
                remedy="Wait until it is done",
            ) from None
        yield

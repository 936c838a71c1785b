"""Which version of an engine a Python environment holds, asked of that environment."""

from __future__ import annotations

import asyncio
import importlib.metadata
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from autotuner.contracts.engine import Catalogue, Runtime, RuntimeInfo
from autotuner.contracts.errors import AutotunerError, ErrorCode

CHECK_TIMEOUT_S = 30.0

_PROGRAM = """
import importlib.metadata as m
for name in {packages!r}:
    try:
        print(name, m.version(name))
        break
    except m.PackageNotFoundError:
        pass
"""


def interpreter(runtime: Runtime) -> str:
    """``runtime.python`` is an interpreter (its name starts with python) or the folder of a venv; default: this one.

    ``~`` stands for the home of the user, since no shell sees the document.
    """
    if runtime.python is None:
        return sys.executable
    path = Path(runtime.python).expanduser()
    return str(path) if path.name.startswith(("python", "pypy")) else str(path / "bin" / "python")


def check_installed(runtime: Runtime, packages: Sequence[str], catalogue: Catalogue) -> RuntimeInfo:
    """What would be started. AutotunerError: MISSING_EXTRA without the engine, MISSING_FILE without the command.

    ``packages``: distributions that hold the engine; the first that is there counts. A command is not run: its version
    is what the running server tells.
    """
    engine = catalogue.engine
    if runtime.command is not None:
        program = runtime.command[0]
        if shutil.which(program) is None:
            raise AutotunerError(
                ErrorCode.MISSING_FILE,
                f"the command {program} cannot be started",
                why="there is no such program",
                remedy="set runtime.command to the program that starts the engine",
                place="runtime.command",
            )
        return RuntimeInfo(version="", detail=" ".join(runtime.command))
    name, version = _version(runtime, packages)
    if version is None:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the engine {engine} is not installed in {interpreter(runtime)}",
            why=f"it has none of the packages {', '.join(packages)}",
            remedy="set runtime.python to the environment that has it",
            place="runtime.python",
        )
    return RuntimeInfo(version=version, detail=f"{name} {version}", cpu_build=name.endswith("-cpu"))


def version_warning(catalogue: Catalogue, version: str | None) -> str | None:
    """That the engine is of another minor version than the catalogue; None when it is not, or nothing is known."""
    if not version or _minor(version) == _minor(catalogue.version) or not catalogue.version[:1].isdigit():
        return None
    return f"the parameters of {catalogue.engine} are known for {catalogue.version}, and {version} is installed"


def _minor(version: str) -> list[str]:
    return version.removeprefix("v").split(".")[:2]


def _version(runtime: Runtime, packages: Sequence[str]) -> tuple[str, str | None]:
    if runtime.python is None:
        for name in packages:
            try:
                return name, importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return "", None
    program = interpreter(runtime)
    try:
        output = _run([program, "-c", _PROGRAM.format(packages=tuple(packages))])
    except (OSError, TimeoutError) as error:
        raise AutotunerError(
            ErrorCode.MISSING_EXTRA,
            f"the interpreter {program} cannot be used",
            why=str(error) or "it did not answer",
            remedy="set runtime.python to a virtual environment or its interpreter",
            place="runtime.python",
        ) from error
    found = output.split()
    return (found[0], found[1]) if len(found) == 2 else ("", None)


def _run(argv: Sequence[str]) -> str:
    async def communicate() -> str:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), CHECK_TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return output.decode(errors="replace")

    # In a thread of its own, because the caller's may have a loop already.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, communicate()).result()

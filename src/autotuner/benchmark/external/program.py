"""Runs one program under the guard: bounded in time, pinned, gone with all it started when this returns."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

GUARD = Path(__file__).with_name("guard.py")
STOP_S = 10.0
"""The guard kills at once; if it does not end in this time it is killed itself, and the kernel ends the program."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (a signal as negative number), what it cost, and what it wrote last."""

    code: int
    seconds: float
    cpu_s: float


class OverTimeError(Exception):
    """The program took longer than it may; it is gone."""


async def run_program(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path,
    log: Path,
    limit_s: float,
    cores: Sequence[int] | None = None,
    own_folder: bool = False,
) -> Ended:
    """Run a program (an absolute path and its arguments) to its end, its output in ``log``.

    Whatever ends this call, nothing of the program is left; if this process is killed, neither is the folder, when it
    is the program's ``own_folder``. OverTimeError after ``limit_s``; OSError when it or the log
    cannot be made.
    """
    pinned = ",".join(map(str, cores)) if cores else "-"
    began = monotonic()
    with log.open("ab") as output:
        guard = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", str(GUARD), pinned, str(folder) if own_folder else "-", *command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            cwd=folder,
            env=dict(env),
        )
    reading = asyncio.create_task(_all_of(guard))
    try:
        async with asyncio.timeout(limit_s):
            report = await asyncio.shield(reading)
    except TimeoutError:
        raise OverTimeError from None
    finally:
        await _stop(guard, reading)
    said = json.loads(report) if report.strip() else {"code": -9, "cpu_s": 0.0}
    return Ended(int(said["code"]), monotonic() - began, float(said["cpu_s"]))


async def _all_of(guard: asyncio.subprocess.Process) -> bytes:
    return b"" if guard.stdout is None else await guard.stdout.read()


async def _stop(guard: asyncio.subprocess.Process, reading: asyncio.Task[bytes]) -> None:
    """Tell the guard to end everything, and wait until it is gone; also when we are cancelled."""
    if guard.stdin is not None:
        with suppress(ConnectionError):
            guard.stdin.write(b"stop")
        guard.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await guard.wait()
    except BaseException as error:
        if guard.returncode is None:
            guard.kill()
        if not isinstance(error, TimeoutError):
            raise
    finally:
        await guard.wait()
        await asyncio.wait({reading})


def last_lines(log: Path, limit: int = 4000) -> str:
    """The end of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - limit))
            return file.read().decode(errors="replace")
    except OSError:
        return ""

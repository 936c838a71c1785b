"""What is left of a server whose supervisor is gone: finding it, and ending it. The second line of defence.

Several marks tell a process of the server: it was seen below the supervisor, it descends from one that was, it carries
the server's token in its environment, or it holds the pipe that was the server's output. Engines erase the one or the
other; a process that has lost all of them was started and orphaned within the last second before the supervisor's end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from autotuner.deploy.local import processes
from autotuner.deploy.local.processes import Process
from autotuner.deploy.local.supervisor import SERVER_VARIABLE

POLL_S = 0.01
MOST_S = 10.0


@dataclass(frozen=True)
class Marks:
    """``seen``: processes by identity; ``token`` and ``output`` are None where not known."""

    seen: frozenset[Process]
    token: str | None = None
    output: str | None = None

    @property
    def since(self) -> int:
        """No process of the server is older, in clock ticks since boot."""
        return min((process.start_time for process in self.seen), default=0)


def read_roster(path: Path) -> Marks:
    """What a supervisor wrote down; empty for a file that is not there."""
    seen: set[Process] = set()
    known: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="ascii", errors="replace").split("\n")
    except OSError:
        lines = []
    for line in lines[:-1]:  # the last one ends with a line feed, or was not written whole
        kind, *words = line.split(" ")
        if kind == "process" and len(words) == 2 and all(word.isdecimal() for word in words):
            seen.add(Process(int(words[0]), int(words[1])))
        elif kind in ("token", "output") and len(words) == 1 and words[0]:
            known[kind] = words[0]
    return Marks(frozenset(seen), known.get("token"), known.get("output"))


def find_remains(marks: Marks) -> set[Process]:
    """The running processes that bear a mark, and their descendants; never this process or one that it came from."""
    known = processes.table()
    own = _line_of(os.getpid(), known)
    variable = f"{SERVER_VARIABLE}={marks.token}".encode() if marks.token else None
    bearing = {
        pid
        for pid, stat in known.items()
        if pid not in own
        and (
            stat.process in marks.seen
            or (stat.process.start_time >= marks.since and _bears(pid, variable, marks.output))
        )
    }
    found = bearing | {stat.process.pid for stat in processes.below(bearing, known)}
    return {known[pid].process for pid in found - own if known[pid].runs}


async def end_remains(marks: Marks, grace_s: float = 0.0) -> bool:
    """SIGTERM to them, SIGKILL after the grace, until none is left; True if there was any.

    OSError naming those that do not end.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    asked: set[Process] = set()
    while found := await asyncio.to_thread(find_remains, marks):
        killing = loop.time() >= begun + grace_s
        if loop.time() > begun + grace_s + MOST_S:
            raise OSError(f"processes {', '.join(str(process.pid) for process in sorted(found))} do not end")
        for process in found if killing else found - asked:
            processes.send(process, signal.SIGKILL if killing else signal.SIGTERM)
        asked |= found
        await asyncio.sleep(POLL_S)
    return bool(asked)


def _bears(pid: int, variable: bytes | None, output: str | None) -> bool:
    try:
        if variable is not None and variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
        return output is not None and output in processes.open_files(pid)
    except OSError:  # gone, or another user's
        return False


def _line_of(pid: int, known: dict[int, processes.Stat]) -> set[int]:
    line: set[int] = set()
    while pid in known and pid not in line:
        line.add(pid)
        pid = known[pid].parent
    return line

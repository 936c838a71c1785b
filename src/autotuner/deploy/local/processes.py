"""Processes of this host by identity (boot, pid, start time), and what descends from one. Reads /proc.

Standard library only, and little of it: the supervisor, which is started for every server, imports this.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from typing import NamedTuple

LISTENING = "0A"


class Process(NamedTuple):
    """A process that no other one of this boot can be taken for. ``start_time`` in clock ticks since boot."""

    pid: int
    start_time: int


class Stat(NamedTuple):
    """What /proc/PID/stat says, see proc(5). ``cpu_ticks`` includes the children that were waited for."""

    process: Process
    state: str
    parent: int
    cpu_ticks: int

    @property
    def runs(self) -> bool:
        """Whether it is more than a zombie."""
        return self.state not in "ZX"


def boot_id() -> str:
    """Identity of this boot of the host."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def find(pid: int) -> Process | None:
    """The process that has the pid now (a zombie too)."""
    stat = _stat(pid)
    return stat.process if stat else None


def alive(process: Process) -> bool:
    """Whether it runs; a zombie does not."""
    stat = _stat(process.pid)
    return stat is not None and stat.process == process and stat.runs


def table() -> dict[int, Stat]:
    """All processes by pid."""
    return {stat.process.pid: stat for pid in pids() if (stat := _stat(pid))}


def pids() -> Iterator[int]:
    """Pids of all processes."""
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def below(roots: set[int], known: Mapping[int, Stat]) -> list[Stat]:
    """The descendants of some processes, zombies and all, without the roots."""
    children: dict[int, list[Stat]] = {}
    for stat in known.values():
        children.setdefault(stat.parent, []).append(stat)
    found: dict[int, Stat] = {}
    waiting = list(roots)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child.process.pid not in found and child.process.pid not in roots:
                found[child.process.pid] = child
                waiting.append(child.process.pid)
    return list(found.values())


def descendants(root: Process) -> set[Process]:
    """The running descendants of a process; empty if it is not there."""
    known = table()
    if root.pid not in known or known[root.pid].process != root:
        return set()
    return {stat.process for stat in below({root.pid}, known) if stat.runs}


def usage(root: Process) -> tuple[int, float] | None:
    """Resident bytes and CPU seconds of the descendants; None if the root is gone."""
    known = table()
    if root.pid not in known or known[root.pid].process != root:
        return None
    resident, ticks = 0, 0
    for stat in below({root.pid}, known):
        ticks += stat.cpu_ticks
        try:
            with open(f"/proc/{stat.process.pid}/statm", encoding="ascii") as file:
                resident += int(file.read().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return resident * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK")


def send(process: Process, number: signal.Signals) -> None:
    """Signal exactly this process; nothing if it is gone, also when another one has its pid by now."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        # Looked at after the descriptor is held: the pid can't change hands in between.
        if alive(process):
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(descriptor)


def listens(root: Process, port: int) -> bool | None:
    """Whether a descendant of the root listens on the TCP port; None when that can't be seen."""
    sockets = _listening_sockets(port)
    if not sockets:
        return None
    hidden = False
    for process in descendants(root):
        try:
            if not sockets.isdisjoint(open_files(process.pid)):
                return True
        except PermissionError:
            hidden = True
        except OSError:
            continue
    return None if hidden else False


def listener(port: int) -> int | None:
    """The process that listens on a TCP port of this host; None if there is none, or it is somebody else's."""
    sockets = _listening_sockets(port)
    for pid in pids() if sockets else ():
        try:
            if not sockets.isdisjoint(open_files(pid)):
                return pid
        except OSError:
            continue
    return None


def open_files(pid: int) -> set[str]:
    """What a process has open, as /proc shows it: paths, ``socket:[…]``, ``pipe:[…]``. OSError if it is gone."""
    folder = f"/proc/{pid}/fd"
    found: set[str] = set()
    for name in os.listdir(folder):
        try:
            found.add(os.readlink(f"{folder}/{name}"))
        except FileNotFoundError:
            continue
    return found


def out_of_memory_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since boot; None if it does not tell."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        return None
    return None


def _listening_sockets(port: int) -> set[str]:
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{name}", encoding="ascii") as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found


def _stat(pid: int) -> Stat | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()  # the name, in parentheses, may hold anything
    except OSError:
        return None
    if len(fields) < 20:
        return None
    return Stat(
        process=Process(pid, int(fields[19])),
        state=fields[0],
        parent=int(fields[1]),
        cpu_ticks=sum(int(field) for field in fields[11:15]),
    )

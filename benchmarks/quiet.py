"""One benchmark at a time, and only on a quiet machine.

``python benchmarks/quiet.py`` says whether this machine is quiet; every benchmark here asks the same before it begins.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "inference-autotuner-benchmark.lock"
"""Who holds it with flock measures. The kernel releases it when its holder dies."""

PROC = Path("/proc")
MAX_FOREIGN = 0.05
WATCH_S = 2.0
NOT_QUIET = 3
"""Exit code of a benchmark that was refused."""

SHOWN = 5
_IDLE = slice(3, 5)  # idle, iowait
_GUEST = 8  # guest time from here on is in user time already
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTimes:
    """Counters at one instant, in clock ticks: of the cores that this process may use, and by pid with the name."""

    busy: int
    total: int
    programs: dict[int, tuple[str, int]]

    @classmethod
    def read(cls, proc: Path = PROC) -> CpuTimes:
        """Read them. OSError without /proc."""
        cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        busy = total = 0
        for line in (proc / "stat").read_text(encoding="ascii").splitlines():
            name, *columns = line.split()
            if name in cores:
                counted = [int(column) for column in columns[:_GUEST]]
                total += sum(counted)
                busy += sum(counted) - sum(counted[_IDLE])
        found = (_program(entry) for entry in proc.iterdir() if entry.name.isdecimal())
        return cls(busy, total, {pid: (name, ticks) for pid, name, ticks in filter(None, found)})


def foreign_share(before: CpuTimes, after: CpuTimes) -> float | None:
    """Share of the usable cores' time that was used between the two, 0 to 1, but for what this process used.

    None when the counters did not move, so that nothing can be told.
    """
    total = after.total - before.total
    if total <= 0:
        return None
    own = _used(os.getpid(), before, after)
    return max(0.0, (after.busy - before.busy - own) / total)


def top_users(before: CpuTimes, after: CpuTimes) -> list[tuple[int, str, float]]:
    """Pid, name and CPU seconds of the programs that used most between the two, most first; without this process."""
    used = ((pid, name, _used(pid, before, after)) for pid, (name, _) in after.programs.items() if pid != os.getpid())
    most = sorted((entry for entry in used if entry[2] > 0), key=lambda entry: -entry[2])
    return [(pid, name, ticks / _TICKS) for pid, name, ticks in most[:SHOWN]]


@contextmanager
def quiet_machine(
    max_foreign: float = MAX_FOREIGN,
    *,
    anyway: bool = False,
    wait: bool = False,
    watch_s: float = WATCH_S,
    lock: Path = LOCK,
    proc: Path = PROC,
) -> Iterator[str | None]:
    """Hold the machine for one benchmark; SystemExit(3), with a sentence on stderr, when it cannot be had.

    It cannot while another benchmark runs (``wait``: wait for it instead), nor while other programs use more than
    ``max_foreign`` of the usable cores' time, watched for ``watch_s`` seconds. ``anyway`` goes on beside other
    programs, never beside another benchmark: its figures would suffer too. Gives the sentence that says why figures are
    not to be quoted, None when they are.
    """
    with _alone(lock, wait=wait):
        disturbance = _disturbance(max_foreign, watch_s, proc)
        if disturbance is not None:
            if not anyway:
                _refuse(f"{disturbance} Wait until the machine is quiet; --anyway goes on regardless.")
            print(f"NOT TO BE QUOTED: {disturbance}", file=sys.stderr)
        yield disturbance
        if disturbance is not None:
            print("These figures are not to be quoted: the machine was not quiet.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--anyway`` and ``--wait``, the switches of ``quiet_machine``."""
    parser.add_argument("--anyway", action="store_true", help="measure on a busy machine; figures not to be quoted")
    parser.add_argument("--wait", action="store_true", help="wait for another benchmark to end instead of refusing")


@contextmanager
def _alone(lock: Path, *, wait: bool) -> Iterator[None]:
    descriptor = _open(lock)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if not wait:
                _refuse(f"Another benchmark runs on this machine (it holds {lock}); --wait waits for it.")
            print("Waiting for another benchmark to end.", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        # Not at once: in a folder that all may write to, the kernel refuses to create over another user's file.
        return os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o644)


def _disturbance(max_foreign: float, watch_s: float, proc: Path) -> str | None:
    """Why the machine is not quiet, in a sentence."""
    try:
        before = CpuTimes.read(proc)
        time.sleep(watch_s)
        after = CpuTimes.read(proc)
    except OSError as error:
        return f"It cannot be told whether the machine is quiet: {error}."
    share = foreign_share(before, after)
    if share is None:
        return f"It cannot be told whether the machine is quiet: the counters in {proc / 'stat'} stand still."
    if share <= max_foreign:
        return None
    users = ", ".join(f"{name} (pid {pid}, {seconds:.2f} s)" for pid, name, seconds in top_users(before, after))
    return (
        f"Other programs used {share:.0%} of the CPU during {watch_s:g} s (at most {max_foreign:.0%} is allowed): "
        f"{users or 'none that can be seen from here'}."
    )


def _refuse(sentence: str) -> None:
    print(sentence, file=sys.stderr)
    raise SystemExit(NOT_QUIET)


def _program(folder: Path) -> tuple[int, str, int] | None:
    """Pid, name and CPU ticks of a process; None when it has gone meanwhile."""
    try:
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name stands in brackets and may hold brackets and blanks itself.
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    return int(folder.name), head.partition("(")[2], int(fields[11]) + int(fields[12])


def _used(pid: int, before: CpuTimes, after: CpuTimes) -> int:
    name, ticks = after.programs.get(pid, ("", 0))
    return ticks - before.programs.get(pid, (name, 0))[1]


def main() -> None:
    """Exit code 0 on a quiet machine, 3 on another."""
    parser = argparse.ArgumentParser(description="whether this machine is quiet enough for a benchmark")
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait):
        print("quiet" if not given.anyway else "watched")


if __name__ == "__main__":
    main()

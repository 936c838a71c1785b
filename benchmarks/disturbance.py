"""Whether the builtin client notices other programs: windows with a hog that starts in their middle, and quiet ones.

``python benchmarks/disturbance.py [--runs 20] [--seconds 4] [--kinds quiet …]``. Targets on an idle machine:
a hog is detected in 19 of 20 windows, and none is claimed in 20 of 20 quiet ones (windows that the hypervisor itself
disturbed are no quiet ones; they are told by its own counter and taken again). Server and client have a core each;
the hogs run wherever the kernel puts them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from client_accuracy import job
from mocked import mock_server
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.contracts.attempt import AttemptJob, CoreSplit
from autotuner.contracts.client import ClientSession
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.measurement import LiveFigures, Measurement

HOGS = {
    "30 %": "import time\nwhile True:\n    end = time.monotonic() + 0.003\n"
    "    while time.monotonic() < end: pass\n    time.sleep(0.007)",
    "100 %": "while True: pass",
    "memory": "import numpy\na = numpy.ones(1 << 23)\nb = a.copy()\nwhile True: numpy.copyto(b, a)",
    "short-lived": "import subprocess\nwhile True: subprocess.run(['true'])",
}
KINDS = ("quiet", *HOGS)
ROBBED = 0.05
"""In cores: a window of which the hypervisor takes more for others is not a quiet one, and is taken again."""


async def one_window(session: ClientSession, work: AttemptJob, where: Endpoint, kind: str, folder: Path) -> Measurement:
    """Measure once; the hog begins when half of the window is over, and is gone afterwards."""
    half = asyncio.Event()

    def saw(figures: LiveFigures) -> None:
        if figures.phase == "measure" and figures.elapsed_s >= figures.window_s / 2:
            half.set()

    async def disturb() -> asyncio.subprocess.Process | None:
        await half.wait()
        if kind == "quiet":
            return None
        return await asyncio.create_subprocess_exec(sys.executable, "-c", HOGS[kind])

    hog = asyncio.create_task(disturb())
    try:
        (found,) = [measurement async for measurement in session.measure(work, where, folder, saw)]
    finally:
        half.set()
        process = await hog
        if process is not None:
            process.kill()
            await process.wait()
    return found


async def run(kinds: Sequence[str], runs: int, seconds: float, streams: int, cores: list[int]) -> bool:
    """All windows of all kinds; whether every target was met."""
    met = True
    with mock_server("--ttft-s", "0.05", "--token-s", "0.01", core=cores[0]) as server:
        where = Endpoint(server.base_url, "mock")
        plain = job(streams, seconds)
        work = plain.model_copy(
            update={
                "options": {**plain.options, "server_pid": server.pid},
                "cores": CoreSplit(server=(cores[0],), client=(cores[-1],)),
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            async with BuiltinClient().open((cores[-1],)) as session:
                for kind in kinds:
                    found: list[Measurement] = []
                    robbed = 0
                    while len(found) < runs and robbed <= 2 * runs:
                        before, began = stolen_s(), monotonic()
                        one = await one_window(session, work, where, kind, Path(folder))
                        stolen = (stolen_s() - before) / (monotonic() - began)
                        if kind == "quiet" and stolen > ROBBED:
                            robbed += 1
                        else:
                            found.append(one)
                    met &= report(kind, found, robbed)
    return met


def stolen_s() -> float:
    """CPU that the hypervisor has taken from this machine so far, seconds."""
    columns = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    return int(columns[8]) / os.sysconf("SC_CLK_TCK")


def report(kind: str, found: Sequence[Measurement], robbed: int) -> bool:
    """Print the verdicts on windows of one kind; whether they are right often enough."""
    if robbed:
        print(f"{kind:12s} {robbed} windows left out: the hypervisor took more than {ROBBED:g} cores")
    if not found:
        return False
    flagged = sum(one.disturbed for one in found)
    means = sorted(one.foreign_cpu_share or 0.0 for one in found)
    peaks = sorted(one.foreign_cpu_peak or 0.0 for one in found)
    begun = sorted(one.disturbed_from_s for one in found if one.disturbed_from_s is not None)
    since = f"; begun at {begun[0]:.1f} to {begun[-1]:.1f} s" if begun else ""
    print(
        f"{kind:12s} disturbed in {flagged} of {len(found)} windows; foreign cores: mean {means[0]:.3f} to"
        f" {means[-1]:.3f}, worst second {peaks[0]:.3f} to {peaks[-1]:.3f}{since}",
        flush=True,
    )
    return flagged == 0 if kind == "quiet" else flagged >= len(found) * 19 / 20


def main() -> int:
    """0 when every target was met, else 1."""
    parser = argparse.ArgumentParser(description="whether the builtin client notices other programs")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    add_arguments(parser)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with quiet_machine(anyway=given.anyway, wait=given.wait):
        met = asyncio.run(run(given.kinds, given.runs, given.seconds, given.streams, cores))
    print("all targets met" if met else "a target was missed")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

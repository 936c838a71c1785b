"""How long a server outlives a tuner that is killed with SIGKILL and not started again.

Each round starts ``autotuner run``, waits until its server exists, lets a random time pass, stops the tuner for the
instant in which all its descendants are listed, kills it, and waits on them. Servers:

- ``llamacpp``: the real one, with the tiny model, at any point of start, load or measurement;
- ``family``: children and a grandchild in a session of its own, all of which ignore SIGTERM;
- ``daemon``: went into the background, with another session, no inherited descriptor and no environment.

    python benchmarks/orphans.py [--rounds 100] [--seed 0] [--executor inline] [--anyway]

Prints per kind how many rounds left nothing within 5 s, and median, 99th percentile and maximum in milliseconds.
Target: all rounds. Exit code 1 when one is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quiet import add_arguments, quiet_machine

from autotuner.deploy.local import processes

LIMIT_S = 5.0
START_S = 60.0
LONGEST_S = 1.5
FAKE = Path(__file__).resolve().parents[1] / "tests" / "conformance" / "fake_server.py"
TASK = """
model: {id_or_path: tiny}
parameters: {n_parallel: [1, 2, 3, 4]}
optimization: {objective: maximize_throughput, strategy: random, max_iterations: 4, fail_fast_k: null}
benchmark: {traffic_scenarios: ["D(16,16)"], num_concurrency: [2], max_time_per_iteration: 1, warmup_requests: 2}
"""
WRAPPER = """
import runpy, sys
if "--version" in sys.argv:
    sys.exit(print("version: 1"))
port = sys.argv[sys.argv.index("--port") + 1]
sys.argv = [FAKE, port, MODE]
runpy.run_path(FAKE, run_name="__main__")
"""


def main() -> None:
    """Measure all kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executor", default="inline")
    add_arguments(parser)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    missed = 0
    with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
        for kind in ("llamacpp", "family", "daemon"):
            task = write_task(Path(folder), kind)
            times, counts = [], []
            for number in range(given.rounds):
                data = Path(folder) / f"{kind}-{number}"
                seconds, count = one_round(task, data, kind, rng.uniform(0, LONGEST_S), given.executor)
                times.append(seconds)
                counts.append(count)
            within = sum(seconds <= LIMIT_S for seconds in times)
            missed += len(times) - within
            print(
                f"{kind:9} {within} of {len(times)} within {LIMIT_S:g} s; "
                f"median {1e3 * statistics.median(times):.0f} ms, "
                f"p99 {1e3 * sorted(times)[len(times) * 99 // 100 - 1]:.0f} ms, max {1e3 * max(times):.0f} ms; "
                f"{min(counts)} to {max(counts)} processes below the tuner",
                flush=True,
            )
    raise SystemExit(1 if missed else 0)


def write_task(folder: Path, kind: str) -> Path:
    """The task file of a kind of server; a kind that is not real is a command that stands in for the engine."""
    path = folder / f"{kind}.yaml"
    text = TASK
    if kind != "llamacpp":
        wrapper = folder / f"{kind}.py"
        wrapper.write_text(WRAPPER.replace("FAKE", repr(str(FAKE))).replace("MODE", repr(kind)))
        text += f"runtime: {{command: [{sys.executable}, {wrapper}]}}\n"
    path.write_text(text)
    return path


def one_round(task: Path, data: Path, kind: str, delay_s: float, executor: str) -> tuple[float, int]:
    """Seconds from the kill until nothing of the tuner is left, and how many processes it had; inf past the limit."""
    tuner = subprocess.Popen(
        [sys.executable, "-m", "autotuner", "run", str(task)],
        env={**os.environ, "AUTOTUNER_DATA_DIR": str(data), "AUTOTUNER_EXECUTOR": executor},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        word = b"launcher.py" if kind == "llamacpp" else f"{kind}.py".encode()
        wait_for_server(tuner, word)
        time.sleep(delay_s)
        os.kill(tuner.pid, signal.SIGSTOP)
        root = processes.find(tuner.pid)
        found = processes.descendants(root) if root is not None else set()
        descriptors = [os.pidfd_open(process.pid) for process in found if processes.alive(process)]
    finally:
        begun = time.monotonic()
        tuner.kill()
    seconds = wait_for_ends(descriptors, begun)
    tuner.wait()
    return seconds, len(descriptors)


def wait_for_server(tuner: subprocess.Popen[bytes], word: bytes) -> None:
    """Until a process below the tuner runs the server's program."""
    root = processes.find(tuner.pid)
    limit = time.monotonic() + START_S
    while root is not None and tuner.poll() is None and time.monotonic() < limit:
        for process in processes.descendants(root):
            try:
                words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            except OSError:
                continue
            if word in words and b"--version" not in words:
                return
        time.sleep(0.01)
    raise SystemExit("the tuner started no server")


def wait_for_ends(descriptors: list[int], begun: float) -> float:
    """Seconds until all have ended; infinite past the limit."""
    waiting = set(descriptors)
    while waiting:
        left = begun + 2 * LIMIT_S - time.monotonic()
        ended, _, _ = select.select(waiting, [], [], max(0.0, left))
        if not ended:
            return float("inf")
        waiting -= set(ended)
    seconds = time.monotonic() - begun
    for descriptor in descriptors:
        os.close(descriptor)
    return seconds


if __name__ == "__main__":
    main()

"""The benchmark clients side by side against the mock server: how true, how costly, how soon.

``python benchmarks/clients.py [--seconds 5] [--streams 16 128] [--runs 5] [--clients builtin guidellm genai-bench]``.
Each figure is the median of the runs. The truth is the mock server's own log. Server and client run on a core each, as
in a task. guidellm and genai-bench must be installed (`autotuner client install NAME`); without, they are left out and
that is said. The yardstick (``raw_yardstick.py``) is the least that a streaming client can do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from client_accuracy import TOKENS, job
from mocked import mock_server, read_log
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.registry import CLIENTS
from autotuner.contracts.client import SeparateClient
from autotuner.contracts.deployment import Endpoint
from autotuner.services.clients import python_of
from autotuner.services.settings import load_settings

TTFT_S, TOKEN_S = 0.05, 0.01
ANSWER_S = TTFT_S + (TOKENS - 1) * TOKEN_S
YARDSTICK = "yardstick"
PROBES = 5
"""Requests of our own before a client that is a program of its own is started."""
COLUMNS = (
    "first request s",
    "ttft p50 ms",
    "ttft p99 ms",
    "tpot ms",
    "tokens/s",
    "requests/s",
    "CPU s",
    "CPU us/token",
    "of it the load's",
)

Row = dict[str, float]


async def measure(name: str, base_url: str, streams: int, seconds: float, core: int, folder: Path) -> dict[str, Any]:
    """In a process of its own: one measurement, and when it was called."""
    client, work = CLIENTS.load(name)(), job(streams, seconds)
    if isinstance(client, SeparateClient):
        python = python_of(client.package, load_settings(os.environ))
        limits = work.workload.limits
        if client.refusal(work.workload, work.server.completions_path) is not None:  # its windows are whole minutes
            limits = limits.model_copy(update={"max_requests": round(streams * seconds / ANSWER_S)})
        work = work.model_copy(
            update={
                "client_python": None if python is None else str(python),
                "workload": work.workload.model_copy(update={"limits": limits}),
                "server": work.server.model_copy(update={"dialect": "vllm"}),
            }
        )
    async with client.open((core,)) as session:  # starts what the client has beforehand, as a task does
        called = monotonic()
        measured = session.measure(work, Endpoint(base_url, "mock"), folder, lambda figures: None)
        found = [measurement async for measurement in measured]
    return {"called": called, "measurement": found[0].model_dump()}


def run_once(name: str, streams: int, seconds: float, cores: Sequence[int], folder: Path) -> Row:
    """One run of a client in a process of its own, whose CPU time is that of all it started."""
    log = folder / "truth.jsonl"
    log.unlink(missing_ok=True)
    options = ("--ttft-s", str(TTFT_S), "--token-s", str(TOKEN_S), "--log", str(log))
    with mock_server(*options, core=cores[0]) as server:
        base_url = server.base_url
        if name == YARDSTICK:
            where = urlsplit(base_url)
            script = str(Path(__file__).with_name("raw_yardstick.py"))
            words = [str(where.hostname), str(where.port), str(streams), str(seconds), str(TOKENS), str(cores[-1])]
        else:
            script, words = __file__, ["--one", name, base_url, str(streams), str(seconds), str(cores[-1]), str(folder)]
        called = monotonic()
        with subprocess.Popen([sys.executable, script, *words], stdout=subprocess.PIPE) as process:
            if process.stdout is None:
                raise RuntimeError("the client has no output")
            said = json.loads(process.stdout.read())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    return row_of(name, streams, said, read_log(log), called, usage.ru_utime + usage.ru_stime)


def row_of(
    name: str, streams: int, said: dict[str, Any], log: list[dict[str, Any]], called: float, cpu_s: float
) -> Row:
    """Truth and report of one run."""
    separate = name in CLIENTS.names() and isinstance(CLIENTS.load(name)(), SeparateClient)
    warm = streams if name == "genai-bench" else 0  # our own requests, before it is started
    theirs = log[PROBES + warm :] if separate else log
    done = [truth for truth in theirs if truth["tokens"] == TOKENS]
    found = said.get("measurement") or {}
    made: Row = {}
    opened, seconds = found.get("opened_monotonic"), found.get("window_s", 0.0)
    if opened is not None:
        made["true tokens/s"] = sum(sent_between(truth, opened, opened + seconds) for truth in done) / seconds
        done = [truth for truth in done if opened <= truth["received"] < opened + seconds]
    true_ttft = [truth["first"] - truth["received"] for truth in done]
    made |= {
        "first request s": theirs[0]["received"] - said.get("called", called),
        "true ttft p50 ms": median(true_ttft) * 1e3,
        "true ttft p99 ms": float(np.percentile(true_ttft, 99)) * 1e3,
        "true tpot ms": fmean((truth["last"] - truth["first"]) / (TOKENS - 1) for truth in done) * 1e3,
        "CPU s": cpu_s,
        "CPU us/token": cpu_s / sum(truth["tokens"] for truth in theirs) * 1e6,
    }
    if name == YARDSTICK:
        return {**made, "ttft p50 ms": said["ttft_p50"] * 1e3, "of it the load's": said["cpu_us_per_token"]}
    if found["client_cpu_share"] is not None:
        made["of it the load's"] = found["client_cpu_share"] / found["output_throughput"] * 1e6
    if found["ttft"] is None:
        raise RuntimeError(f"{name} measured nothing: {found['error_codes']}")
    return {
        **made,
        "ttft p50 ms": found["ttft"]["p50"] * 1e3,
        "ttft p99 ms": found["ttft"]["p99"] * 1e3,
        "tpot ms": found["tpot"]["mean"] * 1e3,
        "tokens/s": found["output_throughput"],
        "requests/s": found["requests_per_second"],
    }


def sent_between(truth: dict[str, Any], begin: float, end: float) -> int:
    """Tokens that the server sent in [begin, end): evenly spread, as it paces them."""
    gap = (truth["last"] - truth["first"]) / (TOKENS - 1)
    return sum(begin <= truth["first"] + gap * number < end for number in range(TOKENS))


def line(name: str, streams: int, rows: Sequence[Row]) -> str:
    """A line of the table: medians, true -> reported where the server knows the truth."""
    cells = [f"{streams}", name]
    for column in COLUMNS:
        reported = [row[column] for row in rows if column in row]
        true = [row[f"true {column}"] for row in rows if f"true {column}" in row]
        shown = f"{median(reported):.2f}" if reported else "-"
        cells.append(f"{median(true):.2f} -> {shown}" if true else shown)
    return "| " + " | ".join(cells) + " |"


def installed(names: Sequence[str]) -> list[str]:
    """Those that can be run; the others are named on stderr."""
    settings, usable = load_settings(os.environ), []
    for name in names:
        client = CLIENTS.load(name)()
        if isinstance(client, SeparateClient) and python_of(client.package, settings) is None:
            print(f"{name} is not installed and left out: `autotuner client install {name}`", file=sys.stderr)
        else:
            usable.append(client.name)
    return usable


def main() -> int:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        name, base_url, streams, seconds, core, folder = sys.argv[2:]
        print(json.dumps(asyncio.run(measure(name, base_url, int(streams), float(seconds), int(core), Path(folder)))))
        return 0
    parser = argparse.ArgumentParser(description="benchmark clients side by side")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--streams", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clients", nargs="+", default=["builtin", "guidellm", "genai-bench"])
    add_arguments(parser)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
        names = [YARDSTICK, *installed(given.clients)]
        print("| streams | client | " + " | ".join(COLUMNS) + " |")
        print("|---" * (len(COLUMNS) + 2) + "|")
        for streams in given.streams:
            found: dict[str, list[Row]] = {name: [] for name in names}
            for _ in range(given.runs):  # in turns, so that what changes with time meets all
                for name in names:
                    found[name].append(run_once(name, streams, given.seconds, cores, Path(folder)))
            for name in names:
                print(line(name, streams, found[name]), flush=True)
        ideal = ", ".join(f"{streams / ANSWER_S:.1f} at {streams}" for streams in given.streams)
    print(f"Medians of {given.runs} runs of {given.seconds:g} s; true -> reported. Ideal requests/s: {ideal}.")
    print("CPU: of the whole run with its start; of it the load's: per token, in the window alone, where it is known.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

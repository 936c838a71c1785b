"""How many tokens a second the builtin client takes in with several processes, and whether it says so when it can't.

``python benchmarks/client_rate.py [--processes 2] [--streams 256] [--gap-ms 2] [--seconds 5] [--runs 5]``. The mock
server paces every token; the load asks for streams / gap tokens per second. Nothing is pinned: server and client share
the cores. Prints tokens per second as measured by the client and by the server's own log, the CPU of each, and the
flags. Target: 10^5 tokens/s sustained with two processes, the client's figure within 1 % of the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import median

from client_accuracy import TOKENS, job
from mocked import mock_server, read_log
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.deployment import Endpoint

TARGET = 1e5


async def once(given: argparse.Namespace, folder: Path) -> tuple[float, float, bool]:
    """One window: tokens per second of the client and of the server; whether the client says it was at its limit."""
    log = folder / "truth.jsonl"
    log.unlink(missing_ok=True)
    options = ["--ttft-s", "0.02", "--token-s", str(given.gap_ms / 1e3), "--tick-s", str(given.tick_ms / 1e3)]
    with mock_server(*options, "--log", str(log)) as server:
        work = job(given.streams, given.seconds, given.processes)
        async with BuiltinClient().open(None) as session:
            measured = session.measure(work, Endpoint(server.base_url, "mock"), folder, lambda _: None)
            (found,) = [measurement async for measurement in measured]
    if found.samples_path is None:
        raise RuntimeError(f"no samples: {found.samples_error}")
    header, _ = read_samples(folder / found.samples_path)
    opened = float(str(header["opened_monotonic"]))
    closed = opened + found.window_s
    sent = 0.0
    for truth in read_log(log):
        if truth["first"] is not None and truth["tokens"] == TOKENS:
            gap = (truth["last"] - truth["first"]) / (TOKENS - 1)
            sent += sum(opened <= truth["first"] + gap * number < closed for number in range(TOKENS))
    true = sent / found.window_s
    print(
        f"client {found.output_throughput:,.0f} tokens/s, server {true:,.0f}"
        f" ({found.output_throughput / true - 1:+.2%}); errors {found.error_requests};"
        f" client CPU {found.client_cpu_share or 0:.2f} cores,"
        f" {(found.client_cpu_share or 0) / found.output_throughput * 1e6:.1f} us/token;"
        f" loop lag p99 {(found.loop_lag_p99_s or 0) * 1e3:.1f} ms; at its limit: {found.client_saturated}",
        flush=True,
    )
    return found.output_throughput, true, found.client_saturated


def main() -> int:
    """0 when the target was met in the median, else 1."""
    parser = argparse.ArgumentParser(description="tokens per second of the builtin client with several processes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--gap-ms", type=float, default=2.0, help="between two tokens of a stream")
    parser.add_argument("--tick-ms", type=float, default=0.5, help="the server sends what falls due within it together")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=5)
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
        rows = [asyncio.run(once(given, Path(folder))) for _ in range(given.runs)]
    rate, error = median(row[0] for row in rows), median(abs(row[0] / row[1] - 1) for row in rows)
    print(f"median {rate:,.0f} tokens/s with {given.processes} processes, off by {error:.2%}")
    return 0 if rate >= TARGET and error <= 0.01 else 1


if __name__ == "__main__":
    raise SystemExit(main())

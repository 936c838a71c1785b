"""Open loops at 80 % and 120 % of a mock server's capacity: waits count, and only the second is called too much.

``python benchmarks/open_loop.py [--shares 0.8 1.2] [--arrivals constant poisson] [--seconds 10] [--runs 3]``. Prints
the rate that was asked for and that was served, TTFT as the client reports it, and beside it that from the server's
log: the time from each request's due time, which the client keeps, to its first token.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from statistics import median

from client_accuracy import job
from mocked import mock_server, read_log
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic

SLOTS, TTFT_S, TOKEN_S, TOKENS = 8, 0.05, 0.005, 31
SERVICE_S = TTFT_S + TOKEN_S * (TOKENS - 1)
CAPACITY = SLOTS / SERVICE_S


async def once(share: float, arrival: str, seconds: float, folder: Path) -> bool:
    """One window; whether the flag is right and the latency true within a millisecond."""
    log = folder / "truth.jsonl"
    log.unlink(missing_ok=True)
    options = ["--ttft-s", str(TTFT_S), "--token-s", str(TOKEN_S), "--max-batch", str(SLOTS), "--log", str(log)]
    cores = sorted(os.sched_getaffinity(0))
    with mock_server(*options, core=cores[0]) as server:
        scenario = Scenario(text=f"D(100,{TOKENS})", prompt=Length(mean=100), output=Length(mean=TOKENS))
        point = LoadPoint(traffic=Traffic(text=scenario.text, parts=((1.0, scenario),)), request_rate=share * CAPACITY)
        work = job(1, seconds)
        workload = work.workload.model_copy(
            update={
                "load_points": (point,),
                "arrival": arrival,
                "limits": work.workload.limits.model_copy(update={"warmup_requests": 2 * SLOTS}),
            }
        )
        async with BuiltinClient().open((cores[-1],)) as session:
            measured = session.measure(
                work.model_copy(update={"workload": workload}),
                Endpoint(server.base_url, "mock"),
                folder,
                lambda _: None,
            )
            (found,) = [measurement async for measurement in measured]
    if found.ttft is None or found.samples_path is None:
        raise RuntimeError(f"nothing was measured: {found.error_codes}")
    header, records = read_samples(folder / found.samples_path)
    opened = float(str(header["opened_monotonic"]))
    own = sorted((r for r in records if r.in_window and r.outcome == "ok"), key=lambda r: r.started)
    firsts = sorted(t["first"] for t in read_log(log) if t["first"] is not None)
    # The server answers in the order of arrival, so the n-th first token belongs to the n-th request.
    begin = min(range(len(firsts)), key=lambda n: abs(firsts[n] - opened - (own[0].first_token or 0.0)))
    true = [first - opened - record.started for first, record in zip(firsts[begin:], own, strict=False)]
    off = found.ttft.p50 - median(true)
    right = found.load_not_sustained == (share > 1)
    print(
        f"{share:4.0%} {arrival:8}: {point.request_rate:.1f} requests/s asked, {found.requests_per_second:.1f} served;"
        f" TTFT p50 {median(true) * 1e3:.1f} -> {found.ttft.p50 * 1e3:.1f} ms (off {off * 1e3:+.2f}),"
        f" max {max(true) * 1e3:.0f} -> {found.ttft.max * 1e3:.0f} ms; not sustained: {found.load_not_sustained}",
        flush=True,
    )
    return right and abs(off) <= 0.001


def main() -> int:
    """0 when every window was right, else 1."""
    parser = argparse.ArgumentParser(description="open loops below and above a server's capacity")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.8, 1.2])
    parser.add_argument("--arrivals", nargs="+", default=["constant", "poisson"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=3)
    add_arguments(parser)
    given = parser.parse_args()
    with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
        right = [
            asyncio.run(once(share, arrival, given.seconds, Path(folder)))
            for share in given.shares
            for arrival in given.arrivals
            for _ in range(given.runs)
        ]
    print(f"{sum(right)} of {len(right)} right (capacity {CAPACITY:.1f} requests/s)")
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""How well the search for the highest load that meets the SLO finds it, and with how many measurements.

``python benchmarks/load_search.py [--searches 200] [--noise 0.05] [--probes 25] [--seed 1]``: searches on the mock
server's own model of load (``mock_server.batching``) in virtual time, without HTTP; each measured figure is off by a
factor drawn anew (log-normal). Servers and limits are drawn: slots with a queue, steps that lengthen with the load, and
curves by the load. The highest load is somewhere from 12 to 200 requests in flight, and near it latencies rise with at
least half the power of the load; where they hardly rise, no number of measurements would find it through the noise.
Prints the share of searches within 5 % of the truth, the measurements used, and how often the interval holds the truth.
Target: 95 % within 5 % with at most 25 measurements.

``--real N``: as many searches with the builtin client on a real mock server, on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from client_accuracy import TOKENS, job
from quiet import add_arguments, quiet_machine

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.contracts.deployment import Endpoint
from autotuner.contracts.load_curve import LoadCurve
from autotuner.contracts.load_search import LoadLimit, LoadSearch, Probe
from autotuner.contracts.workload import MeasureLimits
from autotuner.mock_server.batching import Batch
from autotuner.mock_server.options import MockOptions
from autotuner.runner.probing import measurements
from autotuner.scoring.load_search import Ask, Found, ask, found, probe

HIGHEST = 256
CLOSE = 0.05
TARGET = 0.95
SLOPE = 0.5


@dataclass(frozen=True)
class Server:
    """A mock server and a limit that it meets up to some load."""

    kind: str
    options: MockOptions
    limit: LoadLimit

    def figures(self, load: int) -> dict[str, float]:
        """Mean ttft and tpot with so many requests in flight, seconds.

        In a closed loop each slot has its share of the waiting requests before a new one.
        """
        batch = Batch(self.options)
        for number in range(load):
            batch.enter(number, lambda: None)
        ttft, tpot = batch.means(self.options)
        waiting = 0.0 if self.options.curve is not None else batch.waiting / batch.running
        return {"ttft": ttft + waiting * (ttft + (TOKENS - 1) * tpot), "tpot": tpot}

    def margin(self, load: int) -> float:
        """log(figure / limit)."""
        return math.log(self.figures(load)[self.limit.metric] / self.limit.threshold)

    @property
    def knee(self) -> int:
        """The highest load that meets the limit."""
        return max(load for load in range(1, HIGHEST + 1) if self.margin(load) <= 0)

    @property
    def steep(self) -> bool:
        """Whether the figure rises with at least half the power of the load on both sides of the knee."""
        low, high = round(self.knee * 0.85), math.ceil((self.knee + 1) * 1.15)
        below, above = SLOPE * math.log((self.knee + 0.5) / low), SLOPE * math.log(high / (self.knee + 0.5))
        return self.margin(low) <= -below and self.margin(high) >= above


def limit(metric: str, threshold: float) -> LoadLimit:
    """A limit on a mean."""
    return LoadLimit.model_validate({"figure": f"mean_{metric}", "metric": metric, "threshold": threshold})


def with_queue(rng: random.Random) -> Server:
    """Slots with a queue; the limit is on ttft, somewhere in the queue."""
    options = MockOptions(max_batch=rng.randint(12, 64), ttft_s=0.05, token_s=0.01, slowdown=rng.choice([0.0, 0.01]))
    load = round((options.max_batch or 1) * rng.uniform(1.05, 3))
    return _limited("queue", options, "ttft", load)


def with_slowdown(rng: random.Random) -> Server:
    """Steps that lengthen with the load; the limit is on tpot."""
    options = MockOptions(ttft_s=0.05, token_s=0.01, slowdown=math.exp(rng.uniform(math.log(0.01), math.log(0.3))))
    return _limited("slowdown", options, "tpot", round(math.exp(rng.uniform(math.log(12), math.log(200)))))


def with_curve(rng: random.Random) -> Server:
    """A curve that saturates: flat, then bent upwards at its capacity."""
    capacity, power = rng.randint(16, 150), rng.uniform(2, 6)
    loads = range(1, 2 * HIGHEST)
    tpot = tuple(0.01 * (1 + (load / capacity) ** power) for load in loads)
    ttft = tuple(0.05 + 0.02 * max(0, load - capacity) for load in loads)
    options = MockOptions(curve=LoadCurve(ttft_s=ttft, tpot_s=tpot, capacity=capacity))
    return _limited("curve", options, rng.choice(["ttft", "tpot"]), round(capacity * rng.uniform(0.8, 1.3)))


def _limited(kind: str, options: MockOptions, metric: str, load: int) -> Server:
    between = 0.5 * sum(Server(kind, options, limit(metric, 1.0)).figures(n)[metric] for n in (load, load + 1))
    return Server(kind, options, limit(metric, between))


def servers(count: int, seed: int) -> Iterator[Server]:
    """Drawn servers whose highest load can be found."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        server = rng.choice([with_queue, with_slowdown, with_curve])(rng)
        if 12 <= server.knee <= 200 and server.steep:
            made += 1
            yield server


def search(server: Server, measure: Callable[[int], float], probes: int, start: int) -> tuple[Found, list[Probe]]:
    """A whole search; ``measure`` gives a noisy log margin."""
    spec = LoadSearch(by="concurrency", lowest=1, highest=HIGHEST, start=start, probes=probes)
    taken: list[Probe] = []
    while isinstance(asked := ask(spec, taken), Ask):
        margins = {server.limit.figure: measure(round(asked.load))}
        taken.append(Probe(load=asked.load, repeat=asked.repeat, margins=margins))
    return asked, taken


@dataclass(frozen=True)
class Row:
    """How one search went."""

    kind: str
    knee: int
    found: Found

    @property
    def off(self) -> float:
        """Relative error."""
        return (self.found.load or 0) / self.knee - 1

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return (self.found.low or 0) <= self.knee <= (self.found.high or 0)


def simulated(given: argparse.Namespace) -> list[Row]:
    """All simulated searches."""
    rng = random.Random(given.seed + 1)
    rows = []
    for server in servers(given.searches, given.seed):
        found_load, _ = search(
            server, lambda load, of=server: of.margin(load) + rng.gauss(0, given.noise), given.probes, given.start
        )
        rows.append(Row(server.kind, server.knee, found_load))
    return rows


def show(rows: list[Row]) -> bool:
    """Print what they came to; whether the target was met."""
    for kind in (*sorted({row.kind for row in rows}), None):
        some = [row for row in rows if kind in (None, row.kind)]
        probes = [row.found.probes for row in some]
        print(
            f"{kind or 'all':9s} {len(some):4d} searches: {share(some, lambda r: abs(r.off) <= CLOSE):.1%} within"
            f" {CLOSE:.0%}; off by {median(abs(row.off) for row in some):.1%} in the median, at most"
            f" {max(abs(row.off) for row in some):.1%}; probes {median(probes):g} in the median, at most {max(probes)};"
            f" interval holds the truth in {share(some, lambda r: r.covered):.1%},"
            f" is {median(width(row) for row in some):.1%} wide"
        )
    ended = Counter(row.found.precise for row in rows)
    print(f"{ended[False]} used all their probes; {sum(row.found.cliff for row in rows)} say that there is a cliff")
    return share(rows, lambda r: abs(r.off) <= CLOSE) >= TARGET


def share(rows: list[Row], holds: Callable[[Row], bool]) -> float:
    """Of how many it holds."""
    return sum(map(holds, rows)) / len(rows)


def width(row: Row) -> float:
    """Of the interval, relative to the load."""
    return ((row.found.high or 0) - (row.found.low or 0)) / row.knee


REAL = (
    ("slowdown", ["--ttft-s", "0.02", "--token-s", "0.005", "--slowdown", "0.05"], "tpot", 40),
    ("queue", ["--ttft-s", "0.02", "--token-s", "0.005", "--max-batch", "24"], "ttft", 34),
    ("both", ["--ttft-s", "0.02", "--token-s", "0.004", "--slowdown", "0.05", "--max-batch", "32"], "ttft", 44),
    ("steep", ["--ttft-s", "0.03", "--token-s", "0.004", "--slowdown", "0.2"], "tpot", 25),
)
"""Name, options of the mock server, limited figure, and the load after which the limit lies."""


def pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options and their values."""
    return zip(words[::2], words[1::2], strict=True)


async def real(number: int, folder: Path) -> Row:
    """One search with the builtin client on a mock server."""
    kind, words, metric, load = REAL[number % len(REAL)]
    given = {word.removeprefix("--").replace("-", "_"): float(value) for word, value in pairs(words)}
    options = MockOptions.model_validate({k: int(v) if k == "max_batch" else v for k, v in given.items()})
    server = _limited(kind, options, metric, load)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "autotuner.mock_server", *words, stdout=asyncio.subprocess.PIPE
    )
    begun = time.monotonic()
    try:
        if process.stdout is None:
            raise RuntimeError("the mock server has no output")
        base_url = str(json.loads(await process.stdout.readline())["base_url"])
        spec = LoadSearch(by="concurrency", lowest=1, highest=HIGHEST, start=4)
        work = job(4, 2.0)
        workload = work.workload.model_copy(
            update={
                "load_search": spec,
                "seed": number,
                "limits": MeasureLimits(window_s=2.0, max_window_s=20, min_requests=10),
            }
        )
        work = work.model_copy(update={"workload": workload, "load_limits": (server.limit,)})
        async with BuiltinClient().open(None) as session:
            measuring = measurements(session, work, Endpoint(base_url, "mock"), folder, lambda _: None)
            taken = [probe(measurement, spec, (server.limit,)) async for measurement in measuring]
    finally:
        process.terminate()
        await process.wait()
    row = Row(kind, server.knee, found(spec, taken))
    print(
        f"{kind}: {row.found.load:g} ({row.found.low:g} to {row.found.high:g}), truth {server.knee} ({row.off:+.1%}),"
        f" {row.found.probes} probes in {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    return row


def main() -> int:
    """0 when the target was met, else 1."""
    parser = argparse.ArgumentParser(description="the search for the highest load that meets the SLO")
    parser.add_argument("--searches", type=int, default=200, help="simulated ones; 0: none")
    parser.add_argument("--noise", type=float, default=0.05, help="standard deviation of the logarithm of a figure")
    parser.add_argument("--probes", type=int, default=25, help="measurements of a search, at most")
    parser.add_argument("--start", type=int, default=4, help="load that is measured first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", type=int, default=0, metavar="N", help="searches on a real mock server")
    add_arguments(parser)
    given = parser.parse_args()
    good = show(simulated(given)) if given.searches else True
    if given.real:
        with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
            rows = [asyncio.run(real(number, Path(folder))) for number in range(given.real)]
        close = sum(abs(row.off) <= CLOSE for row in rows)
        print(f"real: {close} of {len(rows)} within {CLOSE:.0%}")
        good = good and close == len(rows)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

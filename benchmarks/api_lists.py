"""What lists of the service cost on a large store, by HTTP, on SQLite and PostgreSQL.

Fills a large and a small store with copies of one predicted task (documents, results and metrics of the real size),
serves each with `autotuner serve` in a process of its own, and offers requests at a constant rate: lists, filters,
details. Latency is counted from the moment at which a request was to be sent. Prints p50 and p95 for each kind, and how
the large store compares with the small one.

    python benchmarks/api_lists.py [--seconds 60] [--rate 20] [--database sqlite postgres] [--small] [--anyway]
    python benchmarks/api_lists.py --memory [--requests 50000] [--database sqlite] [--anyway]

``--memory`` sends so many requests as fast as eight connections can, and prints the server's memory at intervals.
PostgreSQL runs from its installed binaries in a folder of its own. ``--small`` tries the benchmark itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import uvloop
from quiet import add_arguments, quiet_machine
from sqlalchemy import Connection, insert, select, text

from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.services.documents import demo_document
from autotuner.services.settings import load_settings
from autotuner.services.tasks import run_task
from autotuner.store import upgrade
from autotuner.store.database import sync_engine
from autotuner.store.location import parse_location
from autotuner.store.models import EventEntry, Experiment, Task

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from postgres_server import PostgresServer, find_binaries

PER_TASK = 100
PORTION = 2_000
TOKEN = "token-of-the-benchmark"  # noqa: S105 - of a service that lives as long as this program
STATUSES = ("completed", "completed", "completed", "failed", "cancelled")
CONNECTIONS = 8


class Quiet:
    """Sees nothing."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@dataclass(frozen=True)
class Filled:
    """A store with many tasks; ``tasks`` and ``experiments``: numbers that there are."""

    database: str
    tasks: range
    experiments: range


def fill(folder: Path, database: str, *, tasks: int) -> Filled:
    """One predicted task, and copies of it with copies of its last experiment, until each has PER_TASK."""
    settings = load_settings(
        {"AUTOTUNER_DATA_DIR": str(folder), "AUTOTUNER_DATABASE_URL": database, "HOME": str(folder)}
    )
    asyncio.run(upgrade(database))
    wanted = ["optimization.strategy=random", "optimization.confirm.starts=0", "optimization.max_iterations=20"]
    asyncio.run(run_task(demo_document(sets=wanted), settings, Quiet()))
    engine = sync_engine(parse_location(database))
    try:
        with engine.begin() as connection:
            first_task, first_experiment = _copy(connection, tasks)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("VACUUM (ANALYZE)"))
    finally:
        engine.dispose()
    return Filled(
        database,
        range(first_task, first_task + tasks),
        range(first_experiment, first_experiment + tasks * PER_TASK),
    )


def _copy(connection: Connection, tasks: int) -> tuple[int, int]:
    task = dict(connection.execute(select(Task.__table__)).mappings().one())
    experiments = [dict(row) for row in connection.execute(select(Experiment.__table__)).mappings()]
    first_task, first_experiment = task["id"] + 1, max(row["id"] for row in experiments) + 1
    begin = datetime.now(UTC) - timedelta(days=30)
    for number in range(tasks):
        owner = first_task + number
        name = f"Nightly {owner}"
        copied = {"id": owner, "name": name, "name_folded": name.casefold(), "status": STATUSES[number % len(STATUSES)]}
        times = {"updated_at": begin + timedelta(minutes=number)}
        connection.execute(insert(Task), [task | copied | times])
    rows = (
        experiments[number % len(experiments)]
        | {
            "id": first_experiment + place * PER_TASK + number,
            "task_id": first_task + place,
            "number": number,
            "identity": f"copy {number}",
        }
        for place in range(tasks)
        for number in range(PER_TASK)
    )
    while portion := list(itertools.islice(rows, PORTION)):
        connection.execute(insert(Experiment), portion)
    event = {"seq": 1, "type": "task_created", "timestamp": begin, "data": {}}
    connection.execute(insert(EventEntry), [event | {"task_id": first_task + place} for place in range(tasks)])
    return first_task, first_experiment


@contextmanager
def served(folder: Path, database: str) -> Iterator[tuple[str, int]]:
    """`autotuner serve` without a worker; its address and its pid."""
    environment = {
        **os.environ,
        "AUTOTUNER_DATA_DIR": str(folder),
        "AUTOTUNER_DATABASE_URL": database,
        "AUTOTUNER_TOKEN": TOKEN,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "autotuner", "serve", "--no-worker", "--port", "0"]
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            raise SystemExit(f"the service did not start: {(folder / 'serve.log').read_text(encoding='utf-8')}")
        yield line.split()[-1].partition("/?")[0], process.pid
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def questions(filled: Filled, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Kind and path of one request after the other."""
    paths = {
        "list": (
            lambda: f"/api/tasks?page={rng.randint(1, max(1, len(filled.tasks) // 50))}",
            lambda: f"/api/tasks?sort={rng.choice(('name', 'updated_at', 'status'))}",
            lambda: f"/api/experiments?page={rng.randint(1, max(1, min(200, len(filled.experiments) // 50)))}",
        ),
        "filter": (
            lambda: f"/api/tasks?status={rng.choice(('failed', 'cancelled', 'running'))}&sort=updated_at",
            lambda: f"/api/tasks?search={rng.choice(filled.tasks)}",
            lambda: f"/api/experiments?status={rng.choice(('failed', 'success', 'pending'))}&descending=true",
            lambda: f"/api/experiments?task_id={rng.choice(filled.tasks)}&sort=objective_score&descending=true",
        ),
        "detail": (
            lambda: f"/api/tasks/{rng.choice(filled.tasks)}",
            lambda: f"/api/experiments/{rng.choice(filled.experiments)}",
        ),
    }
    while True:
        for kind, makers in paths.items():
            yield kind, rng.choice(makers)()


class Line(asyncio.Protocol):
    """A connection that asks one thing after the other. It keeps the bytes of an answer and looks at their first line
    and length only: what a client does with them is not the service's time.
    """

    def __init__(self) -> None:
        self.is_lost = False
        self._answer: asyncio.Future[float] | None = None
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def ask(self, path: str) -> float:
        """When the last byte of the answer came. RuntimeError for an answer other than 200."""
        self._answer = asyncio.get_running_loop().create_future()
        words = f"GET {path} HTTP/1.1\r\nHost: {self._address()}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        self._transport.write(words.encode())
        return await self._answer

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            head, separator, rest = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if not head.startswith(b"HTTP/1.1 200 ") or length is None:
                self._end(RuntimeError(f"answered {self._head[:1000]!r}"))
                return
            self._head, self._left = b"", int(length[1]) - len(rest)
        if self._left == 0:
            self._end(at)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._end(RuntimeError("the service closed a connection"))

    def close(self) -> None:
        self._answer = None
        self._transport.close()

    def _end(self, outcome: float | RuntimeError) -> None:
        if self._answer is None or self._answer.done():
            return
        if isinstance(outcome, float):
            self._answer.set_result(outcome)
        else:
            self._answer.set_exception(outcome)

    def _address(self) -> str:
        host, port = self._transport.get_extra_info("peername")[:2]
        return f"{host}:{port}"


class Lines:
    """As many connections as are needed at once, all kept open."""

    def __init__(self, address: str) -> None:
        self._host, self._port = address.removeprefix("http://").split(":")
        self._idle: list[Line] = []

    async def ask(self, path: str) -> float:
        """When the answer was there."""
        while self._idle and self._idle[-1].is_lost:  # the service closes what was not used for a while
            self._idle.pop()
        line = self._idle.pop() if self._idle else await self._opened()
        at = await line.ask(path)
        self._idle.append(line)
        return at

    def close(self) -> None:
        for line in self._idle:
            line.close()

    async def _opened(self) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(Line, self._host, int(self._port))
        return line


async def offer(address: str, filled: Filled, *, rate: float, seconds: float) -> dict[str, list[float]]:
    """Latencies by kind, seconds, at a constant rate."""
    took: dict[str, list[float]] = {"list": [], "filter": [], "detail": []}
    asked = questions(filled, random.Random(1))
    lines = Lines(address)
    for _ in range(30):  # connections and caches, as a service that has run for a while has them
        await lines.ask(next(asked)[1])
    begin = time.perf_counter() + 0.1

    async def one(number: int, kind: str, path: str) -> None:
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        took[kind].append(await lines.ask(path) - due)

    await asyncio.gather(*(one(number, *next(asked)) for number in range(round(rate * seconds))))
    lines.close()
    return took


async def flood(address: str, filled: Filled, pid: int, *, requests: int) -> list[tuple[int, float]]:
    """The server's memory in MiB after so many requests, at full rate."""
    asked = questions(filled, random.Random(2))
    lines = Lines(address)
    seen = [(0, resident(pid))]
    step = max(1, requests // 10)
    for done in range(0, requests, step):
        paths = iter([next(asked)[1] for _ in range(step)])

        async def some(paths: Iterator[str]) -> None:
            for path in paths:
                await lines.ask(path)

        await asyncio.gather(*(some(paths) for _ in range(CONNECTIONS)))
        seen.append((done + step, resident(pid)))
        print(f"  after {seen[-1][0]:>7,} requests: {seen[-1][1]:7.1f} MiB", flush=True)
    lines.close()
    return seen


def resident(pid: int) -> float:
    """Resident memory of a process, MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def percentile(values: list[float], share: float) -> float:
    """In ms."""
    return statistics.quantiles(values, n=100)[round(share * 100) - 1] * 1000


def measure(kind: str, folder: Path, server: PostgresServer | None, arguments: argparse.Namespace) -> None:
    """One database: the small store, then the large one."""
    p95: dict[int, dict[str, float]] = {}
    for tasks in (10, arguments.tasks):
        part = folder / f"{kind}-{tasks}"
        part.mkdir()
        filled = fill(part, str(part / "autotuner.db") if server is None else server.new_database(), tasks=tasks)
        print(f"{kind}: {len(filled.experiments):,} experiments in {tasks:,} tasks", flush=True)
        with served(part, filled.database) as (address, pid):
            if arguments.memory:
                if tasks == arguments.tasks:
                    uvloop.run(flood(address, filled, pid, requests=arguments.requests))
                continue
            took = uvloop.run(offer(address, filled, rate=arguments.rate, seconds=arguments.seconds))
        p95[tasks] = {name: percentile(values, 0.95) for name, values in took.items()}
        for name, values in took.items():
            print(f"  {name:6} p50 {percentile(values, 0.5):6.1f} ms, p95 {p95[tasks][name]:6.1f} ms ({len(values)})")
    for name in p95.get(10, ()):
        print(f"  {name:6} p95 of the large store / of the small one: {p95[arguments.tasks][name] / p95[10][name]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=1000, help="of the large store, with 100 experiments each")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long requests are offered")
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second")
    parser.add_argument("--memory", action="store_true", help="memory at full rate in place of latencies")
    parser.add_argument("--requests", type=int, default=50_000, help="with --memory: how many")
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgres"), default=["sqlite", "postgres"])
    parser.add_argument("--small", action="store_true", help="30 tasks and a few requests: no figures")
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.small:
        arguments.tasks, arguments.seconds, arguments.requests = 30, 10.0, 1_000
    gc.freeze()  # a round through this program would count as an answer's time
    with quiet_machine(anyway=arguments.anyway, wait=arguments.wait), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="api-lists-")))
        for kind in arguments.database:
            server = None
            if kind == "postgres":
                binaries = find_binaries()
                if binaries is None:
                    print("postgres: its server is not installed")
                    continue
                server = stack.enter_context(PostgresServer.running(binaries))
            measure(kind, folder, server, arguments)


if __name__ == "__main__":
    main()

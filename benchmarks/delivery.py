"""How long an event takes from its commit, made by another process, to each of 100 clients.

Starts the service, a writer and the clients as processes of their own. First events come at a steady rate, then a burst
as fast as one process commits. Checks that each client got each event once and in order.

    python benchmarks/delivery.py [--clients 100] [--rate 20] [--seconds 30] [--burst 1000]
                                  [--database postgresql://…] [--transport all] [--protocol plain] [--anyway]

`--transport`: `tasks` (/api/ws/tasks/1, the default) or `all` (/api/ws). `--protocol plain`: uvicorn's own WebSocket
protocol, which compresses each frame for each client. Times are of the host's monotonic clock, which all processes
share: from the end of the commit in the writer to the arrival in a client. Without `--database`: a SQLite file in the
temporary folder. A PostgreSQL database must be empty.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

import structlog
import uvicorn
import uvloop
from quiet import add_arguments, quiet_machine
from sqlalchemy import event
from sqlalchemy.orm import Session

from autotuner.contracts.store import EventType, NewEvent, NewTask, TaskStatus
from autotuner.server import serving
from autotuner.server.app import create_app
from autotuner.server.live.websocket import WEBSOCKETS
from autotuner.services.settings import Settings
from autotuner.store import open_store, upgrade

TARGET_S = 0.020
TOKEN = "token-of-this-benchmark-0123456789"  # noqa: S105  # of a service that lives as long as it does
TICKS = os.sysconf("SC_CLK_TCK")


# ---- the service


def serve(url: str, folder: str, descriptor: int, protocol: str) -> None:
    """The service on a socket that was bound for it."""
    listening = socket.socket(fileno=descriptor)
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=True)
    settings = Settings(data_dir=Path(folder), database=url, token=TOKEN)
    if protocol == "plain":
        options: dict[str, Any] = {**WEBSOCKETS, "ws": "websockets-sansio"}
        config = uvicorn.Config(create_app(settings), log_level="error", timeout_graceful_shutdown=5, **options)
        uvicorn.Server(config).run([listening])
    else:
        uvloop.run(serving.serve(settings, listening, lambda _address: None))


# ---- the writer


async def write(url: str, task_id: int, count: int, rate: float) -> None:
    """Commit events; prints [seq, end of the commit]. ``rate`` 0: as fast as they can be committed."""
    committed: list[float] = []
    event.listen(Session, "after_commit", lambda _session: committed.append(time.monotonic()))
    pending = TaskStatus.PENDING
    async with open_store(url, create=False) as store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        due, made = time.monotonic(), []
        for number in range(count):
            if rate:
                due += 1 / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            data = {"number": number, "metrics": {"ttft_p99": 0.1 * number, "output_throughput": 1000.0 + number}}
            said = NewEvent(type=EventType.TASK_UPDATED, data=data)
            task = await store.change_task(task_id, said, expected=[pending], status=pending)
            made.append((task.next_seq - 1, committed[-1]))
    print(json.dumps(made), flush=True)


# ---- the clients


class Client(asyncio.Protocol):
    """Keeps what comes, and when; nothing is looked into before the end."""

    def __init__(self, path: str, ended: asyncio.Semaphore) -> None:
        self.came: list[tuple[float, bytes]] = []
        self._path = path
        self._opened = False
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET {self._path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {TOKEN}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Extensions: permessage-deflate",
        )
        cast("asyncio.Transport", transport).write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        self.came.append((time.monotonic(), data))
        if not self._opened:
            self._opened = True
            self._ended.release()


def frames_of(came: Sequence[tuple[float, bytes]]) -> list[tuple[float, dict[str, Any]]]:
    """The frames in what one client received, each with the time at which its last byte came."""
    raw = b"".join(data for _, data in came)
    head = raw.index(b"\r\n\r\n") + 4
    takeover = b"server_no_context_takeover" not in raw[:head]
    if b"permessage-deflate" not in raw[:head]:
        raise RuntimeError(f"not compressed: {raw[:head]!r}")
    ends, total = [], 0
    for at, data in came:
        total += len(data)
        ends.append((total, at))
    found, place, piece = [], head, 0
    inflating = zlib.decompressobj(-15)
    while place < len(raw):
        first, size, place = raw[place], raw[place + 1], place + 2
        if size in (126, 127):
            width = 2 if size == 126 else 8
            size, place = int.from_bytes(raw[place : place + width]), place + width
        payload, place = raw[place : place + size], place + size
        while ends[piece][0] < place:
            piece += 1
        if first & 0x0F != 1:
            continue
        if first & 0x40:
            inflating = inflating if takeover else zlib.decompressobj(-15)
            payload = inflating.decompress(payload + b"\x00\x00\xff\xff")
        found.append((ends[piece][1], json.loads(payload)))
    return found


async def listen(port: int, path: str, count: int) -> None:
    """Clients until standard input ends; prints of each the [arrival, seq] of every event."""
    gc.disable()  # a round through all that came would count as delivery
    loop, opened = asyncio.get_running_loop(), asyncio.Semaphore(0)
    clients = [Client(path, opened) for _ in range(count)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    for _ in clients:
        await opened.acquire()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for client in clients:
        events = [(at, said["seq"]) for at, said in frames_of(client.came) if said["type"] == "task_updated"]
        print(json.dumps(events), flush=True)


# ---- the whole


def started(role: str, *words: object, keep: Sequence[int] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--role", role, *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=keep)


def line(process: subprocess.Popen[str]) -> str:
    return cast("IO[str]", process.stdout).readline()


def await_ready(process: subprocess.Popen[str]) -> None:
    if line(process) != "ready\n":
        raise RuntimeError("a process of the benchmark did not start")


def go(process: subprocess.Popen[str]) -> None:
    pipe = cast("IO[str]", process.stdin)
    pipe.write("\n")
    pipe.flush()


def cpu_s(process: subprocess.Popen[str]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def written(url: str, task_id: int, count: int, rate: float) -> dict[int, float]:
    """Have events committed; when each commit ended."""
    with started("write", url, task_id, count, rate) as writer:
        await_ready(writer)
        go(writer)
        return dict(json.loads(line(writer)))


async def prepare(url: str) -> int:
    await upgrade(url)
    async with open_store(url) as store:
        return (await store.create_task(NewTask(name="delivery", document={}, fingerprint="none"))).id


def report(name: str, committed: dict[int, float], came: Sequence[Sequence[tuple[float, int]]]) -> float:
    """Print what a phase came to; its 99th percentile, seconds. SystemExit(1) if anything is lost or out of order."""
    wanted = sorted(committed)
    delays = []
    for events in came:
        mine = [(at, seq) for at, seq in events if seq in committed]
        if [seq for _, seq in mine] != wanted:
            print(f"{name}: a client got {len(mine)} of {len(wanted)} events, or not in order")
            raise SystemExit(1)
        delays += [at - committed[seq] for at, seq in mine]
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    last = max(max(at for at, seq in events if seq in committed) for events in came)
    span = max(committed.values()) - min(committed.values())
    print(
        f"{name}: {len(wanted)} events in {span:.2f} s to {len(came)} clients, all in order; "
        f"p50 {cuts[49] * 1e3:.1f} ms, p95 {cuts[94] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms, "
        f"max {max(delays) * 1e3:.1f} ms; the last {(last - max(committed.values())) * 1e3:.1f} ms after its commit"
    )
    return cuts[98]


def measure(given: argparse.Namespace, folder: str) -> None:
    url = given.database or str(Path(folder) / "autotuner.db")
    task_id = asyncio.run(prepare(url))
    path = f"/api/ws/tasks/{task_id}" if given.transport == "tasks" else "/api/ws"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(given.clients)
        port = listening.getsockname()[1]
        words = (url, folder, listening.fileno(), given.protocol)
        service = started("serve", *words, keep=[listening.fileno()])
    clients = started("listen", port, path, given.clients)
    try:
        await_ready(clients)
        before, begun = cpu_s(service), time.monotonic()
        steady = written(url, task_id, round(given.rate * given.seconds), given.rate)
        used = (cpu_s(service) - before) / (time.monotonic() - begun)
        burst = written(url, task_id, given.burst, 0.0) if given.burst else {}
        time.sleep(2.0)  # for what is on its way; what comes later counts as lost
        go(clients)
        came = [json.loads(line(clients)) for _ in range(given.clients)]
    finally:
        clients.kill()
        clients.communicate()
        service.kill()
        service.communicate()
    p99 = report(f"{given.rate:g} events/s", steady, came)
    print(f"the service used {used:.0%} of a core meanwhile")
    if burst:
        report("burst", burst, came)
    print(f"p99 is {'within' if p99 <= TARGET_S else 'beyond'} {TARGET_S * 1e3:g} ms")


def main() -> None:
    """Exit code 1 when an event was lost or came out of order."""
    role, words = (sys.argv[2], sys.argv[3:]) if sys.argv[1:2] == ["--role"] else (None, [])
    if role == "serve":
        serve(words[0], words[1], int(words[2]), words[3])
    elif role == "write":
        asyncio.run(write(words[0], int(words[1]), int(words[2]), float(words[3])))
    elif role == "listen":
        uvloop.run(listen(int(words[0]), words[1], int(words[2])))
    else:
        parser = argparse.ArgumentParser(description="from commit to client")
        parser.add_argument("--clients", type=int, default=100)
        parser.add_argument("--rate", type=float, default=20.0, help="events per second")
        parser.add_argument("--seconds", type=float, default=30.0)
        parser.add_argument("--burst", type=int, default=1000, help="events; 0: no burst")
        parser.add_argument("--database", help="a store instead of a new SQLite file")
        parser.add_argument("--transport", choices=("tasks", "all"), default="tasks")
        parser.add_argument("--protocol", choices=("frames", "plain"), default="frames")
        add_arguments(parser)
        given = parser.parse_args()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended too
        with quiet_machine(anyway=given.anyway, wait=given.wait), tempfile.TemporaryDirectory() as folder:
            measure(given, folder)


if __name__ == "__main__":
    main()

"""What the mock server itself can do: how late its tokens are, what one costs it, and how many it serves at most.

``python benchmarks/mock_ceiling.py [--seconds 5] [--streams 16 128 512]``. Server and client run on a core each. For
each number of streams: *paced* has 10 ms between tokens and tells the lateness of each write against its due time;
*flooded* asks for a token every 0.1 ms from each stream, more than can be served, and *requests* for answers of one
token without a wait. The client splits nothing and counts nothing: all figures are the server's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from dataclasses import dataclass
from time import monotonic
from typing import cast
from urllib.parse import urlsplit

from mocked import mock_server
from quiet import add_arguments, quiet_machine

END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """One way to load the server."""

    name: str
    ttft_s: float
    token_s: float
    tokens: int


LOADS = (Load("paced", 0.05, 0.01, 64), Load("flooded", 0.0, 0.0001, 512), Load("requests", 0.0, 0.0, 1))


class Stream(asyncio.Protocol):
    """Sends the same request again whenever its answer has ended."""

    def __init__(self, request: bytes, until: float) -> None:
        self.request = request
        self.until = until
        self.tail = b""
        self.over = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-len(END) :]
        if self.tail != END or self.transport is None:
            return
        if monotonic() < self.until:
            self.transport.write(self.request)
        elif not self.over.done():
            self.over.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError("the server closed the connection"))


async def flood(base_url: str, streams: int, seconds: float, tokens: int) -> float:
    """Keep the streams busy; the seconds that it took."""
    body = json.dumps({"prompt": [1, 2, 3], "max_tokens": tokens, "stream": True}).encode()
    request = b"POST /v1/completions HTTP/1.1\r\nHost: mock\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    where = urlsplit(base_url)
    began = monotonic()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Stream(request, began + seconds), where.hostname, where.port)
        for _ in range(streams)
    ]
    await asyncio.gather(*(stream.over for _, stream in made))
    took = monotonic() - began
    for transport, _ in made:
        transport.close()
    return took


async def measure(load: Load, streams: int, seconds: float, core: int) -> str:
    """One line of the table."""
    with mock_server("--ttft-s", str(load.ttft_s), "--token-s", str(load.token_s), core=core) as server:
        took = await flood(server.base_url, streams, seconds, load.tokens)
    told = server.told
    return (
        f"{load.name:9s}{streams:8d}{told['tokens'] / took:12.0f}{told['requests'] / took:12.0f}"
        f"{told['cpu_s'] / told['tokens'] * 1e6:14.1f}{told['cpu_s'] / took:10.0%}"
        f"{told['late_p50_s'] * 1e3:10.2f}{told['late_p99_s'] * 1e3:10.2f}{told['late_max_s'] * 1e3:10.2f}"
    )


async def table(streams: list[int], seconds: float, cores: list[int]) -> None:
    """Print every line as soon as it is there."""
    os.sched_setaffinity(0, {cores[-1]})
    print(f"server on core {cores[0]}, client on core {cores[-1]}")
    print("load      streams    tokens/s  requests/s  CPU us/token  CPU use  late p50    p99 ms    max ms")
    for load in LOADS:
        for number in streams:
            print(await measure(load, number, seconds, cores[0]), flush=True)


def main() -> int:
    """Always 0: there are no targets, only the ceiling to be known."""
    parser = argparse.ArgumentParser(description="the mock server's own ceiling")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--streams", type=int, nargs="+", default=[16, 128, 512])
    add_arguments(parser)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with quiet_machine(anyway=given.anyway, wait=given.wait):
        asyncio.run(table(given.streams, given.seconds, cores))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

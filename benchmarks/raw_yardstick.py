"""The least a streaming client can do: a closed loop on a bare protocol that splits events and takes their times.

It knows where an answer ends by its last bytes and looks into nothing else; its event loop is that of the client.

``python benchmarks/raw_yardstick.py HOST PORT STREAMS SECONDS TOKENS [CORE]`` prints one line of JSON. A part of
``client_accuracy.py``, which holds the machine for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from time import monotonic, process_time
from typing import cast

import uvloop


class Stream(asyncio.Protocol):
    """Sends the same request again whenever its answer has ended."""

    def __init__(self, request: bytes, until: float, ttfts: list[float]) -> None:
        self.request = request
        self.until = until
        self.ttfts = ttfts
        self.arrivals: list[float] = []
        self.answers = 0
        self.end = b""
        self.sent = 0.0
        self.waiting = True
        self.over = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send()

    def send(self) -> None:
        if self.transport is None or monotonic() >= self.until:
            self.over.set_result(None)
            return
        self.waiting = True
        self.sent = monotonic()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = monotonic()
        if self.waiting:
            self.waiting = False
            self.ttfts.append(now - self.sent)
        for _ in range(len(data.split(b"\n\n")) - 1):
            self.arrivals.append(now)
        self.end = data[-5:] if len(data) >= 5 else (self.end + data)[-5:]
        if self.end == b"0\r\n\r\n":
            self.answers += 1
            self.send()


async def run(host: str, port: int, streams: int, seconds: float, tokens: int) -> dict[str, float]:
    """Keep the streams busy and say what it cost."""
    fields = {
        "model": "mock",
        "prompt": list(range(100)),
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body = json.dumps(fields).encode()
    request = b"POST /v1/completions HTTP/1.1\r\nHost: mock\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    ttfts: list[float] = []
    until = monotonic() + seconds
    began = process_time()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Stream(request, until, ttfts), host, port) for _ in range(streams)]
    await asyncio.gather(*(stream.over for _, stream in made))
    cpu = process_time() - began
    for transport, _ in made:
        transport.close()
    # After its tokens, each answer has three more events: finish reason, usage, [DONE].
    received = sum(len(stream.arrivals) - 3 * stream.answers for _, stream in made)
    return {"tokens": received, "cpu_us_per_token": cpu / received * 1e6, "ttft_p50": sorted(ttfts)[len(ttfts) // 2]}


def main() -> None:
    host, port, streams, seconds, tokens, *core = sys.argv[1:]
    if core:
        os.sched_setaffinity(0, {int(core[0])})
    print(json.dumps(uvloop.run(run(host, int(port), int(streams), float(seconds), int(tokens)))))


if __name__ == "__main__":
    main()

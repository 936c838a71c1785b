"""An engine that misbehaves: fault_engine.py MODE, then the flags of llama-server. Answers as the mock server does.

Modes: ok; never_ready (503 for ever); dies_at_load (exit code 7 with a last word); dies_in_benchmark (aborts while it
answers its 40th completion); hangs (is ready, answers one completion, then no other ever ends); hangs_on_sigterm;
forks (the first process ends well, a descendant in a session of its own serves and ignores SIGTERM); fills_log
(writes as fast as it can); wrong_model (serves another one); port_taken (ends as one whose port is taken);
cannot_fit (ends as one whose memory does not suffice).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from autotuner.mock_server import Fault, MockOptions, MockServer
from autotuner.mock_server.truth import Truth


class Unready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()


class Dying(MockServer):
    """Aborts the process in the middle of its work."""

    def opened(self, truth: Truth) -> None:
        super().opened(truth)
        if truth.number == 40:
            say("the engine has lost its mind")
            os.abort()


class Hanging(MockServer):
    """Its first completion proves it ready; no other one ends."""

    def opened(self, truth: Truth) -> None:
        super().opened(truth)
        if truth.number > 1:
            truth.fault = Fault.HANG_BEFORE


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def chatter() -> None:
    line = b"chatter " * 125 + b"\n"
    while True:
        os.write(2, line)


def leave() -> None:
    """Go on as a grandchild in a session of its own."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


async def serve(mode: str) -> None:
    kind = {"dies_in_benchmark": Dying, "hangs": Hanging}.get(mode, MockServer)
    model = "another" if mode == "wrong_model" else option("--alias")
    options = MockOptions(ttft_s=0.001, token_s=0.0005, model=model, api_key=os.environ["LLAMA_API_KEY"])
    async with kind(options, port=int(option("--port"))):
        if mode == "hangs_on_sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        await asyncio.Event().wait()


def main() -> None:
    mode = sys.argv[1]
    if "--version" in sys.argv:
        sys.stdout.write("version: 1\n")
        return
    say(f"fault engine: {mode}")
    if mode == "dies_at_load":
        say("a last word")
        sys.exit(7)
    if mode == "port_taken":
        sys.exit("OSError: [Errno 98] Address already in use")
    if mode == "cannot_fit":
        sys.exit("ggml_aligned_malloc: insufficient memory (attempted to allocate 1048576.00 MB)")
    if mode == "never_ready":
        HTTPServer(("127.0.0.1", int(option("--port"))), Unready).serve_forever()
    if mode == "forks":
        leave()
    if mode == "fills_log":
        threading.Thread(target=chatter, daemon=True).start()
    asyncio.run(serve(mode))


if __name__ == "__main__":
    main()

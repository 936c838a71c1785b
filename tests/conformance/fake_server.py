"""A small server with settable misbehaviour, run as a file: fake_server.py PORT MODE.

It answers /health, /v1/models and /v1/completions and asks for the key in FAKE_API_KEY. Modes:
ok; other (answers to any model's name, but says that it serves another one);
silent (health is good, a completion never ends); unhealthy (503 for ever); wrong (completions are HTTP 400);
stubborn (ignores SIGTERM); family (a child and a grandchild in a session of its own, both ignore SIGTERM);
daemon (goes into the background: another session, nothing inherited, no environment; the first process ends);
breeder (without end, children in sessions of their own whose parents end at once); chatty (writes as fast as it can);
dies (ends with code 7 before it listens); bursts (writes a pattern and aborts); taken (says that its port is taken).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    mode = "ok"

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.reply(200, {"data": [{"id": "other" if self.mode == "other" else "tiny"}]})
        else:
            self.reply(503 if self.mode == "unhealthy" else 200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = os.environ.get("FAKE_API_KEY")
        if self.mode == "silent":
            time.sleep(3600)
        if key and self.headers["Authorization"] != f"Bearer {key}":
            self.reply(401, {"error": "key"})
        elif self.path != "/v1/completions" or (body["model"] != "tiny" and self.mode != "other"):
            self.reply(404, {"error": "not found"})
        elif self.mode == "wrong":
            self.reply(400, {"error": "no such thing"})
        else:
            self.reply(200, {"choices": [{"text": "x"}], "usage": {"completion_tokens": 1}})

    def reply(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def descend() -> None:
    """A child, and a grandchild that leaves the session."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
        while True:
            time.sleep(3600)


def go_into_background() -> None:
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 1024)
    os.execve(sys.executable, [sys.executable, __file__, sys.argv[1], "stubborn"], {})


def breed() -> None:
    """A child that moves to a session of its own, becomes an orphan and does the same again, for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() != 0:
        return
    while True:
        os.setsid() if os.getsid(0) != os.getpid() else None
        if os.fork() != 0:
            os._exit(0)
        time.sleep(0.001)


def chatter() -> None:
    line = b"x" * 1000 + b"\n"
    while True:
        os.write(1, line)


def main() -> None:
    port, mode = int(sys.argv[1]), sys.argv[2]
    Handler.mode = mode
    say("starting", mode, *sys.argv[3:], os.environ.get("FAKE_API_KEY", ""))
    if mode == "dies":
        sys.exit("a last word")
    if mode == "bursts":
        say("0.1 E alloc: BURST of 8 GiB")
        os.abort()
    if mode == "taken":
        sys.exit("OSError: [Errno 98] Address already in use")
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "family":
        descend()
    if mode == "daemon":
        go_into_background()
    if mode == "breeder":
        breed()
    if mode == "chatty":
        threading.Thread(target=chatter, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()

"""A server of metrics, and parts of an attempt against it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

from autotuner.contracts.attempt import AttemptJob, Handle
from autotuner.contracts.client import OnProgress
from autotuner.contracts.deployment import Endpoint, OnHandle
from autotuner.contracts.measurement import LiveFigures, Measurement
from conformance.fake_parts import FakeDeployment, measurement

KEY = "a key"
Answerer = Callable[[int], tuple[int, bytes]]


class Page:
    """A server of metrics: ``answer(n)`` gives status and body of the n-th request, from 0."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.asked: list[str | None] = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.url = ""

    async def served(self, count: int) -> None:
        """Wait until so many requests were answered."""

        def wait() -> None:
            with self.changed:
                assert self.changed.wait_for(lambda: len(self.asked) >= count, 60)

        await asyncio.to_thread(wait)

    @contextmanager
    def serving(self) -> Iterator[None]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with page.lock:
                    number = len(page.asked)
                    page.at_once += 1
                    page.most_at_once = max(page.most_at_once, page.at_once)
                status, body = page.answer(number)
                with contextlib.suppress(OSError):  # whoever asked may be gone
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                with page.changed:
                    page.at_once -= 1
                    page.asked.append(self.headers["Authorization"])
                    page.changed.notify_all()

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()


class Deployed(FakeDeployment):
    """Its servers are the page; ``here``: with a process of this host."""

    def __init__(self, page: Page, *, here: bool = False) -> None:
        super().__init__()
        self._page = page
        self._here = here

    async def start(self, job: AttemptJob, on_handle: OnHandle) -> Handle:
        handle = await super().start(job, on_handle)
        return handle.model_copy(update={"fields": {**handle.fields, "pid": 1}}) if self._here else handle

    async def wait_ready(self, handle: Handle, timeout_s: float) -> Endpoint:
        return Endpoint(self._page.url, "m", KEY)


class Client:
    """One window per load point, which lasts until the page was asked so many more times, and then so many seconds."""

    def __init__(
        self,
        page: Page,
        pages: int,
        *,
        tells_opening: bool = True,
        tells_progress: bool = True,
        seconds: float = 0.0,
    ) -> None:
        self._page, self._pages, self._seconds = page, pages, seconds
        self._tells_opening, self._tells_progress = tells_opening, tells_progress

    async def measure(
        self, job: AttemptJob, endpoint: Endpoint, artefacts: Path, on_progress: OnProgress
    ) -> AsyncGenerator[Measurement, None]:
        for point, repeat in job.remaining():
            figures = LiveFigures(
                load_point=point.name, repeat=repeat, phase="warmup", elapsed_s=0, window_s=1, completed=0, errors=0
            )
            if self._tells_progress:
                on_progress(figures)
            await self._page.served(1)
            opened, before = monotonic(), len(self._page.asked)
            if self._tells_progress:
                on_progress(figures.model_copy(update={"phase": "measure"}))
            if self._pages:
                await self._page.served(before + self._pages)
            await asyncio.sleep(self._seconds)
            known = {"window_s": monotonic() - opened, "opened_monotonic": opened if self._tells_opening else None}
            yield measurement(point, repeat=repeat).model_copy(update=known)

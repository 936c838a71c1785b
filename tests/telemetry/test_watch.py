"""Attempts against a real HTTP server whose metrics change while it is measured."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from metrics_page import KEY, Client, Deployed, Page

from autotuner.contracts.attempt import AttemptStatus, Ended, Measured, ServerFacts
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.server_metrics import MetricNames, ServerFigures
from autotuner.runner.attempt import run_attempt
from autotuner.telemetry import watch
from conformance.fake_parts import make_job

FACTS = ServerFacts(
    metrics_path="/metrics",
    metric_names=(MetricNames(running=(("running",),), generation_tokens=(("made_total",),), kv_cache_use=(("kv",),)),),
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty readings a second, so that the tests need not wait."""
    monkeypatch.setattr(watch, "PERIOD_S", 0.05)


async def attempt(page: Page, client: Client, folder: Path, facts: ServerFacts = FACTS) -> list[Measurement]:
    job = make_job(folder).model_copy(update={"server": facts})
    records = [record async for record in run_attempt(job, Deployed(page), client)]
    last = records[-1]
    assert isinstance(last, Ended)
    assert (last.status, last.failure) == (AttemptStatus.SUCCESS, None)
    return [record.measurement for record in records if isinstance(record, Measured)]


def counting(number: int) -> tuple[int, bytes]:
    return 200, f"# a comment\nrunning {number}\nmade_total {100 * number}\n".encode()


def consistent(figures: ServerFigures) -> None:
    """The page of the n-th request says n and 100 n: what is stored follows from n, whatever the moments were."""
    assert figures.running is not None
    assert figures.generation_tokens is not None
    assert figures.generation_tokens % 100 == 0
    steps = figures.generation_tokens // 100
    assert figures.pages - 1 <= steps <= figures.pages + 1
    assert figures.running.max - figures.running.mean == pytest.approx((figures.pages - 1) / 2)
    assert figures.kv_cache_use is None
    assert figures.preemptions is None


@pytest.mark.parametrize(("opening", "progress"), [(True, True), (True, False), (False, True)])
async def test_each_measurement_gets_the_figures_of_its_window(tmp_path: Path, opening: bool, progress: bool) -> None:
    """Also for a client that tells only when its window opened, or only how far it is."""
    page = Page(counting)
    with page.serving():
        client = Client(page, 3, tells_opening=opening, tells_progress=progress)
        found = await attempt(page, client, tmp_path)
    assert len(found) == 2
    for measured in found:
        assert measured.server is not None
        assert measured.server.pages >= 2
        assert measured.server.missed == 0
        consistent(measured.server)
    assert set(page.asked) == {f"Bearer {KEY}"}
    assert page.most_at_once == 1


async def test_a_client_that_tells_no_window_has_no_figures(tmp_path: Path) -> None:
    page = Page(counting)
    with page.serving():
        found = await attempt(page, Client(page, 2, tells_opening=False, tells_progress=False), tmp_path)
    assert [measured.server for measured in found] == [None, None]


async def test_a_page_that_fails_now_and_then_costs_that_page_alone(tmp_path: Path) -> None:
    broken = (b"\x00\xff<html>", b"running\n", b"")

    def answer(number: int) -> tuple[int, bytes]:
        if number % 4 == 2:
            return (503, b"busy") if number % 8 == 2 else (200, broken[number % 3])
        return counting(number)

    page = Page(answer)
    with page.serving():
        found = await attempt(page, Client(page, 5), tmp_path)
    for measured in found:
        assert measured.server is not None
        assert measured.server.missed >= 1
        assert measured.server.pages >= 2
        assert measured.server.running is not None


async def test_garbage_costs_the_figures_never_the_measurement(tmp_path: Path) -> None:
    page = Page(lambda number: (200, bytes(range(256)) * 100))
    with page.serving():
        found = await attempt(page, Client(page, 2), tmp_path)
    assert [measured.server for measured in found] == [None, None]


@pytest.mark.parametrize("status", [401, 404, 501])
async def test_a_server_without_metrics_is_asked_once(tmp_path: Path, status: int) -> None:
    page = Page(lambda number: (status, b""))
    with page.serving():
        found = await attempt(page, Client(page, 0), tmp_path)
    assert [measured.server for measured in found] == [None, None]
    assert len(page.asked) == 1


async def test_a_server_that_is_gone_costs_the_figures(tmp_path: Path) -> None:
    page = Page(counting)
    page.asked.append(None)  # nobody waits for it
    page.url = "http://127.0.0.1:1"
    found = await attempt(page, Client(page, 0), tmp_path)
    assert [measured.server for measured in found] == [None, None]


@pytest.mark.parametrize("facts", [ServerFacts(), FACTS.model_copy(update={"metric_names": ()})])
async def test_an_engine_that_has_no_metrics_is_not_asked(tmp_path: Path, facts: ServerFacts) -> None:
    page = Page(counting)
    with page.serving():
        page.asked.append("nobody")
        found = await attempt(page, Client(page, 0), tmp_path, facts)
    assert [measured.server for measured in found] == [None, None]
    assert page.asked == ["nobody"]


async def test_a_page_that_never_comes_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """The attempt is cancelled while a reading hangs: it ends, and so does the reading."""
    hanging, let_go = threading.Event(), threading.Event()

    def answer(number: int) -> tuple[int, bytes]:
        hanging.set()
        let_go.wait(60)
        return 503, b""

    page = Page(answer)
    with page.serving():
        job = make_job(tmp_path).model_copy(update={"server": FACTS})
        deployment = Deployed(page)

        async def read() -> None:
            async for _ in run_attempt(job, deployment, Client(page, 1)):
                pass

        reader = asyncio.create_task(read())
        await asyncio.to_thread(hanging.wait, 60)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert deployment.running == set()
        let_go.set()

"""Times and metrics that follow from the load."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median

import pytest
from pydantic import ValidationError

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.samples import read_samples
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.load_curve import LoadCurve
from autotuner.engines.exposition import EXPOSITIONS
from autotuner.engines.registry import predicted_curve
from autotuner.engines.simulated.serving import predict
from autotuner.mock_server import MockOptions, MockServer
from autotuner.mock_server.truth import Truth
from conformance.client_suite import endpoint, fixed, job, load, measure
from mock_server.raw import ask, connect, read_answer, request

SURFACE = "qwen3_32b_h200"
ROW = {"tp": "8", "max_num_seqs": "8"}


def test_a_curve_goes_on_as_its_last_step() -> None:
    curve = LoadCurve(ttft_s=(0.1, 0.2, 0.5), tpot_s=(0.01, 0.02, 0.03), capacity=2)
    assert [curve.at(load) for load in (0, 1, 3)] == [(0.1, 0.01), (0.1, 0.01), (0.5, 0.03)]
    assert curve.at(5) == pytest.approx((1.1, 0.03))
    with pytest.raises(ValidationError):
        LoadCurve(ttft_s=(0.1,), tpot_s=(0.1, 0.2), capacity=1)
    with pytest.raises(ValidationError):
        MockOptions(curve=curve, max_batch=3)


def test_a_surface_becomes_the_curve_of_its_prediction() -> None:
    prediction, curve = predict(SURFACE, ROW), predicted_curve(SURFACE, ROW)
    assert curve.capacity == prediction.saturating
    # Also beyond the table of the curve, where requests queue.
    for load_ in (1, 2, 3, curve.capacity, curve.capacity + 1, 3 * curve.capacity):
        figures = prediction.at(load_)
        assert curve.at(load_) == pytest.approx((figures.ttft_s, figures.tpot_s))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"colour": "red"}, ErrorCode.UNKNOWN_KEY),
        ({"tp": "two"}, ErrorCode.INVALID_VALUE),
        ({"isl": "17"}, ErrorCode.INVALID_VALUE),
        ({"tp": "3"}, ErrorCode.UNSUPPORTED),
    ],
)
def test_a_row_that_is_none_is_refused(row: dict[str, str], code: ErrorCode) -> None:
    with pytest.raises(AutotunerError) as caught:
        predicted_curve(SURFACE, row)
    assert caught.value.code is code


async def test_a_surface_is_served_and_measured_as_predicted(tmp_path: Path) -> None:
    """Due times are the prediction's to the microsecond; the client finds the times at which they were written."""
    prediction, curve = predict(SURFACE, ROW), predicted_curve(SURFACE, ROW)
    tokens, loads = 12, (2, 8, 12)
    points = [load((1.0, fixed(20, tokens)), concurrency=number) for number in loads]
    async with MockServer(MockOptions(curve=curve)) as server, BuiltinClient().open(None) as session:
        work = job(*points, window_s=60.0, max_requests=18, warmup_requests=0, drain_s=60.0)
        found = await measure(session, work, endpoint(server), tmp_path)
        truths = [truth for truth in server.truth if truth.first is not None]
    assert max(loads) > curve.capacity
    for truth in truths:
        # By the load at that moment, whatever it was.
        assert due_ttft(truth) == pytest.approx(prediction.at(truth.load).ttft_s, abs=1e-6)
    for number, measured in zip(loads, found, strict=True):
        assert measured.error_requests == 0
        assert measured.ttft is not None
        assert measured.tpot is not None
        assert measured.samples_path is not None
        header, records = read_samples(tmp_path / measured.samples_path)
        begun = float(str(header["opened_monotonic"])) + min(record.started for record in records if record.in_window)
        own = [truth for truth in truths if truth.received >= begun][: measured.total_requests]
        assert sum(t.load == number for t in own) >= len(own) / 2
        # What was written, and what was measured of it: the client can't be earlier, and is hardly later.
        written = median((t.first or 0.0) - t.received for t in own)
        assert written <= measured.ttft.p50 * 1.05
        assert measured.ttft.p50 == pytest.approx(written, rel=0.25)
        steps = median(((t.last or 0.0) - (t.first or 0.0)) / (tokens - 1) for t in own)
        assert measured.tpot.p50 == pytest.approx(steps, rel=0.25)


def due_ttft(truth: Truth) -> float:
    assert truth.first_due is not None
    assert truth.began is not None
    return truth.first_due - truth.began


async def test_tokens_take_longer_while_more_are_served() -> None:
    options = MockOptions(ttft_s=0.1, token_s=0.002, slowdown=1.0)
    async with MockServer(options) as server:
        alone = await ask(server, max_tokens=6)
        assert alone.status == 200
        await asyncio.gather(*(ask(server, max_tokens=50) for _ in range(3)))
        first, *others = server.truth
    assert due_ttft(first) == pytest.approx(0.1, abs=1e-9)
    assert first.last_due is not None
    assert first.first_due is not None
    assert first.last_due - first.first_due == pytest.approx(0.010, abs=1e-9)
    # Each by the load that it found when its first token was due.
    assert {truth.load for truth in others} == {3}
    assert all(due_ttft(truth) == pytest.approx(0.3, abs=1e-9) for truth in others)


def series(text: str) -> dict[str, float]:
    """Name and labels → value; each announced with its type."""
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    types = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert {name.partition("{")[0] for name in found} == types
    return {name: float(value) for name, value in found.items()}


async def scrape(server: MockServer) -> dict[str, float]:
    reader, writer = await connect(server)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    answer = await read_answer(reader)
    writer.close()
    assert answer.status == 200
    return series(answer.body.decode())


@pytest.mark.parametrize("engine", EXPOSITIONS)
async def test_metrics_are_those_of_the_truths(engine: str) -> None:
    names = {figure: name.replace("{model}", "served") for figure, name in EXPOSITIONS[engine].items()}
    options = MockOptions(
        ttft_s=0.0,
        token_s=0.0,
        model="served",
        metrics=dict(EXPOSITIONS[engine]),
        max_batch=2,
        kv_tokens=100,
        cached_prompt_tokens=2,
        faults={"hang_middle": 1.0},
    )
    async with MockServer(options) as server:
        idle = await scrape(server)
        assert set(idle) == set(names.values())
        assert set(idle.values()) == {0.0}
        server.options = options.model_copy(update={"faults": {}})
        for _ in range(3):
            await ask(server, max_tokens=5)
        server.options = options
        held = [await connect(server) for _ in range(3)]
        for reader, writer in held[:2]:
            writer.write(request(stream=True, max_tokens=8))
            await reader.readuntil(b"delta ")
        held[2][1].write(request(stream=True, max_tokens=8))
        await server.until(lambda: server.open_requests == 3)
        busy = await scrape(server)
        truths = [truth for truth in server.truth if truth.first_due is not None]
        for _, writer in held:
            writer.close()
        await server.until(lambda: server.open_requests == 0)
        over = await scrape(server)
    value = {figure: busy[name] for figure, name in names.items()}
    assert (value["running"], value["waiting"]) == (2, 1)
    assert value["generation_tokens"] == sum(truth.tokens for truth in truths) == 3 * 5 + 2 * 4
    prompt, cached = sum(t.prompt_tokens for t in truths), sum(t.cached_tokens for t in truths)
    assert value.get("prompt_tokens", prompt) == prompt == 15
    assert value["cached_tokens"] == cached == 10
    assert value.get("computed_tokens", 5) == prompt - cached
    assert value.get("kv_usage", 0.14) == pytest.approx(2 * (3 + 4) / 100)
    assert over[names["running"]] == over[names["waiting"]] == 0
    assert over[names["generation_tokens"]] >= value["generation_tokens"]


async def test_without_names_there_are_no_metrics() -> None:
    async with MockServer(MockOptions()) as server:
        reader, writer = await connect(server)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await read_answer(reader)).status == 404
        writer.close()

"""Every kind of traffic and profile against the mock server, which knows what was really sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from autotuner.benchmark.builtin import BuiltinClient
from autotuner.benchmark.dataset import describe
from autotuner.benchmark.samples import read_samples
from autotuner.config.scenario import parse_traffic
from autotuner.contracts.attempt import AttemptJob
from autotuner.contracts.client import ClientError
from autotuner.contracts.measurement import Measurement, RequestRecord
from autotuner.contracts.workload import LoadPoint
from autotuner.mock_server import Fault, MockOptions, MockServer
from conformance.client_suite import QUICK, endpoint, job, measure


def point(
    text: str, concurrency: int | None = 2, *, replay_speed: float | None = None, sweep_step: int | None = None
) -> LoadPoint:
    other = replay_speed is not None or sweep_step is not None
    return LoadPoint(
        traffic=parse_traffic(text),
        concurrency=None if other else concurrency,
        replay_speed=replay_speed,
        sweep_step=sweep_step,
    )


def with_workload(work: AttemptJob, **changes: object) -> AttemptJob:
    return work.model_copy(update={"workload": work.workload.model_copy(update=changes)})


def records(found: Measurement, folder: Path) -> Sequence[RequestRecord]:
    assert found.samples_path is not None
    return read_samples(folder / found.samples_path)[1]


async def run(server: MockServer, work: AttemptJob, folder: Path) -> list[Measurement]:
    async with BuiltinClient().open(None) as session:
        return await measure(session, work, endpoint(server), folder)


async def test_a_prefix_is_shared_exactly_and_what_follows_is_not(tmp_path: Path) -> None:
    work = job(point("P(24,16)/4"), repeats=2, max_requests=12)
    async with MockServer(QUICK) as server:
        found = await run(server, work, tmp_path)
    assert [m.asked_prompt_tokens for m in found] == [m.prompt_tokens for m in found]
    prompts = [truth.prompt for truth in server.truth]
    assert all(len(prompt) == 40 for prompt in prompts)
    prefixes = [prompt[:24] for prompt in prompts]
    # One for each of the two measurements, which follow each other; and no two suffixes begin alike.
    assert len(set(prefixes)) == 2
    assert prefixes == sorted(prefixes, key=prefixes.index)
    assert len({prompt[24:26] for prompt in prompts}) == len(prompts)


async def test_a_prefix_of_words_is_shared_too(tmp_path: Path) -> None:
    async with MockServer(QUICK) as server:
        (found,) = await run(server, job(point("P(4,30)/2"), options={}, max_requests=6), tmp_path)
    assert found.asked_prompt_tokens == found.prompt_tokens == 34 * found.completed_requests
    sent = [str(truth.prompt).split(" ") for truth in server.truth if truth.prompt_tokens == 34]
    assert len(sent) >= found.completed_requests
    assert len({tuple(words[:4]) for words in sent}) == 1
    assert len({tuple(words[4:6]) for words in sent}) == len(sent)


@pytest.mark.parametrize(("api", "lengths"), [("chat", (3, 8, 13)), ("completions", (3, 7, 11))])
async def test_each_turn_sends_the_answer_that_was_received(
    api: str, lengths: tuple[int, int, int], tmp_path: Path
) -> None:
    work = with_workload(job(point("D(3,2)x3"), max_requests=12, window_s=60.0, warmup_requests=0), api=api)
    async with MockServer(QUICK) as server:
        (found,) = await run(server, work, tmp_path)
    assert found.error_requests == 0
    asked = [truth for truth in server.truth if truth.asked_tokens == 2]
    first, second, third = ([str(t.prompt) for t in asked if t.prompt_tokens == n] for n in lengths)
    assert len(first) + len(second) + len(third) == len(asked)
    # The mock's answers of two tokens are "alpha beta ", and begin in the middle of a word where all is one text.
    for prompt in second:
        before, answer, message = prompt.partition("alpha beta ")
        assert answer
        assert before.strip() in first
        assert len(message.split()) == 3
    assert third
    assert all(any(long.startswith(short) for short in second) for long in third)
    if api == "chat":
        assert found.asked_prompt_tokens == found.prompt_tokens


async def test_a_conversation_ends_with_a_failed_answer(tmp_path: Path) -> None:
    options = QUICK.model_copy(update={"fault": Fault.CUT, "fault_every": 2})
    async with MockServer(options) as server:
        work = job(point("D(3,2)x5", 1), options={}, max_requests=12, min_requests=0, warmup_requests=0)
        await run(server, work, tmp_path)
    talk = [truth for truth in server.truth if truth.asked_tokens == 2]
    after_a_fault = [later for before, later in pairwise(talk) if before.fault is not None]
    assert after_a_fault
    assert all(truth.prompt_tokens <= 4 for truth in after_a_fault)


def write_requests(folder: Path, times: Sequence[float] = ()) -> Path:
    path = folder / "requests.jsonl"
    rows = [{"prompt": f"number {n} of many", "output_tokens": 2 + n % 3} for n in range(max(20, len(times)))]
    for row, at in zip(rows, times, strict=False):
        row["timestamp"] = at
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def test_a_dataset_is_sent_as_it_is(tmp_path: Path) -> None:
    described = describe(write_requests(tmp_path))
    work = with_workload(job(point("dataset", 1), max_requests=30, window_s=60.0, warmup_requests=0), dataset=described)
    async with MockServer(QUICK) as server:
        (found,) = await run(server, work, tmp_path)
    sent = [(truth.prompt, truth.asked_tokens) for truth in server.truth]
    assert sent[:30] == [(f"number {n % 20} of many", 2 + n % 20 % 3) for n in range(30)]
    assert found.output_tokens == found.asked_output_tokens
    assert found.asked_prompt_tokens is None


async def test_measurements_begin_at_different_places_of_a_dataset(tmp_path: Path) -> None:
    described = describe(write_requests(tmp_path))
    work = job(point("dataset", 1), point("0.5*dataset+0.5*D(6,9)", 1), max_requests=4, warmup_requests=0)
    async with MockServer(QUICK) as server:
        await run(server, with_workload(work, dataset=described), tmp_path)
    texts = [str(truth.prompt) for truth in server.truth if isinstance(truth.prompt, str)]
    assert texts[0] == "number 0 of many"
    assert "number 10 of many" in texts
    assert any(truth.asked_tokens == 9 and not isinstance(truth.prompt, str) for truth in server.truth)


async def test_a_dataset_that_has_changed_is_not_measured(tmp_path: Path) -> None:
    path = write_requests(tmp_path)
    work = with_workload(job(point("dataset", 1)), dataset=describe(path))
    path.write_text('{"prompt": "other", "output_tokens": 1}\n')
    async with MockServer(QUICK) as server:
        with pytest.raises(ClientError, match="has changed since"):
            await run(server, work, tmp_path)
    assert server.truth == []


async def test_a_replay_keeps_its_schedule_however_slow_the_server_is(tmp_path: Path) -> None:
    times = [100 + 0.04 * n + 0.02 * (n % 2) for n in range(500)]  # not used up before the window closes
    described = describe(write_requests(tmp_path, times))
    # One slot of more than 20 ms per request: what waits was due all the same.
    options = MockOptions(ttft_s=0.03, token_s=0.001, max_batch=1)
    work = job(point("dataset", replay_speed=2.0), max_requests=15, min_requests=0, window_s=60.0, warmup_requests=3)
    async with MockServer(options) as server:
        (found,) = await run(server, with_workload(work, dataset=described), tmp_path)
    assert found.load_point == "dataset@2x"
    own = [record for record in records(found, tmp_path) if record.in_window]
    prompts = [str(truth.prompt) for truth in server.truth]
    assert prompts[:20] == [f"number {n} of many" for n in range(20)][: len(prompts)]
    gaps = [later.started - before.started for before, later in pairwise(own)]
    # 0.06 and 0.02 in turns, at double speed.
    assert sorted({round(gap, 6) for gap in gaps}) == [0.01, 0.03]
    assert found.ttft is not None
    assert found.ttft.max > found.ttft.min + 0.05


async def test_a_sweep_lies_between_its_two_ends(tmp_path: Path) -> None:
    points = [point("D(5,2)", 1), point("D(5,2)", 8)]
    points += [point("D(5,2)", sweep_step=step) for step in (1, 5, 10)]
    options = MockOptions(ttft_s=0.02, token_s=0.0, max_batch=4)
    work = with_workload(job(*points, warmup_requests=0, min_requests=3), arrival="constant")
    async with MockServer(options) as server:
        least, greatest, *steps = await run(server, work, tmp_path)
    low, high = least.requests_per_second, greatest.requests_per_second
    assert high > 2 * low
    assert [m.load_point for m in steps] == ["D(5,2)@sweep1", "D(5,2)@sweep5", "D(5,2)@sweep10"]
    for found, step in zip(steps, (1, 5, 10), strict=True):
        assert found.request_rate == pytest.approx(low + (high - low) * step / 11)
        own = [record.started for record in records(found, tmp_path) if record.in_window]
        assert all(b - a == pytest.approx(1 / (found.request_rate or 0), abs=1e-6) for a, b in pairwise(own))


async def test_a_sweep_goes_on_from_what_a_start_that_was_cut_off_has_left(tmp_path: Path) -> None:
    points = [point("D(5,2)", 1), point("D(5,2)", 8), point("D(5,2)", sweep_step=1), point("D(5,2)", sweep_step=10)]
    work = with_workload(job(*points, warmup_requests=0, min_requests=3), arrival="constant").model_copy(
        update={
            "done": (("D(5,2)@1", 0), ("D(5,2)@8", 0), ("D(5,2)@sweep1", 0)),
            "done_rates": (("D(5,2)@1", 22.0), ("D(5,2)@8", 44.0), ("D(5,2)@sweep1", 24.0)),
        }
    )
    async with MockServer(QUICK) as server:
        (found,) = await run(server, work, tmp_path)
    assert found.load_point == "D(5,2)@sweep10"
    assert found.request_rate == pytest.approx(42.0)


async def test_a_sweep_without_its_ends_says_so(tmp_path: Path) -> None:
    points = [point("D(5,2)", 1), point("D(5,2)", 8), point("D(5,2)", sweep_step=1)]
    options = QUICK.model_copy(update={"fault": Fault.ERROR_500})
    async with MockServer(options) as server:
        with pytest.raises(ClientError, match="no request of D\\(5,2\\)@1 succeeded"):
            await run(server, job(*points, min_requests=0), tmp_path)

"""What the bytes on the wire look like, and that the truth is that of the token's last byte."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev

import pytest
from pydantic import ValidationError

from autotuner.mock_server import MockOptions, MockServer
from autotuner.mock_server.options import Words
from autotuner.mock_server.payloads import AWKWARD
from autotuner.mock_server.pieces import Pieces
from autotuner.mock_server.spread import read_spread
from mock_server.raw import ask, connect, request

QUICK = MockOptions(ttft_s=0.001, token_s=0.0002)


class Written(asyncio.WriteTransport):
    """Keeps each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))


@pytest.mark.parametrize("gap_s", [0.0, 0.0001])
async def test_pieces_end_anywhere_and_a_stamp_comes_just_before_the_last_byte(gap_s: float) -> None:
    written, ended = Written(), asyncio.Event()
    pieces = Pieces(written, 5, gap_s, random.Random(1))
    events = ["data: é\n\n".encode() * number for number in range(1, 8)]
    stamps: list[int] = []
    for event in events:
        pieces.write(event, lambda: stamps.append(sum(map(len, written.pieces))))
    pieces.finish(ended.set)
    await ended.wait()
    assert b"".join(written.pieces) == b"".join(events)
    assert {len(piece) for piece in written.pieces} >= {1, 2, 3, 4, 5}
    assert any(piece.endswith(b"\xc3") for piece in written.pieces)
    ends = [sum(map(len, events[:number])) for number in range(1, 8)]
    # Fewer bytes than the event's were out when the stamp came, and the next piece completed it.
    assert all(end - 5 <= stamp < end for stamp, end in zip(stamps, ends, strict=True))


async def test_what_is_cancelled_is_not_written() -> None:
    written = Written()
    pieces = Pieces(written, 2, 0.0, random.Random(1))
    pieces.write(b"x" * 100, partial(pytest.fail, "stamped"))
    pieces.finish(partial(pytest.fail, "finished"))
    pieces.cancel()
    before = len(written.pieces)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(written.pieces) == before


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
async def test_a_stream_is_the_same_however_it_is_cut(path: str) -> None:
    bodies = []
    for cut_bytes in (None, 1, 7, 300):
        options = QUICK.model_copy(update={"words": Words.AWKWARD, "cut_bytes": cut_bytes})
        async with MockServer(options) as server:
            answer = await ask(server, path=path, max_tokens=40, messages=[{"role": "user", "content": "x"}])
            await server.until(lambda: server.open_requests == 0)
            (truth,) = server.truth
        assert answer.how == "whole"
        assert (truth.tokens, truth.chunks, truth.ended) == (40, 40, "done")
        assert truth.received < (truth.first or 0) <= (truth.last or 0)
        bodies.append(answer.body)
    assert all(body == bodies[0] for body in bodies)


async def test_awkward_words_are_the_same_escaped_and_raw() -> None:
    async with MockServer(QUICK.model_copy(update={"words": Words.AWKWARD})) as server:
        answer = await ask(server, max_tokens=16)
        whole = await ask(server, max_tokens=16, stream=False)
    assert answer.text == "".join(AWKWARD) * 2 == json.loads(whole.body)["choices"][0]["text"]
    assert answer.body.count("東京".encode()) == 1
    assert answer.body.count(rb"\u6771\u4eac") == 1
    assert all(word in answer.text for word in ('"usage":', '"error":', "data: [DONE]\n\n"))


async def test_chunks_hold_a_drawn_number_of_tokens() -> None:
    options = QUICK.model_copy(update={"most_tokens_per_chunk": 8, "token_s": 0.0})
    sizes = []
    for _ in range(2):
        async with MockServer(options) as server:
            answer = await ask(server, max_tokens=400)
            (truth,) = server.truth
        words = [len(choice["text"].split()) for piece in answer.pieces for choice in piece["choices"]]
        assert sum(words) == truth.tokens == 400
        assert truth.chunks == len([number for number in words if number])
        sizes.append(words)
    assert sizes[0] == sizes[1]
    assert set(sizes[0]) >= set(range(1, 9))


async def test_usage_in_every_chunk_and_of_cached_tokens() -> None:
    options = QUICK.model_copy(update={"continuous_usage": True, "cached_prompt_tokens": 2})
    async with MockServer(options) as server:
        many, few = await ask(server, max_tokens=5), await ask(server, prompt=[1], max_tokens=5)
        whole = await ask(server, stream=False, max_tokens=5)
        asked = await ask(server, stream_options={"continuous_usage_stats": True}, max_tokens=5)
        assert [truth.cached_tokens for truth in server.truth] == [2, 1, 2, 2]
    told = [piece["usage"]["completion_tokens"] for piece in many.pieces if piece["usage"]]
    assert told == [1, 2, 3, 4, 5, 5]
    assert many.usage["prompt_tokens_details"] == {"cached_tokens": 2}
    assert few.usage["prompt_tokens_details"] == {"cached_tokens": 1}
    assert json.loads(whole.body)["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert asked.pieces[0]["usage"]["completion_tokens"] == 1


@pytest.mark.parametrize(
    ("text", "deviation"), [("normal:0.2", 0.2), ("lognormal:0.5", 0.53), ("exponential", 1.0), ("values:0.5,1.5", 0.5)]
)
def test_a_spread_has_its_mean_and_width(text: str, deviation: float) -> None:
    spread, same, other = (read_spread(text, seed) for seed in (1, 1, 2))
    assert spread is not None
    assert same is not None
    assert other is not None
    drawn = [spread.at(1, place) for place in range(4096)]
    assert fmean(drawn) == pytest.approx(1.0)
    assert pstdev(drawn) == pytest.approx(deviation, rel=0.03)
    assert drawn == [same.at(1, place) for place in range(4096)] != [other.at(1, place) for place in range(4096)]
    assert len({spread.at(number, 0) for number in range(64)}) > 1
    # No neighbour tells of the next one.
    assert abs(fmean((a - 1) * (b - 1) for a, b in pairwise(drawn))) < 0.1 * deviation**2


def test_a_spread_of_a_file_and_words_that_are_none(tmp_path: Path) -> None:
    measured = tmp_path / "gaps.txt"
    measured.write_text("1\n2\n9\n")
    spread = read_spread(f"file:{measured}", 0)
    assert spread is not None
    assert {spread.at(1, place) for place in range(4096)} == {1.0, 2.0, 9.0}
    for text in ("normal", "normal:-1", "exponential:2", "values:", "values:-1", "values:x", "file:/nowhere", "else"):
        with pytest.raises(ValidationError):
            MockOptions(token_spread=text)


async def test_drawn_times_are_those_of_the_schedule() -> None:
    """The due times hang on the seed alone, whatever the machine does; the writes are never before them."""
    options = MockOptions(ttft_s=0.002, token_s=0.001, ttft_spread="exponential", token_spread="lognormal:0.5", seed=3)
    async with MockServer(options) as server:
        await asyncio.gather(*(ask(server, max_tokens=20) for _ in range(4)))
        truths = server.truth
        ttfts, gaps = server.spreads
    assert ttfts is not None
    assert gaps is not None
    for truth in truths:
        assert truth.began is not None
        assert truth.first_due is not None
        assert truth.last_due is not None
        assert truth.first_due - truth.began == pytest.approx(0.002 * ttfts.at(truth.number, 0), abs=1e-9)
        wanted = sum(0.001 * gaps.at(truth.number, place) for place in range(1, 20))
        assert truth.last_due - truth.first_due == pytest.approx(wanted, abs=1e-9)
        assert truth.first_due <= (truth.first or 0)
        assert truth.last_due <= (truth.last or 0)


async def test_steps_of_constant_gaps_are_absolute() -> None:
    async with MockServer(MockOptions(ttft_s=0.003, token_s=0.001, tokens_per_chunk=2)) as server:
        await ask(server, max_tokens=9)
        (truth,) = server.truth
    assert truth.began is not None
    assert truth.first_due is not None
    assert truth.last_due is not None
    assert truth.first_due - truth.began == pytest.approx(0.003, abs=1e-9)
    assert truth.last_due - truth.first_due == pytest.approx(0.007, abs=1e-9)


async def test_a_client_that_leaves_in_the_middle_ends_its_answer() -> None:
    options = QUICK.model_copy(update={"cut_bytes": 3, "token_s": 0.01})
    async with MockServer(options) as server:
        reader, writer = await connect(server)
        writer.write(request(stream=True, max_tokens=100))
        await reader.readuntil(b"beta ")
        writer.close()
        await server.until(lambda: server.open_requests == 0)
        assert server.truth[0].ended == "closed"
        assert 0 < server.truth[0].tokens < 100

"""Reading a streamed answer, however it is cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.sender import Connection, Sender


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def text(piece: str) -> bytes:
    return event({"choices": [{"index": 0, "text": piece, "finish_reason": None}], "usage": None})


USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
END = event({"choices": [], "usage": USAGE}) + b"data: [DONE]\n\n"


def answered(*pieces: bytes, status: int = 200) -> Exchange:
    exchange = Exchange(b"", 3)
    exchange.started = 0.0
    exchange.status = status
    for number, piece in enumerate(pieces):
        exchange.feed(piece, float(number + 1))
    exchange.finished = float(len(pieces))
    exchange.settle()
    return exchange


def test_a_whole_answer() -> None:
    record = answered(text("a"), text("b"), text("c"), END).record(0.0)
    assert record.outcome == "ok"
    assert record.arrivals == (1.0, 2.0, 3.0)
    assert (record.first_token, record.last_token, record.finished) == (1.0, 3.0, 4.0)
    assert (record.output_tokens, record.prompt_tokens, record.cached_tokens) == (3, 5, 2)


WHOLE = (
    b": a comment\n\n"
    + text("a")
    + b'event: message\nid: 7\ndata: {"choices": [{"text":\ndata: "over two lines"}]}\n\n'
    + text('quoted "usage":{ and "error": 1')
    + b"retry: 3\n: ping\n\n"
    + 'data: {"choices":[{"delta":{"content":"Grüße, 世界 🎈"}}]}\n\n'.encode()
    + text("")
    + END
)


def cut(whole: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(WHOLE)), max_size=40), st.booleans())
def test_pieces_may_be_cut_anywhere(cuts: list[int], crlf: bool) -> None:
    record = answered(*cut(WHOLE.replace(b"\n", b"\r\n") if crlf else WHOLE, cuts)).record(0.0)
    assert record.outcome == "ok"
    assert len(record.arrivals) == 4
    assert (record.output_tokens, record.prompt_tokens, record.cached_tokens) == (3, 5, 2)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_an_event_arrives_with_the_line_that_ends_it(newline: bytes) -> None:
    whole = WHOLE.replace(b"\n", newline)
    exchange = answered(*(whole[place : place + 1] for place in range(len(whole))))
    ends = [place for place in range(len(whole) + 1) if whole[:place].endswith(2 * newline)]
    assert exchange.arrivals == [float(ends[number]) for number in (1, 2, 3, 5)]


class Wire(Sender):
    """A connection's owner that keeps what ended."""

    def __init__(self) -> None:
        self.over: list[Exchange] = []

    def ended(self, exchange: Exchange, connection: Connection | None) -> None:
        exchange.settle()
        self.over.append(exchange)

    def left(self, connection: Connection) -> None:
        """Nobody waits for it."""


@settings(deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=40), st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_the_answer_may_be_cut_anywhere_on_the_wire(cuts: list[int], chunks: list[int]) -> None:
    body, place = b"", 0
    for size in [*chunks, len(WHOLE)]:
        if piece := WHOLE[place : place + size]:
            body += b"%x;note=1\r\n%s\r\n" % (len(piece), piece)
        place += size
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    wire = Wire()
    connection, exchange = Connection(wire), Exchange(b"", 3)
    connection.expect(exchange)
    for piece in cut(b"HTTP/1.1 100 Continue\r\n\r\n" + head + body + b"0\r\n\r\n", cuts):
        connection.data_received(piece)
    assert wire.over == [exchange]
    record = exchange.record(0.0)
    assert (record.outcome, record.error, len(record.arrivals), record.output_tokens) == ("ok", None, 4, 3)


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_nonsense_is_never_a_success(nonsense: bytes, cuts: list[int]) -> None:
    assert answered(*cut(nonsense, cuts)).record(0.0).outcome == "error"


@pytest.mark.parametrize(
    "delta",
    [{"content": "x"}, {"reasoning_content": "x"}, {"reasoning": "x"}, {"content": None, "reasoning_content": "x"}],
)
def test_content_and_reasoning_count(delta: dict[str, object]) -> None:
    assert answered(event({"choices": [{"delta": delta}]}), END).arrivals == [1.0]


@pytest.mark.parametrize("delta", [{"role": "assistant"}, {"role": "assistant", "content": ""}, {"content": None}, {}])
def test_an_empty_piece_is_no_token(delta: dict[str, object]) -> None:
    assert answered(event({"choices": [{"delta": delta}]}), text("a"), END).arrivals == [2.0]


def test_usage_in_every_piece_is_read_and_the_last_one_counts() -> None:
    pieces = [
        event({"choices": [{"text": "x"}], "usage": {"prompt_tokens": 5, "completion_tokens": count}})
        for count in (1, 2, 3)
    ]
    record = answered(*pieces, b"data: [DONE]\n\n").record(0.0)
    assert record.output_tokens == 3
    assert len(record.arrivals) == 3


@pytest.mark.parametrize(
    ("pieces", "status", "code"),
    [
        ((text("a"),), 200, "truncated"),
        ((text("a"), event({"choices": [], "usage": USAGE})), 200, "truncated"),
        ((text("a"), b"data: [DONE]\n\n"), 200, "missing_usage"),
        ((END,), 200, "no_content"),
        ((text("a"), event({"error": {"message": "m"}}), END), 200, "error_payload"),
        ((text("a"), b'error: {"code": 500}\n\n', END), 200, "error_payload"),
        ((text("a"), b'event: error\ndata: {"detail": "m"}\n\n', END), 200, "error_payload"),
        ((text("a"), b"event: error\r\ndata: out of memory\r\n\r\n", END), 200, "error_payload"),
        ((event({"choices": [{"text": "a"}], "error": {"message": "m"}}), END), 200, "error_payload"),
        ((event({"choices": [{"text": "a"}], "error": "m"}), END), 200, "error_payload"),
        ((b'{\n  "error": {"message": "not a stream"}\n}\n',), 200, "error_payload"),
        ((text("a"), b'data: {"choices": [{"text": "\xff\xfe"}], "usage": {}}\n\n', END), 200, "malformed"),
        ((text("a"), b"data: [DONE]"), 200, "missing_usage"),
        ((b'{"error": {"message": "not a stream"}}',), 200, "error_payload"),
        ((text("a"), b"data: {broken\n\n", END), 200, "malformed"),
        ((), 503, "http_503"),
        ((), 0, "truncated"),
    ],
)
def test_what_is_not_a_success(pieces: tuple[bytes, ...], status: int, code: str) -> None:
    record = answered(*pieces, status=status).record(0.0)
    assert record.outcome == "error"
    assert record.error == code


def test_a_null_error_is_no_error() -> None:
    piece = event({"choices": [{"text": "a"}], "error": None})
    assert answered(piece, END).record(0.0).outcome == "ok"


def test_without_an_end_it_is_incomplete() -> None:
    exchange = Exchange(b"", 3)
    exchange.started = 10.0
    exchange.status = 200
    exchange.feed(text("a"), 11.0)
    record = exchange.record(9.0)
    assert record.outcome == "incomplete"
    assert (record.started, record.first_token, record.finished) == (1.0, 2.0, 2.0)


KEYED = b"POST /v1/completions HTTP/1.1\r\nAuthorization: Bearer sk-very-secret\r\nHost: x\r\n\r\n{}"


def refused(*pieces: bytes, status: int = 400) -> Exchange:
    exchange = Exchange(KEYED, 3)
    exchange.status = status
    for piece in pieces:
        exchange.refuse(piece)
    exchange.finished = 1.0
    exchange.settle()
    return exchange


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"error": {"message": "This model\'s context is 512\\ntokens", "code": 400}}',
            "This model's context is 512 tokens",
        ),
        (b'{"error": "no such model"}', "no such model"),
        (b'{"object": "error", "message": "too long"}', "too long"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (
            b'{"detail": [{"loc": ["body"], "msg": "Field required"}]}',
            '{"detail": [{"loc": ["body"], "msg": "Field required"}]}',
        ),
        (b"<html>\n<h1>502\tBad Gateway</h1>", "<html> <h1>502 Bad Gateway</h1>"),
        (b"\xff\x00\x1b[31m", "\ufffd [31m"),
        (b"Incorrect API key: sk-very-secret!", "Incorrect API key: ***!"),
        (b"", None),
    ],
)
def test_what_the_server_says_of_an_error_is_kept(body: bytes, words: str | None) -> None:
    half = len(body) // 2
    record = refused(body[:half], body[half:]).record(0.0)
    assert (record.error, record.error_text) == ("http_400", words)


def test_long_words_are_cut_however_they_come() -> None:
    said = refused(*[b'{"error": {"message": "' + b"x" * 3000, b"y" * 3000 + b'"}}']).error_text
    assert said is not None
    assert (len(said), said[-1]) == (300, "…")
    assert refused(b"[" * 100_000).error_text is not None


def test_the_words_of_an_error_inside_a_stream_are_kept() -> None:
    said = answered(text("a"), event({"error": {"message": "context size exceeded", "code": 400}})).record(0.0)
    assert (said.error, said.error_text) == ("error_payload", "context size exceeded")
    assert answered(text("a"), text("b"), END).error_text is None


@given(st.binary(max_size=400))
def test_no_answer_of_a_server_breaks_the_reading_of_its_words(body: bytes) -> None:
    said = refused(body, status=500).error_text
    assert said is None or (said.isprintable() and 0 < len(said) <= 300)

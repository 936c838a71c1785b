"""Which requests are made: shares, lengths, unique beginnings, exact bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.benchmark.builtin.calibration import ANCHOR, Calibration
from autotuner.benchmark.builtin.draws import Draws
from autotuner.benchmark.builtin.prompts import Bodies, Sequences
from autotuner.benchmark.builtin.words import WORDS
from autotuner.contracts.workload import Length, LoadPoint, Scenario, Traffic


def part(prompt: Length, output: Length) -> Scenario:
    return Scenario(text=f"{prompt.kind}/{output.kind}", prompt=prompt, output=output)


def point(*parts: tuple[float, Scenario]) -> LoadPoint:
    return LoadPoint(traffic=Traffic(text="mixed", parts=parts), concurrency=2)


def fixed(prompt: int, output: int) -> Scenario:
    return part(Length(mean=prompt), Length(mean=output))


def bodies(path: str = "/v1/completions", token_ids: tuple[int, int] | None = (100, 200)) -> Bodies:
    return Bodies(
        host="127.0.0.1:80",
        path=path,
        api_key="k",
        model="m",
        extra={"ignore_eos": True, "max_tokens": 1, "stream": False},
        salt="s",
        token_ids=token_ids,
    )


def body_of(request: bytes) -> dict[str, object]:
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    assert lengths == [b"Content-Length: %d" % len(body)]
    read: dict[str, object] = json.loads(body)
    return read


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 20), min_size=2, max_size=4))
def test_shares_of_a_mixture_are_kept_in_every_run_of_blocks(seed: int, weights: list[int]) -> None:
    parts = [(float(weight), fixed(10 * (index + 1), 5)) for index, weight in enumerate(weights)]
    draws = Draws(point(*parts), seed, 0)
    drawn = [draws.next().turns[0][0] for _ in range(100)]
    for blocks in (20, 40, 100):
        for index, weight in enumerate(weights):
            exact = blocks * weight / sum(weights)
            assert abs(drawn[:blocks].count(10 * (index + 1)) - exact) <= len(weights)


def test_the_sequence_follows_from_seed_and_repeat_alone() -> None:
    load = point((0.5, fixed(10, 1)), (0.5, part(Length(kind="uniform", low=5, high=500), Length(mean=3))))
    first, again, other, repeat = (Draws(load, *key) for key in ((1, 0), (1, 0), (2, 0), (1, 1)))
    sequences = [[draws.next() for _ in range(60)] for draws in (first, again, other, repeat)]
    assert sequences[0] == sequences[1]
    assert sequences[0] != sequences[2]
    assert sequences[0] != sequences[3]


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 400), st.floats(0, 300), st.floats(0, 200))
def test_lengths_stay_in_their_range(low: int, more: int, mean: float, deviation: float) -> None:
    uniform = Length(kind="uniform", low=low, high=low + more)
    normal = Length(kind="normal", mean=mean, deviation=deviation)
    draws = Draws(point((1.0, part(uniform, normal))), 0, 0)
    for _ in range(50):
        ((prompt, output),) = draws.next().turns
        assert max(low, 1) <= prompt <= max(low + more, 1)
        assert 1 <= output <= max(normal.longest, 1)


@settings(deadline=None)
@given(st.text(max_size=5), st.integers(0, 100), st.integers(2, 40), st.integers(2, 30))
def test_no_two_sequences_begin_alike(salt: str, low: int, span: int, length: int) -> None:
    sequences = Sequences(salt, low, low + span)
    made = [tuple(sequences.next(length)) for _ in range(span * span)]
    assert all(len(one) == length for one in made)
    assert all(low <= symbol < low + span for one in made for symbol in one)
    assert len({one[:2] for one in made}) == len(made)
    assert len({one[0] for one in made[:span]}) == span


def test_a_request_has_the_exact_prompt_and_our_own_fields_win() -> None:
    made = bodies()
    read = body_of(made.request(made.ids(37), 9))
    prompt = read["prompt"]
    assert isinstance(prompt, list)
    assert len(prompt) == 37
    assert all(100 <= token < 200 for token in prompt)
    assert read["max_tokens"] == 9
    assert read["stream"] is True
    assert read["stream_options"] == {"include_usage": True}
    assert read["ignore_eos"] is True
    assert read["model"] == "m"
    assert b"\r\nAuthorization: Bearer k\r\n" in made.request([1], 1)


def test_words_are_used_without_token_ids_and_for_chat() -> None:
    plain = bodies(token_ids=None)
    assert not plain.takes_ids
    plain.calibrated(Calibration(overhead=2.0, per_word=1.5))
    prompt = body_of(plain.request(plain.words(32), 1))["prompt"]
    assert isinstance(prompt, str)
    anchor, *words = prompt.split()
    assert anchor == ANCHOR
    assert len(words) == 20
    assert set(words) <= set(WORDS)
    chat = bodies("/v1/chat/completions")
    assert not chat.takes_ids
    messages = body_of(chat.request(chat.words(5), 1))["messages"]
    assert isinstance(messages, list)
    assert len(messages[0]["content"].split()) == 1 + 5


def test_a_conversation_is_messages_or_one_text() -> None:
    said = [("user", "one"), ("assistant", " two"), ("user", "three")]
    assert body_of(bodies().conversation(said, 4))["prompt"] == "one two three"
    assert body_of(bodies("/v1/chat/completions").conversation(said, 4))["messages"] == [
        {"role": role, "content": text} for role, text in said
    ]


@settings(deadline=None)
@given(st.integers(0, 40), st.floats(0.5, 4.0), st.integers(60, 5000))
def test_the_average_finds_overhead_and_tokens_per_word(overhead: int, per_word: float, tokens: int) -> None:
    def count(words: int) -> int:
        return round(overhead + per_word * words)

    found = Calibration.from_probes((32, count(32)), (288, count(288)))
    assert count(found.most_words(found.own(tokens))) == pytest.approx(tokens, rel=0.01, abs=per_word + 2)


def test_a_count_that_does_not_rise_is_not_believed() -> None:
    assert Calibration.from_probes((32, 50), (288, 50)) == Calibration()


def test_words_are_distinct() -> None:
    assert len(set(WORDS)) == len(WORDS) > 500

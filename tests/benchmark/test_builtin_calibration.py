"""Exact prompt lengths from words, by a server's counts alone."""

from __future__ import annotations

import re

import pytest

from autotuner.benchmark.builtin.calibration import ANCHOR, ENOUGH, ONE_BY_ONE, Calibration, calibrate, text_of
from autotuner.benchmark.builtin.prompts import Sequences
from autotuner.benchmark.builtin.words import WORDS


class Counting:
    """A server with a tokenizer: it cuts words off at spaces, and long ones into pieces."""

    def __init__(self, *, template: int = 11, longest_piece: int = 6, first_is_whole: bool = True) -> None:
        self.template = template
        self.longest_piece = longest_piece
        self.first_is_whole = first_is_whole
        self.asked = 0

    def count(self, text: str) -> int:
        pieces = [-(-len(word) // self.longest_piece) for word in re.findall(r"\S+", text)]
        return self.template + sum(pieces) + (0 if self.first_is_whole else 2)

    async def ask(self, text: str) -> int | None:
        self.asked += 1
        return self.count(text)


def drawn(found: Calibration, tokens: int) -> list[str]:
    numbers = Sequences("s", 0, len(found.vocabulary)).next(found.most_words(tokens))
    return found.spelled(numbers, tokens)


@pytest.mark.parametrize(
    ("server", "probes"),
    [
        (Counting(), 32),
        (Counting(template=0), 32),
        (Counting(first_is_whole=False), 32),
        (Counting(longest_piece=4), 80),
        (Counting(longest_piece=3), 110),
    ],
)
async def test_every_length_is_exact_when_some_words_are_one_token(server: Counting, probes: int) -> None:
    found = await calibrate(server.ask)
    assert found.exact
    assert len(found.vocabulary) >= ONE_BY_ONE // 2
    assert found.overhead == server.count(ANCHOR)
    for tokens in (30, 31, 32, 100, 777, 4096):
        text = text_of(drawn(found, found.own(tokens)))
        assert server.count(text) == tokens
        assert server.count(f"{text} {' '.join(drawn(found, 50))}") == tokens + 50
    assert server.asked <= probes


async def test_words_of_several_tokens_give_the_average() -> None:
    server = Counting(longest_piece=1)  # letters
    found = await calibrate(server.ask)
    assert not found.exact
    assert found.vocabulary == WORDS
    assert found.per_word == pytest.approx(sum(map(len, WORDS)) / len(WORDS), rel=0.15)


async def test_a_server_that_counts_otherwise_when_words_meet_is_not_taken_for_exact() -> None:
    class Merging(Counting):
        def count(self, text: str) -> int:
            words = text.split()
            return 11 + len(words) - (len(words) // 30 if len(words) > 20 else 0)

    found = await calibrate(Merging().ask)
    assert not found.exact
    assert found.per_word == pytest.approx(29 / 30, rel=0.02)


async def test_a_server_that_does_not_count_is_believed_to_have_a_token_per_word() -> None:
    async def nothing(_: str) -> int | None:
        return None

    assert await calibrate(nothing) == Calibration()


def test_words_are_many_enough_and_none_is_the_anchor() -> None:
    assert ANCHOR not in WORDS
    assert len(WORDS) > 4 * ENOUGH

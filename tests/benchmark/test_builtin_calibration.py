"""Exact prompt lengths from words, by a server's counts alone."""

from __future__ import annotations

import re

import pytest

from autotuner.benchmark.builtin.calibration import ANCHOR, ENOUGH, Calibration, calibrate, text_of
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


@pytest.mark.parametrize("server", [Counting(), Counting(template=0), Counting(first_is_whole=False)])
async def test_every_length_is_exact_when_enough_words_are_one_token(server: Counting) -> None:
    found = await calibrate(server.ask)
    assert len(found.vocabulary) >= ENOUGH // 2
    assert all(len(word) <= 6 for word in found.vocabulary)
    for tokens in (30, 31, 32, 100, 777, 4096):
        words = (found.vocabulary * 40)[: found.words(tokens)]
        assert server.count(text_of(words)) == tokens
        assert server.count(text_of(words)) + found.more_words(50) == server.count(
            " ".join([text_of(words), *found.vocabulary[:50]])
        )
    assert server.asked <= 48


async def test_words_of_several_tokens_give_the_average() -> None:
    server = Counting(longest_piece=1)  # letters
    found = await calibrate(server.ask)
    assert found.vocabulary == WORDS
    assert found.per_word == pytest.approx(sum(map(len, WORDS)) / len(WORDS), rel=0.1)
    assert server.asked <= 20


async def test_a_server_that_counts_otherwise_when_words_meet_is_not_taken_for_exact() -> None:
    class Merging(Counting):
        def count(self, text: str) -> int:
            words = text.split()
            return 11 + len(words) - (len(words) // 30 if len(words) > 20 else 0)

    found = await calibrate(Merging().ask)
    assert found.vocabulary == WORDS
    assert found.per_word == pytest.approx(29 / 30, rel=0.01)


async def test_a_server_that_does_not_count_is_believed_to_have_a_token_per_word() -> None:
    async def nothing(_: str) -> int | None:
        return None

    assert await calibrate(nothing) == Calibration()


def test_words_are_many_enough_and_none_is_the_anchor() -> None:
    assert ANCHOR not in WORDS
    assert len(WORDS) > 4 * ENOUGH

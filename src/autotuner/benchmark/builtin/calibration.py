"""How a server counts our words, found out from its own counts: prompts of exact length without its tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from autotuner.benchmark.builtin.draws import generator
from autotuner.benchmark.builtin.words import WORDS

ANCHOR = "Text:"
"""Begins every prompt made of words. The first word of a text is often cut differently from the same word further on;
so it is always this one, and all the others follow a space."""

GROUP = 16
AT_ONCE = 8
ENOUGH = 128
"""Words of one token that make up prompts. Two of them give 16384 different beginnings."""
FIRST_ROUNDS = 2
"""Without a single word of one token in so many rounds of groups there is none to be expected."""
PROBE_WORDS = (32, 288)

Ask = Callable[[str], Awaitable[int | None]]
"""Sends a prompt and gives its length in tokens as the server counts it; None when it does not say."""


@dataclass(frozen=True)
class Calibration:
    """tokens = overhead + per_word × words; exactly so if every word of the vocabulary is one token."""

    overhead: float = 0.0
    per_word: float = 1.0
    vocabulary: tuple[str, ...] = WORDS

    def words(self, tokens: int) -> int:
        """Words that make so many tokens with the overhead, or come nearest; at least one."""
        return max(round((tokens - self.overhead) / self.per_word), 1)

    def more_words(self, tokens: int) -> int:
        """Words that add so many tokens to a text; at least one."""
        return max(round(tokens / self.per_word), 1)

    @classmethod
    def from_probes(cls, short: tuple[int, int], long: tuple[int, int]) -> Calibration:
        """From two (words, tokens as the server counted them); a count that does not rise is not believed."""
        per_word = (long[1] - short[1]) / (long[0] - short[0])
        if per_word <= 0:
            return cls()
        return cls(overhead=short[1] - per_word * short[0], per_word=per_word)


async def calibrate(ask: Ask) -> Calibration:
    """Words that are one token each and what else a prompt has; else the average; one token per word when nothing is
    counted.

    A group of words is taken whole or not at all: its count tells whether all of them are one token. Short words come
    first, since they are more often one.
    """
    base = await ask(ANCHOR)
    if base is None:
        return Calibration()
    likely = sorted(WORDS, key=len)
    groups = [likely[start : start + GROUP] for start in range(0, len(likely), GROUP)]
    found: list[str] = []
    for number, start in enumerate(range(0, len(groups), AT_ONCE), 1):
        several = groups[start : start + AT_ONCE]
        counts = await asyncio.gather(*(ask(text_of(group)) for group in several))
        for group, count in zip(several, counts, strict=True):
            if count == base + len(group):
                found += group
        if len(found) >= ENOUGH or (number >= FIRST_ROUNDS and not found):
            break
    if len(found) >= ENOUGH // 2:
        exact = Calibration(overhead=base, vocabulary=tuple(found))
        if await _holds(ask, exact):
            return exact
    return await _average(ask)


def text_of(words: Sequence[str]) -> str:
    """A prompt of these words."""
    return " ".join((ANCHOR, *words))


async def _holds(ask: Ask, calibration: Calibration) -> bool:
    counts = await asyncio.gather(*(ask(text_of(_chosen(calibration.vocabulary, n))) for n in PROBE_WORDS))
    return all(count == calibration.overhead + n for n, count in zip(PROBE_WORDS, counts, strict=True))


async def _average(ask: Ask) -> Calibration:
    counts = [await ask(text_of(_chosen(WORDS, n))) for n in PROBE_WORDS]
    short, long = counts
    if short is None or long is None:
        return Calibration()
    return Calibration.from_probes((PROBE_WORDS[0], short), (PROBE_WORDS[1], long))


def _chosen(vocabulary: Sequence[str], count: int) -> list[str]:
    numbers = generator(f"calibration/{count}").integers(0, len(vocabulary), count)
    return [vocabulary[number] for number in numbers]

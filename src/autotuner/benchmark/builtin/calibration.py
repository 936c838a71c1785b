"""How a server counts our words, found out from its own counts: prompts of exact length without its tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from autotuner.benchmark.builtin.draws import generator
from autotuner.benchmark.builtin.words import WORDS

ANCHOR = "Text:"
"""Begins every prompt made of words. The first word of a text is often cut differently from the same word further on;
so it is always this one, and all the others follow a space."""

GROUP = 16
AT_ONCE = 8
ENOUGH = 128
"""Words of one token that make up prompts. Two of them give 16384 different beginnings."""
ONE_BY_ONE = 64
"""Words that are counted each, where few are one token."""
PROBE_WORDS = (24, 96)

Ask = Callable[[str], Awaitable[int | None]]
"""Sends a prompt and gives its length in tokens as the server counts it; None when it does not say."""


@dataclass(frozen=True)
class Calibration:
    """A prompt has ``overhead`` tokens (the chat template, what begins it) besides those of its words.

    ``tokens``: of each word of the vocabulary, at least one of them 1: then any length is met exactly. Empty: only the
    average ``per_word`` is known.
    """

    overhead: float = 0.0
    per_word: float = 1.0
    vocabulary: tuple[str, ...] = WORDS
    tokens: tuple[int, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether lengths are met exactly and not on average."""
        return bool(self.tokens)

    def own(self, tokens: int) -> int:
        """What is left of a prompt's length for its words; at least one token."""
        return max(round(tokens - self.overhead), 1)

    def most_words(self, tokens: int) -> int:
        """So many words make the tokens, or more than that where words differ; at least one."""
        return tokens if self.tokens else max(round(tokens / self.per_word), 1)

    def spelled(self, numbers: Sequence[int], tokens: int) -> list[str]:
        """Words by their numbers, as many as make so many tokens, the last of them chosen so that it comes out."""
        if not self.tokens:
            return [self.vocabulary[number] for number in numbers]
        words, left = [], tokens
        for number in numbers:
            if self.tokens[number] <= left:
                words.append(self.vocabulary[number])
                left -= self.tokens[number]
        ones = [word for word, count in zip(self.vocabulary, self.tokens, strict=True) if count == 1] if left else []
        return [*words, *islice(cycle(ones), left)]

    @classmethod
    def from_probes(cls, short: tuple[int, int], long: tuple[int, int]) -> Calibration:
        """From two (words, tokens as the server counted them); a count that does not rise is not believed."""
        per_word = (long[1] - short[1]) / (long[0] - short[0])
        if per_word <= 0:
            return cls()
        return cls(overhead=short[1] - per_word * short[0], per_word=per_word)


async def calibrate(ask: Ask) -> Calibration:
    """The tokens of each of some words; else the average; one token per word when nothing is counted.

    First whole groups of words that are one token each, short ones first, since they are more often one. Where these
    are few, single words.
    """
    base = await ask(ANCHOR)
    if base is None:
        return Calibration()
    likely = sorted(WORDS, key=len)
    for count in (_groups, _singly):
        counted = await count(ask, base, likely)
        made = Calibration(overhead=base, vocabulary=tuple(counted), tokens=tuple(counted.values()))
        if len(counted) >= ONE_BY_ONE // 2 and 1 in made.tokens and await _holds(ask, made):
            return made
    return await _average(ask)


def text_of(words: Sequence[str]) -> str:
    """A prompt of these words."""
    return " ".join((ANCHOR, *words))


async def _groups(ask: Ask, base: int, likely: Sequence[str]) -> dict[str, int]:
    """Words of one token, from groups whose count says that all of theirs are."""
    groups = [likely[start : start + GROUP] for start in range(0, len(likely), GROUP)]
    found: dict[str, int] = {}
    for start in range(0, len(groups), AT_ONCE):
        several = groups[start : start + AT_ONCE]
        counts = await asyncio.gather(*(ask(text_of(group)) for group in several))
        before = len(found)
        for group, count in zip(several, counts, strict=True):
            if count == base + len(group):
                found.update(dict.fromkeys(group, 1))
        if len(found) >= ENOUGH or len(found) == before:
            break
    return found


async def _singly(ask: Ask, base: int, likely: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, ONE_BY_ONE, AT_ONCE):
        several = likely[start : start + AT_ONCE]
        counts = await asyncio.gather(*(ask(text_of([word])) for word in several))
        found.update({w: c - base for w, c in zip(several, counts, strict=True) if c is not None and c > base})
    return found


async def _holds(ask: Ask, made: Calibration) -> bool:
    """Whether words together count as much as each alone."""
    for length in PROBE_WORDS:
        numbers = generator(f"calibration/{length}").integers(0, len(made.vocabulary), length).tolist()
        if await ask(text_of(made.spelled(numbers, length))) != made.overhead + length:
            return False
    return True


async def _average(ask: Ask) -> Calibration:
    counts: list[int] = []
    for length in PROBE_WORDS:
        numbers = generator(f"calibration/{length}").integers(0, len(WORDS), length).tolist()
        count = await ask(text_of([WORDS[number] for number in numbers]))
        if count is None:
            return Calibration()
        counts.append(count)
    return Calibration.from_probes((PROBE_WORDS[0], counts[0]), (PROBE_WORDS[1], counts[1]))

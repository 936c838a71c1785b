"""Pretended log-probabilities: which token an answer has at each place, and how likely its neighbours were."""

from __future__ import annotations

import math
import random

from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.payloads import Ask

USUAL = 3.0
"""Logit of the word that an answer has at a place; the other words have one from 0 to ``OTHERS``."""
OTHERS = 2.5


def likely(options: MockOptions, ask: Ask, words: tuple[str, ...], place: int, number: int) -> dict[str, float]:
    """Log-probabilities of all words at a place of an answer, the likeliest first.

    They follow from seed, prompt and place, so equal requests have equal answers. ``degraded`` shifts them likewise,
    ``logprob_noise`` anew for each request, whose ``number`` is given.
    """
    where = f"{options.seed} {ask.prompt} {place}"
    usual, worse = random.Random(f"likely {where}"), random.Random(f"degraded {where}")
    noise = random.Random(f"noise {where} {number}")
    logits: dict[str, float] = {}
    for offset, word in enumerate(words):
        level = usual.uniform(0.0, OTHERS)
        logit = USUAL if offset == place % len(words) else level
        logits[word] = logit + worse.gauss(0, options.degraded) + noise.gauss(0, options.logprob_noise)
    total = math.log(math.fsum(map(math.exp, logits.values())))
    return {word: logits[word] - total for word in sorted(logits, key=lambda word: -logits[word])}


def logprobs(places: list[dict[str, float]], top: int) -> dict[str, object]:
    """The figure of an answer as OpenAI's completions have it."""
    taken = [next(iter(place)) for place in places]
    return {
        "tokens": taken,
        "token_logprobs": [place[word] for place, word in zip(places, taken, strict=True)],
        "top_logprobs": [dict(list(place.items())[:top]) for place in places],
    }

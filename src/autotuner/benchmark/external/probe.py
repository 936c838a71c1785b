"""A few requests of our own before the client starts: what the server counts, and how long one answer takes."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import monotonic
from urllib.parse import urlsplit

from autotuner.benchmark.builtin.calibration import Calibration
from autotuner.benchmark.builtin.prompts import Sequences
from autotuner.benchmark.builtin.words import WORDS
from autotuner.contracts.deployment import Endpoint

LONG_PROBE = 288
"""Words of the longer probe, where the server's context holds them."""
TIMED = 3
CHAT = "/chat/completions"


@dataclass(frozen=True)
class Answer:
    """One whole streamed answer; token counts None when the server gave no usage figure."""

    seconds: float
    prompt_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True)
class Probed:
    """What is known of the server: how it counts our words, one answer of the asked length; None: it failed."""

    calibration: Calibration
    answer: Answer | None


class Words:
    """Prompts of words, no two of which begin alike."""

    def __init__(self, salt: str) -> None:
        self._sequences = Sequences(salt, 0, len(WORDS))

    def next(self, count: int) -> str:
        """The next prompt of so many words."""
        return " ".join(WORDS[index] for index in self._sequences.next(count))


def word_count(calibration: Calibration, tokens: int) -> int:
    """Words that make a prompt of about so many tokens."""
    return calibration.most_words(calibration.own(tokens))


async def probe(
    endpoint: Endpoint, path: str, body: Mapping[str, object], *, tokens: int, output: int, salt: str, timeout_s: float
) -> Probed:
    """A few short requests for the calibration, some of the given lengths for their time.

    A server that fails here fails in the measurement too, where it is counted.
    """
    words = Words(salt)
    calibration = await _calibrate(lambda count: ask(endpoint, path, body, words.next(count), 1, timeout_s), tokens)
    count = word_count(calibration, tokens)
    answers = [await ask(endpoint, path, body, words.next(count), output, timeout_s)]
    while answers[-1] is not None and len(answers) < TIMED:  # the first one may be slow for its own reasons
        answers.append(await ask(endpoint, path, body, words.next(count), output, timeout_s))
    whole = [answer for answer in answers if answer is not None]
    calibration = _refined(calibration, count, [answer.prompt_tokens for answer in whole])
    return Probed(calibration, min(whole, key=lambda answer: answer.seconds, default=None))


def _refined(calibration: Calibration, words: int, counted: Sequence[int | None]) -> Calibration:
    """Better for prompts of so many words, now that the server has counted some of them."""
    known = [tokens for tokens in counted if tokens is not None]
    per_word = (fmean(known) - calibration.overhead) / words if known else 0.0
    return Calibration(calibration.overhead, per_word) if per_word > 0 else calibration


async def _calibrate(answered: Callable[[int], Awaitable[Answer | None]], tokens: int) -> Calibration:
    """How the server counts our words; one token per word when it does not say.

    The longer probe is as long as the server takes: its context may hold little more than the requests of the task.
    """
    for most in dict.fromkeys((LONG_PROBE, max(tokens // 2, 16), max(tokens // 4, 8))):
        long = await answered(most)
        if long is None or long.prompt_tokens is None:
            continue
        few = max(most // 8, 1)
        short = await answered(few)
        if short is None or short.prompt_tokens is None:
            break
        return Calibration.from_probes((few, short.prompt_tokens), (most, long.prompt_tokens))
    return Calibration()


async def ask(
    endpoint: Endpoint, path: str, body: Mapping[str, object], prompt: str, output: int, timeout_s: float
) -> Answer | None:
    """One request, streamed; None when it failed."""
    return await asyncio.to_thread(_ask, endpoint, path, body, prompt, output, timeout_s)


def _ask(
    endpoint: Endpoint, path: str, body: Mapping[str, object], prompt: str, output: int, timeout_s: float
) -> Answer | None:
    parts = urlsplit(endpoint.base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    content = {"messages": [{"role": "user", "content": prompt}]} if path.endswith(CHAT) else {"prompt": prompt}
    fields = {**body, "model": endpoint.model, "max_tokens": output, "stream": True, **content}
    headers = {"Content-Type": "application/json"}
    if endpoint.api_key is not None:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    began = monotonic()
    try:
        request = json.dumps({**fields, "stream_options": {"include_usage": True}})
        connection.request("POST", parts.path.rstrip("/") + path, request, headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            return None
        usage: dict[str, int] = {}
        whole = False
        while line := answer.readline():
            if line.startswith(b"data:") and b"[DONE]" not in line:
                said = json.loads(line[5:])
                if "error" in said:
                    return None
                usage = said.get("usage") or usage
            whole = whole or b"[DONE]" in line
        if not whole:
            return None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return Answer(monotonic() - began, usage.get("prompt_tokens"), usage.get("completion_tokens"))

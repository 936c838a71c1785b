"""A few requests of our own before the client starts: what the server counts, and how long one answer takes."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

from autotuner.benchmark.builtin.prompts import Calibration, Sequences
from autotuner.benchmark.builtin.words import WORDS
from autotuner.contracts.deployment import Endpoint

PROBE_WORDS = (32, 288)
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


async def probe(
    endpoint: Endpoint, path: str, body: Mapping[str, object], *, tokens: int, output: int, salt: str, timeout_s: float
) -> Probed:
    """Two short requests for the calibration, one of the given lengths for its time.

    A server that fails here fails in the measurement too, where it is counted.
    """
    words = Words(salt)
    counts: list[tuple[int, int]] = []
    for number in PROBE_WORDS:
        short = await ask(endpoint, path, body, words.next(number), 1, timeout_s)
        if short is None or short.prompt_tokens is None:
            return Probed(Calibration(), short)
        counts.append((number, short.prompt_tokens))
    calibration = Calibration.from_probes(counts[0], counts[1])
    prompt = words.next(calibration.words(tokens))
    return Probed(calibration, await ask(endpoint, path, body, prompt, output, timeout_s))


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
                usage = json.loads(line[5:]).get("usage") or usage
            whole = whole or b"[DONE]" in line
        if not whole:
            return None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return Answer(monotonic() - began, usage.get("prompt_tokens"), usage.get("completion_tokens"))

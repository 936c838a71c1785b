"""Prompts: no two of one server start share a beginning, so that no prefix cache helps by accident."""

from __future__ import annotations

import json
from dataclasses import dataclass

from autotuner.benchmark.builtin.draws import generator
from autotuner.benchmark.builtin.words import WORDS


class Sequences:
    """Random sequences over an alphabet whose beginnings differ: the first two symbols spell a running number.

    The least significant digit comes first, so as many successive prompts as the alphabet has symbols differ from the
    very first one on; the pair repeats after the square of that number.
    """

    def __init__(self, salt: str, low: int, high: int) -> None:
        self._random = generator(salt)
        self._low = low
        self._span = high - low
        self._number = int(self._random.integers(self._span**2))

    def next(self, length: int) -> list[int]:
        """The next sequence, of symbols in [low, high)."""
        self._number += 1
        first, second = self._number % self._span, self._number // self._span % self._span
        rest = self._random.integers(self._low, self._low + self._span, max(length - 2, 0)).tolist()
        return [self._low + first, self._low + second, *rest][:length]


@dataclass(frozen=True)
class Calibration:
    """How a server counts our words: tokens = overhead + per_word × words."""

    overhead: float = 0.0
    per_word: float = 1.0

    def words(self, tokens: int) -> int:
        """Words that make about so many tokens; at least one."""
        return max(round((tokens - self.overhead) / self.per_word), 1)

    @classmethod
    def from_probes(cls, short: tuple[int, int], long: tuple[int, int]) -> Calibration:
        """From two (words, tokens as the server counted them); a count that does not rise is not believed."""
        per_word = (long[1] - short[1]) / (long[0] - short[0])
        if per_word <= 0:
            return cls()
        return cls(overhead=short[1] - per_word * short[0], per_word=per_word)


class Bodies:
    """Builds whole HTTP requests."""

    def __init__(
        self,
        *,
        host: str,
        path: str,
        api_key: str | None,
        model: str,
        extra: dict[str, object],
        salt: str,
        token_ids: tuple[int, int] | None,
    ) -> None:
        self._chat = path.rstrip("/").endswith("/chat/completions")
        self._by_id = token_ids is not None and not self._chat
        low, high = token_ids if token_ids is not None and self._by_id else (0, len(WORDS))
        self._sequences = Sequences(salt, low, high)
        self.calibration = Calibration()
        authorisation = f"Authorization: Bearer {api_key}\r\n" if api_key is not None else ""
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorisation}Content-Type: application/json\r\n"
            "Accept: text/event-stream\r\nContent-Length: "
        ).encode("latin-1")
        fields = {**extra, "model": model, "stream": True, "stream_options": {"include_usage": True}}
        for own in ("max_tokens", "prompt", "messages"):
            fields.pop(own, None)
        self._fields = json.dumps(fields)[:-1]

    @property
    def needs_calibration(self) -> bool:
        """Whether prompts are words, whose length in tokens only the server knows."""
        return not self._by_id

    def build(self, prompt_tokens: int, max_tokens: int) -> bytes:
        """A request whose prompt has so many tokens (words: as calibrated)."""
        return self._build(prompt_tokens if self._by_id else self.calibration.words(prompt_tokens), max_tokens)

    def probe(self, words: int) -> bytes:
        """A request of exactly so many words and one token of output."""
        return self._build(words, 1)

    def _build(self, symbols: int, max_tokens: int) -> bytes:
        sequence = self._sequences.next(symbols)
        if self._by_id:
            prompt = f'"prompt": [{",".join(map(str, sequence))}]'
        else:
            text = json.dumps(" ".join(WORDS[index] for index in sequence))
            prompt = f'"messages": [{{"role": "user", "content": {text}}}]' if self._chat else f'"prompt": {text}'
        body = f'{self._fields}, "max_tokens": {max_tokens}, {prompt}}}'.encode()
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)

"""Prompts: no two of one server start share a beginning, unless that is asked for, so no cache helps by accident."""

from __future__ import annotations

import json
from collections.abc import Sequence

from autotuner.benchmark.builtin.calibration import Calibration, text_of
from autotuner.benchmark.builtin.draws import generator

Message = tuple[str, str]
"""Role and text."""


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


class Bodies:
    """Builds whole HTTP requests, and the prompts in them: token ids where the server takes them, else words."""

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
        own_salt: str = "",
    ) -> None:
        """``own_salt`` tells the prompts of one worker from those of others, which share prefixes with it."""
        self._chat = path.rstrip("/").endswith("/chat/completions")
        self._salt, self._own_salt = salt, salt + own_salt
        self._ids = None if self._chat else token_ids
        self._id_sequences = None if self._ids is None else Sequences(self._own_salt, *self._ids)
        self.calibrated(Calibration())
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
    def takes_ids(self) -> bool:
        """Whether prompts may be token ids; words have a length in tokens that only the server knows."""
        return self._ids is not None

    def calibrated(self, calibration: Calibration) -> None:
        """Make words into prompts as the calibration says."""
        self._calibration = calibration
        self._word_sequences = Sequences(f"{self._own_salt}/words", 0, len(calibration.vocabulary))

    def ids(self, tokens: int, prefix: Sequence[int] = ()) -> list[int]:
        """A prompt of exactly so many token ids, those of the prefix first."""
        if self._id_sequences is None:
            raise ValueError("the server takes no token ids")
        return [*prefix, *self._id_sequences.next(tokens - len(prefix))]

    def words(self, tokens: int, prefix: Sequence[str] = (), prefix_tokens: int = 0) -> str:
        """A prompt of so many tokens, ``prefix_tokens`` of which the words of the prefix are; as calibrated."""
        own = tokens - prefix_tokens if prefix else self._calibration.own(tokens)
        return text_of([*prefix, *self._drawn(own)])

    def more_words(self, tokens: int) -> str:
        """A text that goes on with a conversation by so many tokens."""
        return " ".join(self._drawn(tokens))

    def shared_ids(self, name: str, tokens: int) -> list[int]:
        """Token ids of a prefix, the same for the same name."""
        low, high = self._ids or (0, 1)
        found: list[int] = generator(f"{self._salt}/prefix/{name}").integers(low, high, tokens).tolist()
        return found

    def shared_words(self, name: str, tokens: int) -> list[str]:
        """Words of a prefix that makes so many tokens with what each prompt has anyway, the same for the same name."""
        made = self._calibration
        own = made.own(tokens)
        random = generator(f"{self._salt}/prefix/{name}")
        return made.spelled(random.integers(0, len(made.vocabulary), made.most_words(own)).tolist(), own)

    def request(self, prompt: str | Sequence[int], max_tokens: int) -> bytes:
        """A request with a prompt: a text (of a user's message where the server wants messages) or token ids."""
        if not isinstance(prompt, str):
            return self._request(f'"prompt": [{",".join(map(str, prompt))}]', max_tokens)
        if self._chat:
            return self.conversation([("user", prompt)], max_tokens)
        return self._request(f'"prompt": {json.dumps(prompt)}', max_tokens)

    def conversation(self, messages: Sequence[Message], max_tokens: int) -> bytes:
        """A request that goes on with what was said: as messages, or as one text where the server wants a text."""
        if self._chat:
            said = json.dumps([{"role": role, "content": text} for role, text in messages])
            return self._request(f'"messages": {said}', max_tokens)
        parts = [f" {text}" if role == "user" and number else text for number, (role, text) in enumerate(messages)]
        return self._request(f'"prompt": {json.dumps("".join(parts))}', max_tokens)

    def _drawn(self, tokens: int) -> list[str]:
        """Words of so many tokens, as calibrated."""
        made = self._calibration
        return made.spelled(self._word_sequences.next(made.most_words(tokens)), tokens)

    def _request(self, prompt: str, max_tokens: int) -> bytes:
        body = f'{self._fields}, "max_tokens": {max_tokens}, {prompt}}}'.encode()
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)

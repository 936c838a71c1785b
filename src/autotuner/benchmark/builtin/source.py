"""The requests of one measurement: new ones as drawn, and those that go on with a conversation."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field

from autotuner.benchmark.builtin.draws import Draw, Draws
from autotuner.benchmark.builtin.exchange import Exchange
from autotuner.benchmark.builtin.prompts import Bodies, Message
from autotuner.contracts.workload import Scenario


@dataclass
class Conversation:
    """What was said so far, and the lengths (user's message, answer) of the turns to come."""

    messages: list[Message]
    left: deque[tuple[int, int]]


@dataclass
class Prepared:
    """A request that is ready to be sent."""

    request: bytes
    asked_tokens: int
    asked_prompt: int | None
    conversation: Conversation | None = None


@dataclass
class Prefix:
    """What the prompts of one scenario share: one of the two, as the prompts are."""

    ids: list[int] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


class Source:
    """Requests, built ahead of need so that building one never delays its start.

    A conversation goes on when its answer was received whole: the oldest one that can comes before any new request. So
    a load of n requests in flight has n conversations, and one at a rate sends its turns at that rate. ``name`` (of the
    measurement) tells the shared prefixes of this one from those of others.
    """

    def __init__(self, bodies: Bodies, draws: Draws, ahead: int, name: str) -> None:
        self._bodies = bodies
        self._draws = draws
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._prefixes: dict[str, Prefix] = {}
        self._talking: dict[Exchange, Conversation] = {}
        self._going_on: deque[Prepared] = deque()
        self._ready = deque(self._new() for _ in range(ahead))

    def take(self, scheduled: float | None = None) -> Exchange:
        """The next request; another one is built when the loop comes round."""
        if self._going_on:
            prepared = self._going_on.popleft()
        else:
            prepared = self._ready.popleft() if self._ready else self._new()
            self._loop.call_soon(self._refill)
        exchange = Exchange(prepared.request, prepared.asked_tokens, scheduled)
        exchange.asked_prompt = prepared.asked_prompt
        if prepared.conversation is not None and prepared.conversation.left:
            exchange.body = bytearray()
            self._talking[exchange] = prepared.conversation
        return exchange

    def ended(self, exchange: Exchange) -> None:
        """A request is over. A conversation whose answer is not known as a whole ends here."""
        conversation = self._talking.pop(exchange, None)
        if conversation is None or exchange.error is not None or exchange.body is None:
            return
        answer = answered(bytes(exchange.body))
        if answer:
            self._going_on.append(self._go_on(conversation, answer, exchange))

    def _refill(self) -> None:
        self._ready.append(self._new())

    def _new(self) -> Prepared:
        draw = self._draws.next()
        prompt_tokens, output_tokens = draw.turns[0]
        if draw.row is not None:
            return Prepared(self._bodies.request(draw.row.prompt, output_tokens), output_tokens, None)
        by_id = self._bodies.takes_ids and len(draw.turns) == 1  # what was answered is text
        prefix = self._prefix(draw.scenario, by_id=by_id)
        if by_id:
            prompt = self._bodies.ids(prompt_tokens, prefix.ids)
            return Prepared(self._bodies.request(prompt, output_tokens), output_tokens, prompt_tokens)
        text = self._bodies.words(prompt_tokens, prefix.words, draw.scenario.prefix)
        made = Prepared(self._bodies.request(text, output_tokens), output_tokens, prompt_tokens)
        if len(draw.turns) > 1:
            made.conversation = _begun(text, draw)
        return made

    def _go_on(self, conversation: Conversation, answer: str, before: Exchange) -> Prepared:
        tokens, output_tokens = conversation.left.popleft()
        conversation.messages += [("assistant", answer), ("user", self._bodies.more_words(tokens))]
        known = before.prompt_tokens is not None and before.output_tokens is not None
        said = (before.prompt_tokens or 0) + (before.output_tokens or 0) + tokens
        request = self._bodies.conversation(conversation.messages, output_tokens)
        return Prepared(request, output_tokens, said if known else None, conversation)

    def _prefix(self, scenario: Scenario, *, by_id: bool) -> Prefix:
        if not scenario.prefix:
            return Prefix()
        found = self._prefixes.get(scenario.text)
        if found is None:
            name = f"{self._name}/{scenario.text}"
            if by_id:
                found = Prefix(ids=self._bodies.shared_ids(name, scenario.prefix))
            else:
                found = Prefix(words=self._bodies.shared_words(name, scenario.prefix))
            self._prefixes[scenario.text] = found
        return found


def answered(body: bytes) -> str:
    """The text of a streamed answer, reasoning left out: it is not sent back. Empty when it makes no sense."""
    pieces: list[str] = []
    for line in body.split(b"\n"):
        payload = line.strip().removeprefix(b"data:").strip()
        if not payload.startswith(b"{"):
            continue
        try:
            for choice in json.loads(payload).get("choices") or ():
                for piece in (choice, choice.get("delta") or {}, choice.get("message") or {}):
                    pieces += [text for key in ("text", "content") if isinstance(text := piece.get(key), str)]
        except (ValueError, AttributeError, TypeError):
            return ""
    return "".join(pieces)


def _begun(text: str, draw: Draw) -> Conversation:
    return Conversation([("user", text)], deque(draw.turns[1:]))

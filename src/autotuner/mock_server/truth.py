"""What really happened to a request, by the server's own clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Truth:
    """One request as the server saw it. Times are seconds of the system-wide monotonic clock.

    The time of a token is read just before the write that completes it: the one with the last byte of the blank line
    that ends its event. A client cannot have it earlier, and what it sees later is its own and the network's.
    """

    number: int
    received: float
    """When the last byte of the request was read."""
    prompt: str | tuple[int, ...]
    """Its beginning: 64 characters or token ids."""
    prompt_tokens: int
    asked_tokens: int
    reused_connection: bool
    fault: str | None = None
    cached_tokens: int = 0
    """Prompt tokens told as cached."""
    began: float | None = None
    """When it left the queue."""
    load: int = 0
    """Requests in flight when its first token fell due, itself included."""
    first_due: float | None = None
    """When its first token was to be written, as far as that was known when it was."""
    first: float | None = None
    last_due: float | None = None
    last: float | None = None
    tokens: int = 0
    chunks: int = 0
    """Writes of tokens: events with words in them."""
    status: int = 200
    ended: str = "open"
    """open, done, fault (the server broke it off) or closed (by the client)."""

    def as_dict(self) -> dict[str, object]:
        """The log line: everything but the prompt."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "prompt"}

"""What really happened to a request, by the server's own clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Truth:
    """One request as the server saw it. Times are seconds of the system-wide monotonic clock."""

    number: int
    received: float
    prompt: str | tuple[int, ...]
    """Its beginning: 64 characters or token ids."""
    prompt_tokens: int
    asked_tokens: int
    reused_connection: bool
    fault: str | None = None
    first: float | None = None
    last: float | None = None
    tokens: int = 0
    status: int = 200
    ended: str = "open"
    """open, done, fault or closed (by the client)."""

    def as_dict(self) -> dict[str, object]:
        """The log line: everything but the prompt."""
        return {name: value for name, value in vars(self).items() if name != "prompt"}

"""What the server counts: for its /metrics, and for the line at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autotuner.mock_server.batching import Batch
from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.truth import Truth

COUNTERS = (
    "prompt_tokens",
    "computed_tokens",
    "generation_tokens",
    "cached_tokens",
    "queried_tokens",
    "preemptions",
    "requests",
)
GAUGES = ("running", "waiting", "kv_usage", "cache_hit_rate")


@dataclass
class Figures:
    """Sums over ended requests, to which those of the open ones are added when asked."""

    requests: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    cached_tokens: int = 0
    open: dict[int, Truth] = field(default_factory=dict)

    def ended(self, truth: Truth) -> None:
        """A request has ended: it is counted for good."""
        self.open.pop(truth.number, None)
        self.requests += truth.ended == "done"
        self._add(truth)

    def _add(self, truth: Truth) -> None:
        self.generation_tokens += truth.tokens
        if truth.first_due is not None:  # its prompt was processed
            self.prompt_tokens += truth.prompt_tokens
            self.cached_tokens += truth.cached_tokens

    def now(self, batch: Batch, options: MockOptions) -> dict[str, float]:
        """Every figure of ``COUNTERS`` and ``GAUGES``; each counter is the sum over the truths of the requests."""
        total = Figures(self.requests, self.prompt_tokens, self.generation_tokens, self.cached_tokens)
        for truth in self.open.values():
            total._add(truth)
        held = _held(self.open.values())
        prompt = total.prompt_tokens
        return {
            "prompt_tokens": prompt,
            "computed_tokens": prompt - total.cached_tokens,
            "generation_tokens": total.generation_tokens,
            "cached_tokens": total.cached_tokens,
            "queried_tokens": prompt,
            "preemptions": 0,
            "requests": total.requests,
            "running": batch.running,
            "waiting": batch.waiting,
            "kv_usage": min(1.0, held / options.kv_tokens),
            "cache_hit_rate": total.cached_tokens / prompt if prompt else 0.0,
        }


def _held(requests: Iterable[Truth]) -> int:
    """Tokens in the pretended KV cache: of those that were begun."""
    return sum(truth.prompt_tokens + truth.tokens for truth in requests if truth.began is not None)


def exposition(figures: Mapping[str, float], names: Mapping[str, str], model: str) -> bytes:
    """The text format of Prometheus. A name may have labels; ``{model}`` in them is replaced."""
    lines = []
    for figure, name in names.items():
        series = name.replace("{model}", model)
        kind = "counter" if figure in COUNTERS else "gauge"
        lines += [f"# TYPE {series.partition('{')[0]} {kind}", f"{series} {float(figures[figure])!r}"]
    return "\n".join([*lines, ""]).encode()

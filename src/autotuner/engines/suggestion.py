"""What is worth searching on an engine that batches requests on a GPU."""

from __future__ import annotations

from autotuner.contracts.engine import Suggestion


def suggest_for_gpus(requests: str, tokens: str, concurrency: int) -> Suggestion:
    """Requests and tokens of a step, by the names of those two parameters."""
    most = max(1, min(concurrency, 1024))
    return Suggestion(
        parameters={requests: sorted({max(1, most // 4), max(1, most // 2), most}), tokens: [2048, 8192, 16384]},
        reason=f"requests up to the {concurrency} in flight, and the tokens of a step, which decide between short gaps "
        "and fast prompts",
    )

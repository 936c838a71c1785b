"""Our own definitions of every figure, whatever client produced the requests. Pure."""

from autotuner.metrics.aggregate import aggregate
from autotuner.metrics.distribution import distribution
from autotuner.metrics.summary import Pooled, pool, summarise, tokens_between

__all__ = ["Pooled", "aggregate", "distribution", "pool", "summarise", "tokens_between"]

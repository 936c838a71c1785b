"""The six profiles that the program brings along.

``tp-size`` and ``mem-fraction-static`` are what a profile asks of an engine that spreads a model over GPUs; they are
written in the engine's own names when a document is assembled. An engine that lacks one of the two gets others that
serve the same purpose (``Searched``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotuner.config.layers import Layer, LayerContext
from autotuner.profiles.profile import BUILT_IN, ProfileMetadata, Profiles

TP, MEMORY, STEP = "tp-size", "mem-fraction-static", "max_num_batched_tokens"
SLOTS, MICRO_BATCH, REQUESTS = "n_parallel", "n_ubatch", "max_num_seqs"


@dataclass(frozen=True)
class Searched:
    """What a profile searches, by what the engine has."""

    tp: Sequence[int]
    """GPUs over which the model is spread."""
    memory: Sequence[float]
    """Share of the memory that the engine may use."""
    step: Sequence[int] = ()
    """Tokens of one step, at most."""
    slots: Sequence[int] = ()
    """In place of tp, or of the memory fraction alone: requests that are answered at once."""
    micro_batch: Sequence[int] = ()
    """In place of tp: tokens that are computed together."""
    kv_cache: Sequence[str] = ()
    """In place of both: types of the KV cache."""

    def of(self, context: LayerContext) -> dict[str, Any]:
        """The blocks ``parameters`` and ``quant_config`` for an engine."""
        spread, fraction = context.has(TP), context.has(MEMORY)
        if not spread:
            kinds = {"quant_config": {"kvcache_dtype": list(self.kv_cache)}} if self.kv_cache else {}
            return {"parameters": _given({SLOTS: self.slots, MICRO_BATCH: self.micro_batch}), **kinds}
        memory = {MEMORY: self.memory} if fraction else {REQUESTS: self.slots}
        return {"parameters": _given({TP: self.tp, STEP: self.step, **memory})}


def _given(values: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    return {name: list(found) for name, found in values.items() if found}


@dataclass(frozen=True)
class BuiltIn:
    """One of the six: a single layer named after it."""

    name: str
    metadata: ProfileMetadata
    sets: Mapping[str, Any]
    searched: Searched | None = None

    @property
    def layer(self) -> Layer:
        """``<profile>-params``."""
        return Layer(f"{self.name}-params", self._data)

    def _data(self, context: LayerContext) -> dict[str, Any]:
        return {**self.sets, **(self.searched.of(context) if self.searched is not None else {})}


def _load(*concurrency: int, **others: Any) -> dict[str, Any]:
    return {"benchmark": {**others, "num_concurrency": list(concurrency)}}


PROFILES = (
    BuiltIn(
        "quick-test",
        ProfileMetadata(
            description="minimal experiments to validate a set-up",
            use_case="validation, CI",
            tags=("testing", "development", "quick"),
            recommended_for=("development", "debugging", "ci-cd"),
        ),
        {"optimization": {"max_iterations": 2}, **_load(1, traffic_scenarios=["D(100,100)"])},
        Searched(tp=(1,), memory=(0.85,), slots=(1,), micro_batch=(256,)),
    ),
    BuiltIn(
        "balanced",
        ProfileMetadata(
            description="explores common ranges without bias",
            use_case="first try or no idea",
            tags=("balanced", "general", "exploration"),
            recommended_for=("general", "exploration", "baseline"),
        ),
        {"optimization": {"max_iterations": 15, "timeout_per_iteration": 600}, **_load(4, 8, 16)},
        Searched(
            tp=(1, 2, 4),
            memory=(0.8, 0.85, 0.9),
            slots=(4, 8, 16),
            micro_batch=(256, 512),
            kv_cache=("auto", "int8"),
        ),
    ),
    BuiltIn(
        "low-latency",
        ProfileMetadata(
            description="interactive serving",
            use_case="chat, one GPU",
            tags=("latency", "real-time", "interactive"),
            recommended_for=("production", "interactive", "single-gpu"),
        ),
        {"optimization": {"objective": "minimize_latency", "max_iterations": 15}, **_load(1, 4, 8)},
        Searched(tp=(1, 2), memory=(0.7, 0.8), slots=(4, 8), micro_batch=(128, 256), kv_cache=("auto", "int8")),
    ),
    BuiltIn(
        "high-throughput",
        ProfileMetadata(
            description="batch and high traffic",
            use_case="batch, many GPUs",
            tags=("throughput", "batch", "high-concurrency"),
            recommended_for=("production", "multi-gpu", "high-traffic"),
        ),
        {"optimization": {"objective": "maximize_throughput", "max_iterations": 20}, **_load(16, 32, 64)},
        # Two sizes and one fraction are two configurations: the tokens of a step make a search of them.
        Searched(
            tp=(4, 8),
            memory=(0.95,),
            step=(8192, 16384),
            slots=(16, 32),
            micro_batch=(512, 1024),
            kv_cache=("auto", "int8"),
        ),
    ),
    BuiltIn(
        "cost-optimization",
        ProfileMetadata(
            description="little hardware",
            use_case="limited budget, development",
            tags=("cost", "efficiency", "budget"),
            recommended_for=("development", "startup", "single-gpu"),
        ),
        {"optimization": {"objective": "minimize_latency", "max_iterations": 12}, **_load(4, 8, 16)},
        Searched(tp=(1, 2), memory=(0.75, 0.85), slots=(4, 8), micro_batch=(256, 512), kv_cache=("auto", "int8")),
    ),
    BuiltIn(
        "production",
        ProfileMetadata(
            description="readiness with SLOs",
            use_case="launch",
            tags=("production", "slo", "comprehensive"),
            recommended_for=("production", "deployment", "slo-critical"),
        ),
        {
            "optimization": {"max_iterations": 30, "timeout_per_iteration": 900},
            "slo": {
                "ttft": {"threshold": 1.0, "weight": 2.0},
                "tpot": {"threshold": 0.05, "weight": 2.0},
                "latency": {"p90": {"threshold": 5.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.2}},
            },
        },
    ),
)
"""In the order in which lists show them."""


def built_in_profiles() -> Profiles:
    """A book with the six of them."""
    book = Profiles()
    for one in PROFILES:
        book.register_profile(one.name, [one.layer], one.metadata, origin=BUILT_IN)
    return book

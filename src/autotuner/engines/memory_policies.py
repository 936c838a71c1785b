"""What the memory fraction of each engine means, with its default.

vLLM (``--gpu-memory-utilization``, 0.92 since 0.22): the share of the GPU that weights, activations, graphs and KV
cache have together. SGLang (``--mem-fraction-static``): the share of the memory free at start that weights and KV cache
have; it is derived from the size of the GPU, 0.88 where that is not known. TensorRT-LLM
(``--free_gpu_memory_fraction``, 0.9): the share of what is free after loading that the KV cache has.
"""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.engine import canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.modelling.memory import MemoryPolicy

MEMORY_POLICIES: Mapping[str, MemoryPolicy] = {
    "vllm": MemoryPolicy(parameter="gpu_memory_utilization", meaning="of_total", fraction=0.92),
    "sglang": MemoryPolicy(parameter="mem_fraction_static", meaning="static", fraction=0.88),
    "tensorrt-llm": MemoryPolicy(parameter="free_gpu_memory_fraction", meaning="of_free", fraction=0.9),
}
"""By the name of the engine."""


def memory_policy(name: str | None) -> tuple[str, MemoryPolicy]:
    """An engine's name and policy; None: the first. AutotunerError (UNKNOWN_NAME) for an engine without a fraction."""
    if name is None:
        return next(iter(MEMORY_POLICIES.items()))
    wanted = canonical(name)
    for known, policy in MEMORY_POLICIES.items():
        if wanted == canonical(known):
            return known, policy
    raise AutotunerError(
        ErrorCode.UNKNOWN_NAME,
        f"{name!r} is no engine whose memory on GPUs is known",
        why="each engine means something else by its memory fraction",
        remedy=f"Known are {', '.join(MEMORY_POLICIES)}",
        place="--engine",
    )

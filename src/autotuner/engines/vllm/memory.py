"""Which of vLLM's parameters decide over memory."""

from __future__ import annotations

from autotuner.engines.gpu_memory import MemoryFields
from autotuner.engines.memory_policies import MEMORY_POLICIES

FIELDS = MemoryFields(
    policy=MEMORY_POLICIES["vllm"],
    context="max_model_len",
    requests="max_num_seqs",
    tokens="max_num_batched_tokens",
    kv_dtype="kv_cache_dtype",
    dtype="dtype",
    quantization="quantization",
    no_graphs={"enforce_eager": True},
    elsewhere=("cpu_offload_gb", "offload_group_size", "kv_cache_memory_bytes", "num_gpu_blocks_override"),
    replicas=("data_parallel_size",),
    # Without --max-model-len it refuses to start when its cache does not hold the model's longest context.
    whole_context=True,
)

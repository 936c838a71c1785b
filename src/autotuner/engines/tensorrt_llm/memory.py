"""Which of TensorRT-LLM's parameters decide over memory."""

from __future__ import annotations

from autotuner.engines.gpu_memory import MemoryFields
from autotuner.engines.memory_policies import MEMORY_POLICIES

FIELDS = MemoryFields(
    policy=MEMORY_POLICIES["tensorrt-llm"],
    context="max_seq_len",
    requests="max_batch_size",
    tokens="max_num_tokens",
    kv_dtype="kv_cache_dtype",
    no_graphs={"cuda_graph_config": "null"},
)

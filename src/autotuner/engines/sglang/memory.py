"""Which of SGLang's parameters decide over memory."""

from __future__ import annotations

from autotuner.engines.gpu_memory import MemoryFields
from autotuner.engines.memory_policies import MEMORY_POLICIES

FIELDS = MemoryFields(
    policy=MEMORY_POLICIES["sglang"],
    context="context_length",
    requests="max_running_requests",
    tokens="chunked_prefill_size",
    kv_dtype="kv_cache_dtype",
    dtype="dtype",
    quantization="quantization",
    no_graphs={"cuda_graph_backend_decode": "disabled", "disable_cuda_graph": True},
    elsewhere=("cpu_offload_gb", "offload_group_size", "max_total_tokens"),
)

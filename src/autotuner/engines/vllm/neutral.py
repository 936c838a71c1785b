"""How vLLM writes neutral settings."""

from __future__ import annotations

from autotuner.contracts.engine import PlanContext
from autotuner.contracts.neutral import VALUE, Fields, NeutralTable, Row
from autotuner.contracts.values import Scalar
from autotuner.engines.neutral import (
    DROPPED,
    EXPERTS_OF_CHECKPOINT,
    HARMLESS,
    MEMORY_BLOCK,
    OF_CHECKPOINT,
    SCHEDULING_BLOCK,
    known_facts,
    layout,
    parallel_block,
    preset_kv,
    quant_block,
)

PRESETS = {
    "single-gpu": layout(tp=1, pp=1, dp=1),
    "high-throughput": layout(tp=1, pp=1, dp=8),
    "large-model-tp": layout(tp=8),
    "large-model-tp-pp": layout(tp=8, pp=2),
    "moe-optimized": layout(tp=2, dp=8, enable_expert_parallel=True),
    "long-context": layout(tp=4, dcp=4),
    "balanced": layout(tp=2, dp=4),
}


def _expert_parallel(fields: Fields, context: PlanContext) -> Scalar:
    """There is only a switch; the size is always tp × dp, and × cp where the prefill is shared."""
    asked = fields.get("ep")
    tp, dp, cp = (int(fields.get(name) or 1) for name in ("tp", "dp", "cp"))
    if asked == 1:
        return False
    if asked != tp * dp * cp:
        product = "tp × dp" if cp == 1 else "tp × dp × cp"
        raise ValueError(f"vLLM's expert parallel size is always {product}, here {tp * dp * cp}")
    return True


ROWS = (
    Row("tp", {"--tensor-parallel-size": VALUE}),
    Row("pp", {"--pipeline-parallel-size": VALUE}),
    Row("dp", {"--data-parallel-size": VALUE}),
    Row("dcp", {"--decode-context-parallel-size": VALUE}),
    Row("cp", {"--prefill-context-parallel-size": VALUE}),
    Row("ep", {"--enable-expert-parallel": _expert_parallel}),
    Row("enable_expert_parallel", {"--enable-expert-parallel": VALUE}),
    Row("moe_tp", error="vLLM has no flag for it; it follows from tp and expert parallelism"),
    Row("moe_cluster", error="vLLM has no clusters of experts"),
    Row("moe_dense_tp", error="vLLM has no flag for it"),
    Row("enable_dp_attention", values=(False,)),
    Row("enable_dp_attention", error="vLLM's attention is data parallel with dp and enable_expert_parallel"),
    *HARMLESS,
    DROPPED,
    Row("gemm_dtype", {"--quantization": VALUE}, ("fp8",)),
    Row("gemm_dtype", {"--dtype": VALUE}, ("float16", "bfloat16", "float32")),
    Row("gemm_dtype", {"--quantization": "int8_per_channel_weight_only"}, ("int8",)),
    Row("gemm_dtype", values=("int8",), error="this version of vLLM has no int8 quantisation at start"),
    *OF_CHECKPOINT,
    *preset_kv("--kv-cache-dtype"),
    Row("kvcache_dtype", {"--kv-cache-dtype": "float16"}, ("fp16",)),
    Row("kvcache_dtype", {"--kv-cache-dtype": VALUE}),
    *EXPERTS_OF_CHECKPOINT,
    Row("memory_fraction", {"--gpu-memory-utilization": VALUE}),
    Row("kv_cache_bytes", {"--kv-cache-memory-bytes": VALUE}),
    Row("max_model_len", {"--max-model-len": VALUE}),
    Row("enforce_eager", {"--enforce-eager": VALUE}),
    Row("schedule_policy", {"--scheduling-policy": VALUE}),
    Row("max_num_batched_tokens", {"--max-num-batched-tokens": VALUE}),
    Row("max_num_seqs", {"--max-num-seqs": VALUE}),
    Row("chunked_prefill", {"--enable-chunked-prefill": VALUE}),
    Row("max_prefill_batch_size", error="vLLM does not limit the prompts of a step; set max_num_batched_tokens"),
    Row("prefix_caching", {"--enable-prefix-caching": VALUE}),
    Row("disable_sliding_window", {"--disable-sliding-window": VALUE}),
    Row("swap_space", {"--swap-space": VALUE}),
    Row("swap_space", error="vLLM has no swap space any more: requests that must wait are computed again"),
    Row("threads", error="vLLM reads its threads from the environment: set VLLM_CPU_OMP_THREADS_BIND in runtime.env"),
    Row("attention_backend", {"--attention-backend": VALUE}),
)

TABLE = NeutralTable(
    blocks=(parallel_block(PRESETS, pp=(1, 2, 4, 8)), quant_block(), MEMORY_BLOCK, SCHEDULING_BLOCK),
    rows=ROWS,
    facts=known_facts,
)

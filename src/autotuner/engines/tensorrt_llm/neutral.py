"""How TensorRT-LLM writes neutral settings: flags of trtllm-serve, and keys of the file that --config names."""

from __future__ import annotations

from autotuner.contracts.neutral import VALUE, NeutralTable, Row
from autotuner.engines.neutral import (
    BY_PRESET,
    DROPPED,
    EXPERTS_OF_CHECKPOINT,
    HARMLESS,
    KV_PRESETS,
    MEMORY_BLOCK,
    OF_CHECKPOINT,
    SCHEDULING_BLOCK,
    known_facts,
    kv_tokens,
    layout,
    parallel_block,
    quant_block,
)

PRESETS = {
    "single-gpu": layout(tp=1, pp=1),
    "large-model-tp": layout(tp=8),
    "large-model-tp-pp": layout(tp=8, pp=2),
    "moe-optimized": layout(tp=16, moe_tp=2, ep=8),
    "long-context": layout(tp=8, cp=2),
}


ROWS = (
    Row("tp", {"--tp_size": VALUE}),
    Row("pp", {"--pp_size": VALUE}),
    Row("cp", {"--cp_size": VALUE}),
    Row("dp", values=(1,)),
    Row("dp", when={"enable_dp_attention": (True,)}, note="attention is data parallel over the tp group; dp stays 1"),
    Row("dp", error="TensorRT-LLM does not support data parallelism"),
    Row("enable_dp_attention", {"--enable_attention_dp": VALUE}),
    Row("dcp", error="TensorRT-LLM has no decode context parallelism"),
    Row("ep", {"--ep_size": VALUE}),
    Row("moe_tp", {"moe_tensor_parallel_size": VALUE}),
    Row("moe_cluster", {"--cluster_size": VALUE}),
    Row("moe_dense_tp", error="TensorRT-LLM has no flag for it"),
    Row("enable_expert_parallel", values=(False,)),
    Row("enable_expert_parallel", error="TensorRT-LLM has no switch for it; set ep"),
    *HARMLESS,
    DROPPED,
    Row("gemm_dtype", values=("fp8", "int8"), error="TensorRT-LLM needs a quantised checkpoint for it"),
    Row(
        "gemm_dtype",
        values=("float16", "bfloat16", "float32"),
        note="the checkpoint decides the precision of its weights",
    ),
    *OF_CHECKPOINT,
    Row(
        "kvcache_dtype",
        {"--kv_cache_dtype": "fp8"},
        ("fp8_e5m2",),
        when={BY_PRESET: KV_PRESETS},
        note="written as fp8, which is e4m3: TensorRT-LLM has no e5m2",
    ),
    Row("kvcache_dtype", {"--kv_cache_dtype": "fp8"}, ("fp8", "fp8_e4m3")),
    Row("kvcache_dtype", values=("fp8_e5m2",), error="TensorRT-LLM has no e5m2; use fp8_e4m3"),
    Row("kvcache_dtype", error="TensorRT-LLM takes auto or fp8"),
    *EXPERTS_OF_CHECKPOINT,
    Row(
        "memory_fraction",
        {"--free_gpu_memory_fraction": VALUE},
        own_sense="in TensorRT-LLM it is a share of what is free after the weights",
    ),
    Row("kv_cache_bytes", {"kv_cache_config.max_tokens": kv_tokens}),
    Row("max_model_len", {"--max_seq_len": VALUE}),
    Row("enforce_eager", {"cuda_graph_config": "null"}, (True,)),
    Row("enforce_eager", values=(False,)),
    Row("schedule_policy", {"scheduler_config.capacity_scheduler_policy": VALUE}),
    Row("max_num_batched_tokens", {"--max_num_tokens": VALUE}),
    Row("max_num_seqs", {"--max_batch_size": VALUE}),
    Row("chunked_prefill", {"--enable_chunked_prefill": VALUE}),
    Row("max_prefill_batch_size", error="TensorRT-LLM does not limit the prompts of a step"),
    Row("prefix_caching", {"kv_cache_config.enable_block_reuse": VALUE}),
    Row("disable_sliding_window", values=(False,)),
    Row("disable_sliding_window", error="TensorRT-LLM has no flag for it"),
    Row("swap_space", error="TensorRT-LLM has no swap space"),
    Row("threads", error="TensorRT-LLM has no flag for it; set OMP_NUM_THREADS in runtime.env"),
    Row("attention_backend", {"attn_backend": VALUE}),
)

TABLE = NeutralTable(
    blocks=(parallel_block(PRESETS), quant_block(), MEMORY_BLOCK, SCHEDULING_BLOCK), rows=ROWS, facts=known_facts
)

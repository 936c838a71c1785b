"""How SGLang writes neutral settings."""

from __future__ import annotations

from autotuner.contracts.neutral import VALUE, NeutralTable, Row
from autotuner.engines.neutral import (
    DROPPED,
    EXPERTS,
    EXPERTS_OF_CHECKPOINT,
    HARMLESS,
    MEMORY_BLOCK,
    METHOD,
    OF_CHECKPOINT,
    QUANTISED,
    SCHEDULING_BLOCK,
    known_facts,
    kv_tokens,
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
    "moe-optimized": layout(tp=16, ep=16, dp=8, enable_dp_attention=True),
    "balanced": layout(tp=2, dp=4),
}

_DP_ATTENTION = {"enable_dp_attention": (True,)}
_NOT_CHUNKED = {"chunked_prefill": (False,)}


ROWS = (
    Row("tp", {"--tp-size": VALUE}),
    Row("pp", {"--pp-size": VALUE}),
    Row("dp", {"--attn-dp-size": VALUE}, when=_DP_ATTENTION),
    # Releases without that flag.
    Row("dp", {"--dp-size": VALUE, "--enable-dp-attention": True}, when=_DP_ATTENTION),
    Row("dp", {"--dp-size": VALUE}),
    Row("enable_dp_attention"),  # dp says how far
    Row("dcp", {"--dcp-size": VALUE}),
    Row("cp", {"--attn-cp-size": VALUE}),
    Row("ep", {"--ep-size": VALUE}),
    Row("enable_expert_parallel", values=(False,)),
    Row("enable_expert_parallel", error="SGLang has no switch for it; set ep"),
    Row("moe_tp", error="SGLang has no flag for it; it follows from tp and ep"),
    Row("moe_cluster", error="SGLang has no clusters of experts"),
    Row("moe_dense_tp", {"--moe-dense-tp-size": VALUE}, (1,)),
    Row("moe_dense_tp", error="SGLang takes 1, or no value at all"),
    *HARMLESS,
    DROPPED,
    Row("gemm_dtype", {"--quantization": VALUE}, ("fp8",)),
    Row("gemm_dtype", {"--dtype": VALUE}, ("float16", "bfloat16", "float32")),
    Row("gemm_dtype", values=("int8",), error="SGLang needs a w8a8_int8 checkpoint for it"),
    *OF_CHECKPOINT,
    *preset_kv("--kv-cache-dtype"),
    Row("kvcache_dtype", {"--kv-cache-dtype": "fp8_e4m3"}, ("fp8",)),
    Row("kvcache_dtype", {"--kv-cache-dtype": VALUE}, ("fp8_e5m2", "fp8_e4m3", "bfloat16")),
    Row("kvcache_dtype", values=("fp16",), error="SGLang has no fp16 KV cache; use bfloat16 or auto"),
    Row("kvcache_dtype", values=("int8", "int4"), error="SGLang has no integer KV cache"),
    Row("moe_dtype", values=("w4afp8", "mxfp4"), when={EXPERTS: (False,)}, note="the model has no experts"),
    Row("moe_dtype", {"--quantization": VALUE}, ("w4afp8",), when={METHOD: ("w4afp8",)}),
    Row("moe_dtype", {"--quantization": VALUE}, ("mxfp4",), when={METHOD: ("mxfp4",)}),
    Row(
        "moe_dtype",
        values=("w4afp8", "mxfp4"),
        when={QUANTISED: (True,)},
        note="the checkpoint is quantised otherwise ({method}), so this is dropped",
    ),
    Row("moe_dtype", values=("w4afp8", "mxfp4"), when={QUANTISED: (False,)}, error="it needs such a checkpoint"),
    Row("moe_dtype", {"--quantization": VALUE}, ("w4afp8", "mxfp4"), note="the checkpoint must be quantised so"),
    *EXPERTS_OF_CHECKPOINT,
    Row("memory_fraction", {"--mem-fraction-static": VALUE}),
    Row("kv_cache_bytes", {"--max-total-tokens": kv_tokens}),
    Row("max_model_len", {"--context-length": VALUE}),
    Row("enforce_eager", {"--cuda-graph-backend-decode": "disabled"}, (True,)),
    Row("enforce_eager", {"--disable-cuda-graph": True}, (True,)),
    Row("enforce_eager", values=(False,)),
    Row("schedule_policy", {"--schedule-policy": VALUE}),
    Row("max_num_batched_tokens", {"--max-prefill-tokens": VALUE}, when=_NOT_CHUNKED),
    Row("max_num_batched_tokens", {"--chunked-prefill-size": VALUE}),
    Row("max_num_seqs", {"--max-running-requests": VALUE}),
    Row("chunked_prefill", {"--chunked-prefill-size": -1}, (False,)),
    Row("chunked_prefill", values=(True,)),  # as it is by default
    Row("max_prefill_batch_size", {"--prefill-max-requests": VALUE}),
    Row("prefix_caching", {"--disable-radix-cache": True}, (False,)),
    Row("prefix_caching", {"--disable-radix-cache": False}, (True,)),
    Row("disable_sliding_window", values=(False,)),
    Row("disable_sliding_window", error="SGLang has no flag for it"),
    Row("swap_space", error="SGLang has no swap space; --enable-hierarchical-cache keeps KV cache in main memory"),
    Row("threads", error="SGLang has no flag for it; set OMP_NUM_THREADS in runtime.env"),
    Row("attention_backend", {"--attention-backend": VALUE}),
)

TABLE = NeutralTable(
    blocks=(parallel_block(PRESETS), quant_block(), MEMORY_BLOCK, SCHEDULING_BLOCK), rows=ROWS, facts=known_facts
)

"""How llama.cpp writes neutral settings. The weight file decides the precision of the weights."""

from __future__ import annotations

from autotuner.contracts.engine import PlanContext
from autotuner.contracts.neutral import VALUE, Fields, NeutralTable, Row
from autotuner.contracts.values import Scalar
from autotuner.engines.llamacpp.model import number
from autotuner.engines.neutral import HARMLESS, MEMORY_BLOCK, SCHEDULING_BLOCK, quant_block

KV_BYTES = {"fp16": 2.0, "bfloat16": 2.0, "int8": 34 / 32, "int4": 18 / 32}
"""Bytes of a value in the KV cache: blocks of 32 have a scale of 2 bytes (q8_0, q4_0)."""


def _context(fields: Fields, context: PlanContext) -> Scalar:
    """Tokens of all slots together that a KV cache of ``kv_cache_bytes`` holds."""
    shape = [number(context.model_config, fact) for fact in ("block_count", "head_count_kv", "head_dim", "head_dim_v")]
    layers, heads, keys, values = shape
    asked = fields["kv_cache_bytes"]
    if layers is None or heads is None or keys is None or values is None or not isinstance(asked, int):
        raise ValueError("the model file does not tell the shape of its attention")
    tokens = int(asked // (layers * heads * (keys + values) * KV_BYTES.get(str(fields.get("kvcache_dtype")), 2.0)))
    if tokens < 1:
        raise ValueError("it does not hold one token")
    return tokens


def _both(kind: str) -> dict[str, Scalar]:
    return {"--cache-type-k": kind, "--cache-type-v": kind}


ROWS = (
    *HARMLESS,
    Row("gemm_dtype", values=("fp8", "int8", "int4"), error="choose a GGUF file of that type instead (q8_0, q4_0 …)"),
    Row("gemm_dtype", note="the GGUF file decides the precision of its weights"),
    Row("kvcache_dtype", _both("f16"), ("fp16",)),
    Row("kvcache_dtype", _both("bf16"), ("bfloat16",)),
    Row("kvcache_dtype", _both("q8_0"), ("int8",)),
    Row("kvcache_dtype", _both("q4_0"), ("int4",)),
    Row("kvcache_dtype", error="llama.cpp has no KV cache of 8-bit floats; use int8, which is its q8_0"),
    Row("moe_dtype", note="the GGUF file decides the precision of its experts"),
    Row("kv_cache_bytes", {"--ctx-size": _context}),
    Row("max_model_len", {"max_model_len": VALUE}),
    Row("enforce_eager", values=(False,)),
    Row("max_num_batched_tokens", {"--batch-size": VALUE}),
    Row("max_num_seqs", {"--parallel": VALUE}),
    Row("prefix_caching", {"--cache-prompt": VALUE}),
    Row("disable_sliding_window", values=(False,)),
    Row("threads", {"--threads": VALUE}),
    Row("attention_backend", {"--flash-attn": VALUE}),
)

TABLE = NeutralTable(blocks=(quant_block(), MEMORY_BLOCK, SCHEDULING_BLOCK), rows=ROWS)

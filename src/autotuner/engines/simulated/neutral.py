"""How the tables of predictions name neutral settings."""

from __future__ import annotations

from autotuner.contracts.neutral import VALUE, NeutralTable, Row
from autotuner.engines.neutral import HARMLESS, SCHEDULING_BLOCK, layout, parallel_block, quant_block

PRESETS = {
    "single-gpu": layout(tp=1, pp=1, dp=1),
    "large-model-tp": layout(tp=8),
}

ROWS = (
    Row("tp", {"--tp": VALUE}),
    Row("pp", {"--pp": VALUE}),
    Row("dp", {"--dp": VALUE}),
    Row("ep", {"--moe-ep": VALUE}),
    Row("moe_tp", {"--moe-tp": VALUE}),
    *HARMLESS,
    Row("gemm_dtype", {"--gemm-quant": VALUE}, ("bfloat16", "fp8")),
    Row("kvcache_dtype", {"--kv-quant": "fp8"}, ("fp8", "fp8_e4m3", "fp8_e5m2")),
    Row("kvcache_dtype", {"--kv-quant": VALUE}, ("bfloat16", "int8")),
    Row("moe_dtype", note="the tables have one precision for all weights"),
    Row("max_num_batched_tokens", {"--max-num-batched-tokens": VALUE}),
    Row("max_num_seqs", {"--max-num-seqs": VALUE}),
)

TABLE = NeutralTable(blocks=(parallel_block(PRESETS), quant_block(), SCHEDULING_BLOCK), rows=ROWS)

"""How the engines write their metrics (Prometheus), for a pretended server that is read like one of them.

After the engines' sources: vLLM's v1/metrics/loggers.py (0.32), SGLang's observability/metrics_collector.py (0.5),
llama.cpp's server-context, which has no figure for its KV cache and leaves cached tokens out of the prompt tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

_VLLM = '{engine="0",model_name="{model}"}'
_SGLANG = '{engine_type="unified",model_name="{model}",pp_rank="0",tp_rank="0"}'
_SGLANG_TOTAL = '{model_name="{model}"}'

EXPOSITIONS: Mapping[str, Mapping[str, str]] = {
    "llamacpp": {
        "computed_tokens": "llamacpp:prompt_tokens_total",
        "cached_tokens": "llamacpp:prompt_tokens_cached_total",
        "generation_tokens": "llamacpp:tokens_predicted_total",
        "running": "llamacpp:requests_processing",
        "waiting": "llamacpp:requests_deferred",
    },
    "vllm": {
        "running": f"vllm:num_requests_running{_VLLM}",
        "waiting": f"vllm:num_requests_waiting{_VLLM}",
        "kv_usage": f"vllm:kv_cache_usage_perc{_VLLM}",
        "queried_tokens": f"vllm:prefix_cache_queries_total{_VLLM}",
        "cached_tokens": f"vllm:prefix_cache_hits_total{_VLLM}",
        "preemptions": f"vllm:num_preemptions_total{_VLLM}",
        "prompt_tokens": f"vllm:prompt_tokens_total{_VLLM}",
        "generation_tokens": f"vllm:generation_tokens_total{_VLLM}",
    },
    "sglang": {
        "running": f"sglang:num_running_reqs{_SGLANG}",
        "waiting": f"sglang:num_queue_reqs{_SGLANG}",
        "kv_usage": f"sglang:token_usage{_SGLANG}",
        "cache_hit_rate": f"sglang:cache_hit_rate{_SGLANG}",
        "preemptions": f"sglang:num_retracted_requests_total{_SGLANG}",
        "prompt_tokens": f"sglang:prompt_tokens_total{_SGLANG_TOTAL}",
        "generation_tokens": f"sglang:generation_tokens_total{_SGLANG_TOTAL}",
        "cached_tokens": f"sglang:cached_tokens_total{_SGLANG_TOTAL}",
        "requests": f"sglang:num_requests_total{_SGLANG_TOTAL}",
    },
}
"""By the engine's name: figure of the mock server → series; ``{model}`` stands for the served model's name."""

"""What the engines call their metrics (Prometheus). A server that somebody else runs may be any of them.

The names are those of the engines' sources: llama.cpp's server-context, vLLM's v1/metrics/loggers.py (0.32, 0.33; the
older names from before 0.11), SGLang's observability/metrics_collector.py (0.5), TensorRT-LLM's metrics/collector.py
(commit 050f80def8df; earlier ones have fewer). Counters are shown with ``_total``.
"""

from __future__ import annotations

from autotuner.contracts.server_metrics import MetricNames

LLAMACPP = MetricNames(
    running=(("llamacpp:requests_processing",),),
    waiting=(("llamacpp:requests_deferred",),),
    kv_cache_use=(("llamacpp:kv_cache_usage_ratio",),),
    prefix_hits=(("llamacpp:prompt_tokens_cached_total",),),
    # Its counter of prompt tokens leaves the cached ones out; versions that do not count those tell no total.
    prefix_queries=(("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),),
    prompt_tokens=(("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),),
    generation_tokens=(("llamacpp:tokens_predicted_total",),),
)

VLLM = MetricNames(
    running=(("vllm:num_requests_running",),),
    waiting=(("vllm:num_requests_waiting",),),
    kv_cache_use=(("vllm:kv_cache_usage_perc",), ("vllm:gpu_cache_usage_perc",)),
    preemptions=(("vllm:num_preemptions_total",),),
    prefix_hits=(("vllm:prefix_cache_hits_total",), ("vllm:gpu_prefix_cache_hits_total",)),
    prefix_queries=(("vllm:prefix_cache_queries_total",), ("vllm:gpu_prefix_cache_queries_total",)),
    prompt_tokens=(("vllm:prompt_tokens_total",),),
    generation_tokens=(("vllm:generation_tokens_total",),),
)

SGLANG = MetricNames(
    running=(("sglang:num_running_reqs",),),
    waiting=(("sglang:num_queue_reqs",),),
    kv_cache_use=(("sglang:token_usage",),),
    preemptions=(("sglang:num_retracted_requests_total",),),
    prefix_hits=(("sglang:cached_tokens_total",),),
    prefix_queries=(("sglang:prompt_tokens_total",),),
    prompt_tokens=(("sglang:prompt_tokens_total",),),
    generation_tokens=(("sglang:generation_tokens_total",),),
    # With --enable-metrics-for-all-schedulers each rank tells of the same requests; dp_rank numbers different ones.
    copies=("tp_rank", "pp_rank", "moe_ep_rank"),
)

TENSORRT_LLM = MetricNames(
    running=(("trtllm_num_requests_running",),),
    waiting=(("trtllm_num_requests_waiting",),),
    kv_cache_use=(("trtllm_kv_cache_utilization",),),
    prefix_hits=(("trtllm_prompt_cached_tokens_total",),),
    prefix_queries=(("trtllm_prompt_tokens_total",),),
    prompt_tokens=(("trtllm_prompt_tokens_total",),),
    generation_tokens=(("trtllm_generation_tokens_total",),),
)

METRIC_NAMES = (LLAMACPP, VLLM, SGLANG, TENSORRT_LLM)
"""All of them, for ``ServerFacts.metric_names``."""

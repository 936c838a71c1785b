"""Requests that name an engine, as examples for interfaces."""

from __future__ import annotations

from pydantic import JsonValue

TINY_CONTEXT: dict[str, JsonValue] = {
    "model_name": "tiny",
    "base_runtime": "llamacpp",
    "profiles": ["quick-test"],
}
"""A first try on any machine."""

GPU_CONTEXT: dict[str, JsonValue] = {
    "model_name": "Qwen/Qwen3-0.6B",
    "base_runtime": "vllm",
    "deployment_mode": "local",
    "profiles": ["low-latency", "production"],
    "total_gpus": 2,
    "gpu_type": "h200_sxm",
}
"""Chat on two GPUs, before a launch."""

GPU_PARAMETERS: dict[str, JsonValue] = {
    "base_runtime": "vllm",
    "parameters": {"tp": [1, 2], "max-num-seqs": [64, 256]},
}
"""Parameters of an engine on GPUs."""

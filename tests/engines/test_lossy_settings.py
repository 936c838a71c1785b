"""Whatever may make answers worse brings the quality guard along, however it is written."""

from __future__ import annotations

from typing import Any

import pytest

from autotuner.contracts.quality import PromptSet
from autotuner.engines.catalogues.shelf import Shelf
from engine_plans import plan

PROMPTS = PromptSet(sha256="s", prompts=3, longest_request=9000)


@pytest.mark.parametrize(
    ("engine", "blocks", "names"),
    [
        ("vllm", {"parameters": {"kv-cache-dtype": ["auto", "fp8"]}}, "kv-cache-dtype"),
        ("vllm", {"quant_config": {"presets": ["default", "kv-cache-fp8"]}}, "quant_config.presets"),
        ("vllm", {"quant_config": {"kvcache_dtype": ["auto", "fp8_e5m2"]}}, "quant_config.kvcache_dtype"),
        ("sglang", {"parameters": {"gemm_dtype": ["auto", "fp8"]}}, "gemm_dtype"),
        ("sglang", {"parameters": {"quantization": ["fp8"]}}, "quantization"),
        ("tensorrt-llm", {"parameters": {"kv_cache_dtype": ["auto", "fp8"]}}, "kv_cache_dtype"),
        (
            "vllm",
            {"optimization": {"references": [{"label": "x", "parameters": {"__quant__kvcache_dtype": "fp8_e5m2"}}]}},
            "__quant__kvcache_dtype",
        ),
    ],
)
def test_what_may_change_answers_is_guarded(engine: str, blocks: dict[str, Any], names: str) -> None:
    made = plan(engine, prompts=PROMPTS, **blocks)
    assert made.quality is not None
    assert made.quality_reason == f"{names} may change them"
    assert made.resolver.context.longest_request == PROMPTS.longest_request


@pytest.mark.parametrize(
    "blocks",
    [
        {"parameters": {"max-num-seqs": [8, 16]}},
        {"parallel_config": {"tp": [1, 2]}},
        {"quant_config": {"kvcache_dtype": "fp8_e5m2"}, "parameters": {"max-num-seqs": [8, 16]}},
    ],
)
def test_what_is_the_same_everywhere_or_changes_none_is_not(blocks: dict[str, Any]) -> None:
    made = plan("vllm", prompts=PROMPTS, **blocks)
    assert made.quality is None
    assert made.quality_reason == "nothing that is searched may change them"
    assert made.estimate.answers_s == 0
    assert made.resolver.context.longest_request < PROMPTS.longest_request


@pytest.mark.parametrize(
    ("engine", "version", "flag"),
    [
        ("vllm", "0.33.0", "--kv-cache-dtype"),
        ("vllm", "0.32.0", "--quantization"),
        ("sglang", None, "--kv-cache-dtype"),
        ("tensorrt-llm", None, "--kv_cache_dtype"),
        ("llamacpp", None, "--cache-type-k"),
    ],
)
def test_catalogues_know_what_is_lossy(engine: str, version: str | None, flag: str) -> None:
    catalogue = Shelf().get(engine, version)
    found = catalogue.find(flag)
    assert found is not None
    assert found.lossy
    assert sum(parameter.lossy for parameter in catalogue.parameters) < len(catalogue.parameters) / 5

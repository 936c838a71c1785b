"""What log patterns and metric names rest on stands in the sources of the releases that the catalogues are of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autotuner.contracts.server_metrics import MetricNames
from autotuner.engines.catalogue_source.__main__ import CACHE
from autotuner.engines.catalogue_source.wheels import WHEELS, OpenWheel, WheelError, wheel
from autotuner.engines.metric_names import SGLANG, VLLM

pytestmark = pytest.mark.slow

WHEEL_FOLDER = Path(os.environ.get("AUTOTUNER_TEST_WHEELS", CACHE))
RELEASES = [(engine, version) for engine, versions in WHEELS.items() for version in versions]

WORDS: dict[str, dict[str, list[str]]] = {
    "sglang": {
        "sglang/srt/model_executor/pool_configurator.py": ["Not enough memory. Please try to increase --mem-fraction"],
        "sglang/srt/distributed/bootstrap.py": [
            "The memory capacity is unbalanced. Some GPUs may be occupied by other processes"
        ],
        "sglang/srt/mem_cache/allocation.py": [
            "Prefill out of memory. Try to lower your batch size",
            "Decode out of memory. Try to lower your batch size",
            "alloc_req_slots runs out of memory",
        ],
        "sglang/srt/managers/scheduler.py": ["Scheduler hit an exception: "],
        "sglang/srt/entrypoints/engine.py": [
            "Received sigquit from a child process",
            "Rank {rank} scheduler died during initialization",
            "_port {bootstrap_port} is already in use",
        ],
        "sglang/srt/server_args.py": ["Port is already in use. "],
        "sglang/srt/models/registry.py": [" are not supported for now", "Model architectures {architectures} failed"],
        "sglang/srt/utils/watchdog.py": ['f"with exit code {proc.exitcode}'],
        "sglang/srt/entrypoints/http_server.py": ['"/server_info"', '"/flush_cache"', '"version": __version__'],
    },
    "vllm": {
        "vllm/v1/core/kv_cache_utils.py vllm/v1/core/kv_cache_planning.py": [
            "No available memory for the cache blocks",
            "cache is needed, which is larger than the available KV cache",
        ],
        "vllm/v1/worker/utils.py": ["No common block size for", "is less than desired GPU memory utilization"],
        "vllm/v1/engine/core.py": ["EngineCore encountered a"],
        "vllm/v1/engine/utils.py": ["Engine core initialization failed"],
        "vllm/model_executor/models/registry.py": ["are not supported for now"],
        "vllm/config/parallel.py": ["elif dcp not in (1, pcp, tp * pcp)", "if tp % dcp != 0"],
        "vllm/config/model.py": ["if tensor_parallel_size <= total_num_kv_heads", "num_q_per_kv % decode_context"],
        "vllm/v1/worker/gpu/pcp_manager.py": ["MRV2 PCP currently supports MLA models only"],
    },
}
"""By engine and file (or several: it moved): parts of format strings, and what rules rest on."""

METRICS: dict[str, tuple[str, MetricNames]] = {
    "sglang": ("sglang/srt/observability/metrics_collector.py", SGLANG),
    "vllm": ("vllm/v1/metrics/loggers.py", VLLM),
}
OLD = ("vllm:gpu_",)
"""Beginnings of names that only earlier releases have."""


def opened(engine: str, version: str) -> OpenWheel:
    try:
        return wheel(WHEELS[engine][version], WHEEL_FOLDER)
    except WheelError as error:
        pytest.skip(f"without its package: {error}")


@pytest.mark.parametrize(("engine", "version"), RELEASES)
def test_the_words_are_those_of_the_release(engine: str, version: str) -> None:
    package = opened(engine, version)
    for files, words in WORDS[engine].items():
        text = "".join(package.text(file) or "" for file in files.split())
        assert text, files
        assert [word for word in words if word not in text] == [], files


@pytest.mark.parametrize(("engine", "version"), RELEASES)
def test_the_metrics_are_those_of_the_release(engine: str, version: str) -> None:
    file, names = METRICS[engine]
    text = opened(engine, version).text(file)
    assert text is not None
    sums = (names.running, names.waiting, names.kv_cache_use, names.preemptions, names.prefix_hits)
    sums += (names.prefix_queries, names.prompt_tokens, names.generation_tokens)
    asked = {name for ways in sums for summands in ways for name in summands if not name.startswith(OLD)}
    assert len(asked) >= 7
    missing = {name for name in asked if f'"{name}"' not in text and f'"{name.removesuffix("_total")}"' not in text}
    assert missing == set()

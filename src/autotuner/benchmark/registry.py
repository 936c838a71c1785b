"""The benchmark clients by name."""

from __future__ import annotations

from collections.abc import Callable

from autotuner.contracts.client import BenchmarkClient
from autotuner.contracts.registry import Registry

CLIENTS: Registry[Callable[[], BenchmarkClient]] = Registry(
    kind="benchmark client",
    group="autotuner.clients",
    place="benchmark.engine",
    built_in={
        "builtin": "autotuner.benchmark.builtin.client:BuiltinClient",
        "guidellm": "autotuner.benchmark.guidellm.client:GuidellmClient",
        "genai-bench": "autotuner.benchmark.genai_bench.client:GenaiBenchClient",
    },
    preferred="builtin",
)

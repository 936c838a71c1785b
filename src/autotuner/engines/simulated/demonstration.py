"""What `autotuner demo` runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autotuner.engines.simulated.catalogue import CATALOGUE

DOCUMENT: Mapping[str, Any] = {
    "task_name": "demo",
    "description": "Which layout and limits serve Qwen3-32B best on 8 × H200? Predicted figures, nothing is started.",
    "base_runtime": "simulated",
    "model": {"id_or_path": "Qwen/Qwen3-32B"},
    "simulation": {"surface": "qwen3_32b_h200", "backend": "vllm", "isl": 4000, "osl": 500, "noise": 0.02},
    "parameters": {p.name: list(p.commonly_tuned) for p in CATALOGUE.parameters if p.commonly_tuned},
    "system_config": {"gpu_type": "h200_sxm", "total_gpus": 8},
    "optimization": {"objective": "maximize_throughput", "max_iterations": 40, "confirm": {"top_k": 2, "starts": 5}},
    "benchmark": {"traffic_scenarios": ["D(4000,500)"], "num_concurrency": [256], "max_time_per_iteration": 60},
    "slo": {
        "ttft": {"threshold": 2.0, "hard_fail": True, "fail_ratio": 0.0},
        "tpot": {"threshold": 0.05, "hard_fail": True, "fail_ratio": 0.0},
    },
}

"""Tasks on recorded grids: every configuration of a real server, measured once and kept in a file.

`autotuner report --format grid` makes such a file of a task with the strategy grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autotuner.contracts.values import Configuration
from autotuner.services.grid_files import load_grid
from searching.landscape import Point, Task, make_task

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Recording:
    """A file, and what was tuned: limits (metric → seconds), its engine's defaults, requests in flight."""

    name: str
    path: Path
    limits: Mapping[str, float]
    default: Configuration
    load: float


RECORDINGS = (
    Recording(
        "llamacpp/quickstart",
        ROOT / "examples" / "quickstart" / "grid.json",
        {"p90_ttft": 0.4, "mean_tpot": 0.0045},
        {"__model__file": "tiny:f16", "n_parallel": 1, "n_batch": 2048, "cache_type": "f16", "kv_unified": False},
        16,
    ),
    Recording(
        "llamacpp/slots",
        ROOT / "tests" / "data" / "grids" / "llamacpp_slots.json",
        {"p90_ttft": 0.4, "mean_tpot": 0.0045},
        {
            "__model__file": "tiny:f16",
            "n_parallel": 1,
            "n_batch": 2048,
            "n_ubatch": 512,
            "cache_type": "f16",
            "flash_attn": "on",
        },
        24,
    ),
)


def names() -> list[str]:
    """Of those whose file is there."""
    return [recording.name for recording in RECORDINGS if recording.path.is_file()]


def tasks(wanted: Sequence[str]) -> Iterator[Task]:
    """Those of the names."""
    return (recorded_task(recording) for recording in RECORDINGS if recording.name in wanted)


def recorded_task(recording: Recording) -> Task:
    """One of them."""
    grid = load_grid(str(recording.path))
    if grid.direction != "maximize":
        raise ValueError(f"{recording.path}: only what is maximised can be a task")
    points = [
        Point(
            point.parameters,
            point.score,
            {} if point.score is None else {name: point.metrics.get(name, math.nan) for name in recording.limits},
        )
        for point in grid.points
    ]
    return make_task(
        recording.name,
        "llama.cpp",
        points,
        recording.limits,
        recording.default,
        settings={"seqs": "n_parallel"},
        load=recording.load,
    )

"""The default strategy is not allowed to get worse: a small part of benchmarks/search.py with fixed seeds.

Neither the table nor the grid is one that hyper-parameters may be chosen on.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from statistics import median

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SEEDS = range(1, 6)
BUDGET = 25
"""Experiments after which a search counts as one that needs more than that."""


@pytest.mark.parametrize(
    ("task", "most", "beaten"),
    [
        pytest.param("llama31_70b_h100/vllm/4000-500", 22, True, id="predicted", marks=pytest.mark.slow),
        # 6 of 180 are near the best, and random search is lucky with these seeds (8, 8, 15, 2, 15).
        pytest.param("llamacpp/quickstart", 14, False, id="recorded"),
    ],
)
def test_few_experiments_suffice(task: str, most: int, beaten: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """``most``: the median of experiments to within 5 % of the best feasible value, some more than measured.

    ``beaten``: whether random search needs more.
    """
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    running, tasks = (importlib.import_module(f"searching.{name}") for name in ("running", "tasks"))
    plain = importlib.import_module("searching.conditions").CONDITIONS["plain"]
    loaded = tasks.load_task(Path("/nonexistent"), task)

    def needed(strategy: str) -> list[int]:
        runs = [running.search(strategy, loaded, plain, seed, budget=BUDGET).steps for seed in SEEDS]
        near = [[number for number, step in enumerate(steps, 1) if step.share >= 0.95] for steps in runs]
        return [min(numbers, default=BUDGET + 1) for numbers in near]

    ours = median(needed("bayesian"))
    assert ours <= most
    assert not beaten or ours < median(needed("random"))

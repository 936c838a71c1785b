"""Figures per GPU are made through the GPUs of each configuration."""

from __future__ import annotations

import pytest

from autotuner.coordinator.scorer import Scorer
from autotuner.scoring.verdict import Verdict
from conformance.fake_parts import measurement
from engine_plans import plan


def test_661_per_gpu_on_two_beat_385_on_four() -> None:
    made = plan("vllm", gpus=8, parallel_config={"tp": [2, 4]}, optimization={"objective": "maximize_throughput"})
    scorer = Scorer(made.document, scored_at=made.scored_at, gpu_count=made.gpu_count, gpus=made.resolver.gpus)
    (point,) = [point for point in made.workload.load_points if point.name in made.scored_at]
    scores = []
    for tp, total in ((2, 1322.0), (4, 1538.0)):
        taken = measurement(point, throughput=total)
        metrics = scorer.metrics([taken], configuration={"__parallel__tp": tp})
        scorer.settle(metrics, None)
        verdict = scorer.judge(metrics)
        assert isinstance(verdict, Verdict)
        scores.append(verdict.objective_scores[0])
    assert scores == [pytest.approx(661), pytest.approx(384.5)]

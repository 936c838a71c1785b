"""From the measurements of a start to metrics and a verdict, by the rules of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.search import Direction
from autotuner.coordinator.ledger import Ledger
from autotuner.metrics.aggregate import aggregate
from autotuner.scoring.answers import answer_metrics, guarded, missing
from autotuner.scoring.figures import Missing
from autotuner.scoring.objectives import (
    LATENCY,
    PER_GPU,
    TOTAL,
    Objective,
    directions,
    make_objectives,
    throughput_metric,
)
from autotuner.scoring.slo import SloSet, request_limits, slo_set
from autotuner.scoring.verdict import Verdict, judge, judge_starts

_METRICS = {"ttft": "ttft", "tpot": "tpot", "latency": "e2e"}


class Scorer:
    """Scores the starts of one task.

    The figure that stands for throughput is settled by the first success and then kept (``settle``), so figures of
    different kinds are never compared. AutotunerError(CONTRADICTION) for objectives that can never be scored, such as
    a cost without a number of GPUs.
    """

    def __init__(self, document: TaskDocument, *, scored_at: Sequence[str], gpu_count: int | None) -> None:
        self._document = document
        self._scored_at = tuple(scored_at)
        self._gpu_count = gpu_count
        self._settled = False
        self._given_slo = slo_set(document.slo.model_dump(mode="json", exclude_none=True))
        self.slo: SloSet = self._given_slo
        self.directions: tuple[Direction, ...] = directions(document.optimization.objectives)
        figure = PER_GPU if gpu_count else TOTAL
        # Before anything was measured only labels and units are read, so any baseline will do.
        self.objectives: tuple[Objective, ...] = self._make(figure, {LATENCY: 1.0, figure: 1.0})

    @property
    def request_limits(self) -> dict[str, float]:
        """Limits that make one request good, seconds."""
        return request_limits(self.slo)

    @property
    def needs_baseline(self) -> bool:
        """Whether nothing can be scored without the baseline's figures."""
        return "balanced" in self._document.optimization.objectives

    def settle(self, first: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> str | None:
        """Fix the objectives from the metrics of the first success and of the baseline; a warning, if any.

        AutotunerError: NO_RESULT when the success has no throughput at all, CONTRADICTION for the objective balanced
        without a baseline that ran.
        """
        if self._settled:
            return None
        metric, warning = throughput_metric(first)
        self.objectives = self._make(metric, baseline)
        self._settled = True
        relevant = any(metric in objective.needs for objective in self.objectives)
        return warning if relevant and self._gpu_count else None

    def settle_from(self, ledger: Ledger) -> str | None:
        """Fix the objectives from what is stored, if that suffices, and the limits on answers; a warning, if any."""
        self.guard(ledger.baseline_answers)
        first, baseline = ledger.first_metrics(), ledger.baseline_metrics
        if first is None or (self.needs_baseline and baseline is None):
            return None
        return self.settle(first, baseline)

    def guard(self, baseline: JudgedAnswers | None) -> None:
        """Hold the document's limits on answers from now on, as far as the baseline's answers allow."""
        limit = self._document.quality.limit
        if limit is not None:
            self.slo = guarded(self._given_slo, baseline, agreement=limit.agreement, distance=limit.distance)

    def unjudged(self, metrics: Mapping[str, Any]) -> bool:
        """Whether a figure of answers is missing that has a limit."""
        return missing(self.slo, metrics)

    def metrics(
        self,
        measurements: Sequence[Measurement],
        inherited: AbstractSet[tuple[str, int]] = frozenset(),
        answers: JudgedAnswers | None = None,
    ) -> dict[str, Any]:
        """Aggregated metrics of one start. ``inherited``: load point and repeat of what another start measured.

        ``answers``: what the quality guard found of the configuration.
        """
        asked: dict[str, set[str]] = {}
        for rule in self.slo.rules:
            if rule.metric != "error_rate" and rule.statistic != "mean":
                asked.setdefault(_METRICS[rule.metric], set()).add(rule.statistic)
        asked.setdefault("ttft", set()).update({"p50", "p90", "p99"})
        asked.setdefault("tpot", set()).update({"p50", "p90", "p99"})
        made = aggregate(
            measurements,
            scored=self._scored_at,
            gpu_count=self._gpu_count,
            percentiles=asked,
            other_start=inherited,
        )
        if answers is not None and answers.figures is not None:
            for flat in (made, *made["scenarios"]):  # the load does not change them
                flat.update(answer_metrics(answers.figures))
        return made

    def judge(self, metrics: Mapping[str, Any]) -> Verdict | Missing:
        """The verdict on one start; ``Missing`` is a failure."""
        return judge(metrics, self.objectives, self.slo)

    def judge_starts(self, starts: Sequence[Mapping[str, Any]]) -> Verdict | Missing:
        """The verdict over several starts: scores averaged, SLOs by the worst."""
        return judge_starts(starts, self.objectives, self.slo)

    def _make(self, metric: str, baseline: Mapping[str, Any] | None) -> tuple[Objective, ...]:
        optimization = self._document.optimization
        return make_objectives(
            optimization.objectives,
            throughput_metric=metric,
            baseline_metrics=baseline,
            balance=optimization.balance.model_dump(),
            price_per_gpu_hour=optimization.price_per_gpu_hour,
            gpu_count=self._gpu_count,
        )

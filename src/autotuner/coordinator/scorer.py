"""From the measurements of a start to metrics and a verdict, by the rules of one task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from autotuner.config.document import TaskDocument
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.load_search import LoadLimit
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.search import Direction
from autotuner.contracts.values import Configuration
from autotuner.contracts.workload import Workload
from autotuner.coordinator.found_load import found_load
from autotuner.coordinator.ledger import Ledger
from autotuner.metrics.aggregate import aggregate
from autotuner.planning.plan import Plan
from autotuner.scoring.answers import answer_metrics, guarded, missing
from autotuner.scoring.figures import Missing
from autotuner.scoring.load_search import load_limits
from autotuner.scoring.objectives import (
    ENERGY,
    LATENCY,
    PER_GPU,
    TOTAL,
    Objective,
    directions,
    make_objectives,
    throughput_metric,
)
from autotuner.scoring.slo import SloSet, asked_percentiles, request_limits, slo_set
from autotuner.scoring.verdict import Verdict, judge, judge_starts


class Scorer:
    """Scores the starts of one task.

    The figure that stands for throughput is settled by the first success and then kept (``settle``), so figures of
    different kinds are never compared. AutotunerError(CONTRADICTION) for objectives that can never be scored, such as
    a cost without a number of GPUs. ``gpu_count``: all that may be used. ``gpus``: those that a configuration takes,
    through which its figures per GPU are made; None: all. ``workload_of``: what a configuration is measured with; None:
    as it stands in the document, without a search for a load.
    """

    def __init__(
        self,
        document: TaskDocument,
        *,
        scored_at: Sequence[str],
        gpu_count: int | None,
        gpus: Callable[[Configuration], int | None] | None = None,
        workload_of: Callable[[Configuration], Workload] | None = None,
    ) -> None:
        self._document = document
        self._scored_at = tuple(scored_at)
        self._gpu_count = gpu_count
        self._gpus = gpus
        self._workload_of = workload_of
        self._settled = False
        self._given_slo = slo_set(document.slo.model_dump(mode="json", exclude_none=True))
        self.slo: SloSet = self._given_slo
        self.directions: tuple[Direction, ...] = directions(document.optimization.objectives)
        figure = PER_GPU if gpu_count else TOTAL
        # Before anything was measured only labels and units are read, so any baseline will do.
        self.objectives: tuple[Objective, ...] = self._make(figure, {LATENCY: 1.0, figure: 1.0})

    @classmethod
    def of(cls, plan: Plan) -> Scorer:
        """The scorer of a plan."""
        return cls(
            plan.document,
            scored_at=plan.scored_at,
            gpu_count=plan.gpu_count,
            gpus=plan.resolver.gpus,
            workload_of=plan.workload_of,
        )

    @property
    def load_limits(self) -> tuple[LoadLimit, ...]:
        """What a load must meet, for a search for the highest one that does."""
        return load_limits(self.slo)

    @property
    def scored_at(self) -> tuple[str, ...]:
        """Names of the load points whose figures are scored."""
        return self._scored_at

    def covers(self, metrics: Mapping[str, Any]) -> bool:
        """Whether they are figures of all scored load points."""
        return tuple(metrics.get("scored_load_points", ())) == self._scored_at

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
        without a baseline that ran, UNSUPPORTED for minimize_energy where no energy was measured.
        """
        if self._settled:
            return None
        _check_energy(self.objectives, first)
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
        *,
        configuration: Configuration,
        pruned: bool = False,
        answers: JudgedAnswers | None = None,
    ) -> dict[str, Any]:
        """Aggregated metrics of one start of a configuration.

        ``inherited``: load point and repeat of what another start measured. Of a start that was ``pruned`` they are of
        those scored load points that it has. ``answers``: what the quality guard found of the configuration.
        """
        taken = {measurement.load_point for measurement in measurements}
        scored = tuple(name for name in self._scored_at if name in taken) if pruned else self._scored_at
        asked = asked_percentiles(self.slo)
        asked.setdefault("ttft", set()).update({"p50", "p90", "p99"})
        asked.setdefault("tpot", set()).update({"p50", "p90", "p99"})
        gpus = self._gpu_count if self._gpus is None else self._gpus(configuration)
        workload = None if self._workload_of is None else self._workload_of(configuration)
        load = None if workload is None else found_load(measurements, workload, self.load_limits)
        figures = aggregate(
            measurements,
            scored=scored,
            gpu_count=gpus,
            percentiles=asked,
            other_start=inherited,
            at_load=None if load is None else load.at,
        )
        if answers is not None and answers.figures is not None:
            for flat in (figures, *figures["scenarios"]):  # the load does not change them
                flat.update(answer_metrics(answers.figures))
        return figures if load is None else load.into(figures, gpus)

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


def _check_energy(objectives: Sequence[Objective], first: Mapping[str, Any]) -> None:
    """One start tells for all of them whether energy is measured here."""
    asked = next((objective for objective in objectives if ENERGY in objective.needs), None)
    if asked is None or asked.value(first) is not None:
        return
    raise AutotunerError(
        ErrorCode.UNSUPPORTED,
        f"the objective {asked.name} needs the energy of GPUs, which was not measured",
        why="the first start succeeded, and no GPU that its server used told its power",
        remedy="Run the server on NVIDIA GPUs of this host whose driver tells their power, or choose another objective",
        place="optimization.objective",
    )

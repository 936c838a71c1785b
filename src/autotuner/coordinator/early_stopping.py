"""What is at stake when a configuration is measured, from where the task stands; and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autotuner.contracts.stopping import Pace, Precision, SloStake, StopFigure, StopRules, ToBeat
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.starts import Start
from autotuner.coordinator.verdicts import verdict_on
from autotuner.coordinator.window_noise import COURSE_OF
from autotuner.scoring.objectives import LATENCY, PER_GPU, TOTAL, Objective
from autotuner.scoring.pruning import Ahead, ahead
from autotuner.scoring.verdict import Verdict

MIN_S = 0.5
MIN_SHARE = 0.1
"""No window ends before this share of its length."""

_FIGURES: dict[str, StopFigure] = {
    PER_GPU: "total_throughput",
    TOTAL: "total_throughput",
    "mean_output_throughput": "output_throughput",
    "goodput": "goodput",
    LATENCY: "e2e",
    "mean_ttft": "ttft",
    "mean_tpot": "tpot",
}


async def stop_rules(run: Run) -> StopRules | None:
    """The rules for the next start of a searched configuration; None when all of it is to be measured."""
    plan, scorer = run.plan, run.scorer
    if not _may_stop(run):
        return None
    best = run.standing.best()
    verdict = None if best is None else verdict_on(run.ledger.experiments[best], scorer)
    return StopRules(
        slo=_stakes(scorer),
        scored=plan.scored_at,
        to_beat=None if best is None or verdict is None else await _to_beat(run, best, verdict),
        load_kept=verdict is not None and verdict.met_for_load,
        figures=_figures(scorer.objectives),
        precision=await _precision(run, None),
        min_s=_min_s(run),
    )


async def precise_rules(run: Run, before: int | None = None) -> StopRules | None:
    """The rules for a start that others are compared with; None when all of it is to be measured.

    No verdict cuts it off: its windows only end once they are precise enough. ``before``: its round in a confirmation.
    """
    precision = await _precision(run, before) if _may_stop(run) else None
    if precision is None:
        return None
    return StopRules(
        judged=False,
        slo=_stakes(run.scorer),
        scored=run.plan.scored_at,
        precision=precision,
        min_s=_min_s(run),
    )


def _may_stop(run: Run) -> bool:
    names = {point.name for point in run.plan.workload.load_points}
    return run.plan.document.optimization.early_stop and set(run.plan.scored_at) <= names


def _min_s(run: Run) -> float:
    return max(MIN_S, MIN_SHARE * run.plan.workload.limits.window_s)


def _stakes(scorer: Scorer) -> tuple[SloStake, ...]:
    return tuple(
        SloStake(
            metric=metric,
            statistic=rule.statistic,
            threshold=rule.threshold,
            hard_fail=rule.hard_fail,
            fail_ratio=rule.fail_ratio,
        )
        for rule in scorer.slo.rules
        if (metric := rule.load_metric) is not None
    )


async def _precision(run: Run, before: int | None) -> Precision | None:
    """By the noise of the task, where one throughput under one load in a closed loop decides.

    In an open loop the throughput is what was sent; other figures have no course by which their noise could be known.
    """
    plan, figures = run.plan, _figures(run.scorer.objectives)
    closed = {point.name for point in plan.workload.load_points if point.concurrency is not None}
    if len(run.scorer.objectives) > 1 or len(plan.scored_at) > 1 or not set(plan.scored_at) <= closed:
        return None
    if len(figures) != 1 or figures[0] not in COURSE_OF:
        return None
    return await run.noise.precision(figures[0], before)


def _figure_to_beat(best: int, verdict: Verdict, scorer: Scorer, gpus: int | None) -> ToBeat | None:
    """The figure behind the best penalised score, where one figure of one load point decides.

    A penalty only makes a score worse, so a configuration must reach this without any.
    """
    if len(scorer.objectives) > 1 or len(verdict.penalised) > 1:
        return None
    objective, score = scorer.objectives[0], verdict.penalised[0]
    if objective.name == "balanced" or len(scorer.scored_at) > 1 or score <= 0:
        return None
    name = objective.needs[0]
    figure = _FIGURES.get(name)
    if figure is None:
        return None
    value = score
    if objective.name == "minimize_cost":
        of_one = objective.formula([1.0])
        if of_one is None:
            return None
        value = of_one / score  # the cost falls as the throughput rises
    if PER_GPU in objective.needs:
        value *= gpus or 1
    return ToBeat(who=f"experiment {best}", figure=figure, value=value)


async def _to_beat(run: Run, best: int, verdict: Verdict) -> ToBeat | None:
    """The best so far, with the pace of its window as far as it is stored."""
    found = _figure_to_beat(best, verdict, run.scorer, run.plan.gpu_count)
    if found is None or found.figure != "total_throughput":
        return found
    experiment = run.ledger.experiments[best]
    attempt = run.ledger.scoring_attempt(experiment)
    for row in await run.store.list_measurements(run.task_id, experiment_id=experiment.id):
        own = row.measurement
        if (
            (attempt is None or row.attempt_id == attempt.id)
            and own.load_point in run.plan.scored_at
            and own.slice_s is not None
            and own.total_throughput > 0
        ):
            share = found.value / own.total_throughput
            return found.model_copy(update={"pace": Pace(slice_s=own.slice_s, tokens=own.slice_tokens, share=share)})
    return found


def _figures(objectives: tuple[Objective, ...]) -> tuple[StopFigure, ...]:
    """What the scores are made of; empty when one of it is not known while a window runs."""
    needed = [_FIGURES.get(name) for objective in objectives for name in objective.needs]
    return tuple(dict.fromkeys(figure for figure in needed if figure is not None)) if None not in needed else ()


def ahead_of(start: Start) -> Ahead:
    """What a start left unmeasured, and why."""
    return Ahead(()) if start.attempt.job is None else ahead(start.attempt.job, start.measurements)


def with_savings(metrics: Mapping[str, Any], start: Start, found: Ahead) -> dict[str, Any]:
    """The metrics of a start, with what was not measured, why, and the time that it saved."""
    job = start.attempt.job
    if job is None or job.stop is None:
        return dict(metrics)
    taken = {(m.load_point, m.repeat) for m in start.measurements}
    left = [point.name for point, repeat in job.places() if (point.name, repeat) not in taken]
    return {
        **metrics,
        "saved_s": metrics["saved_s"] + len(left) * job.workload.limits.window_s,
        "pruned": found.pruned,
        "not_measured": {name: found.skipped.get(name) or found.pruned for name in dict.fromkeys(left)},
    }

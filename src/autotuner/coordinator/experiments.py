"""One experiment: start servers until it is measured or condemned, and store what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from autotuner.contracts.attempt import AttemptReason, AttemptStatus, Failure, FailureClass
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.search import Observation, Outcome, OutcomeKind
from autotuner.contracts.store import (
    AttemptRow,
    EventType,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    NewEvent,
)
from autotuner.contracts.values import Configuration
from autotuner.coordinator.early_stopping import ahead_of, precise_rules, stop_rules, with_savings
from autotuner.coordinator.ledger import FINISHED, MEASURED, duration
from autotuner.coordinator.reopening import failed_rounds
from autotuner.coordinator.retry_policy import NOT_OF_THE_CONFIGURATION, Decision, decide
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.starts import Start
from autotuner.coordinator.summaries import summarise, without_bulk
from autotuner.scoring.figures import Missing
from autotuner.scoring.slo import SloResult
from autotuner.scoring.verdict import Verdict


async def add(
    run: Run, origin: ExperimentOrigin, configuration: Configuration, label: str | None = None
) -> ExperimentRecord:
    """The experiment of a configuration: the one that is there, else a new one, pending."""
    identity = run.plan.space.identity(configuration)
    known = run.ledger.by_identity(identity)
    if known is not None:
        return known
    made = await run.store.add_experiment(
        run.task_id, origin=origin, parameters=configuration, identity=identity, label=label
    )
    run.ledger.put_experiment(made)
    return made


async def measure(run: Run, experiment: ExperimentRecord) -> ExperimentRecord:
    """Bring an experiment to its end; a finished one is returned as it is.

    One that was measured already, by a run that ended before it could store the outcome, is not started again.
    AutotunerError(NO_RESULT) when the first experiments of the task have all failed the same way.
    """
    if experiment.status in FINISHED:
        return experiment
    attempt = run.ledger.scoring_attempt(experiment)
    if attempt is not None:
        start = Start(attempt, run.ledger.figures(attempt), None)
    else:
        start = await _start(run, experiment)
    stored = await _store_outcome(run, experiment, start)
    run.watch.show()
    run.observer.on_start_finished(summarise(stored, run.ledger), start.attempt.reason)
    _fail_fast(run)
    return stored


def outcome(experiment: ExperimentRecord, scorer: Scorer) -> Outcome:
    """What a finished experiment teaches. Scores are the penalised ones: by those configurations are ordered."""
    if experiment.status in MEASURED and experiment.metrics is not None:
        verdict = scorer.judge(experiment.metrics)
        if isinstance(verdict, Verdict) and scorer.covers(experiment.metrics):
            return Outcome(OutcomeKind.MEASURED, verdict.penalised, verdict.margins, (observed(verdict),))
        if isinstance(verdict, Verdict):  # a score of some of the scenarios compares with none
            return Outcome(OutcomeKind.INFEASIBLE, constraints=verdict.margins)
    if experiment.status is ExperimentStatus.CANCELLED:
        return Outcome(OutcomeKind.VOID)
    if experiment.failure is not None and experiment.failure.kind in NOT_OF_THE_CONFIGURATION:
        return Outcome(OutcomeKind.VOID)
    return Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0})


def observed(verdict: Verdict) -> Observation:
    """The figures behind a verdict: scores without penalties, and how each limit was kept."""
    return Observation(verdict.objective_scores, {result.rule.figure: _ratio(result) for result in verdict.slo})


def _ratio(result: SloResult) -> float:
    """Figure / threshold; of a threshold of zero 0 when it is met, else as much as counts."""
    if result.rule.threshold > 0:
        return result.actual / result.rule.threshold
    return 0.0 if result.met else 1.0 + result.excess


def nothing_measured(run: Run, what: str) -> AutotunerError:
    """The error of a task in which no experiment gave figures; ``what`` happened."""
    failure = next((e.failure for e in run.ledger.experiments.values() if e.failure is not None), None)
    if failure is None:
        return AutotunerError(
            ErrorCode.NO_RESULT,
            what,
            why="no experiment was run",
            remedy="Raise optimization.max_iterations or switch the baseline on",
        )
    return AutotunerError(
        ErrorCode.NO_RESULT,
        what,
        why=failure.diagnosis,
        remedy=f"{failure.hint}; `autotuner logs {run.task_name}` shows the server's log. "
        "Run the task again once the cause is mended: what failed is tried again",
    )


async def _start(run: Run, experiment: ExperimentRecord) -> Start:
    """Start servers until one gives figures or the policy gives up.

    After an interruption what is stored decides first: a start that failed for good is not repeated.
    """
    own = run.ledger.own_attempts(experiment)
    openings = (await run.store.list_openings(run.task_id)).get(experiment.id, ()) if own else ()
    start = _ended(run, own, openings)
    while True:
        if start is not None and start.failure is not None:
            decision = decide(failed_rounds(run.ledger, experiment, openings), run.plan.document.optimization.retries)
            if decision.delay_s is None:
                return start
            run.observer.on_message(_again(experiment, start.failure, decision))
            await run.sleep(decision.delay_s)
        reason = _reason(own)
        await run.may_start()
        run.watch.begin(experiment, reason)
        searched = experiment.origin is ExperimentOrigin.SEARCH
        stop = await stop_rules(run) if searched else await precise_rules(run)
        start = await run.starter.start(experiment, reason, run.watch.moved, stop=stop)
        run.watch.ended()
        own.append(start.attempt)
        if start.failure is None:
            return start


def _ended(run: Run, own: Sequence[AttemptRow], openings: Sequence[int]) -> Start | None:
    """The failed start that an earlier run had to decide on when it was cut off."""
    if not own or own[-1].status is not AttemptStatus.FAILED or own[-1].number <= max(openings, default=0):
        return None
    return Start(own[-1], run.ledger.figures(own[-1]), own[-1].failure)


def _again(experiment: ExperimentRecord, failure: Failure, decision: Decision) -> str:
    why = "; the memory of the server before it may not have been given back yet" if decision.excused else ""
    when = f"in {decision.delay_s:g} s" if decision.delay_s else "at once"
    return f"Experiment {experiment.number} failed ({failure.kind.value}: {failure.diagnosis}){why}: again {when}."


def _reason(own: Sequence[AttemptRow]) -> AttemptReason:
    if not own:
        return AttemptReason.FIRST
    return AttemptReason.RESUME if own[-1].status is AttemptStatus.INTERRUPTED else AttemptReason.RETRY


async def _store_outcome(run: Run, experiment: ExperimentRecord, start: Start) -> ExperimentRecord:
    metrics: dict[str, Any] | None = None
    judged: Verdict | Failure
    found = ahead_of(start)
    if start.failure is not None:
        judged = start.failure
    else:
        if experiment.origin is ExperimentOrigin.BASELINE:
            _guard(run, start)
        metrics = run.scorer.metrics(
            start.measurements,
            start.figures.inherited,
            configuration=experiment.parameters,
            pruned=found.pruned is not None,
            answers=start.figures.answers,
        )
        metrics = with_savings(metrics, start, found)
        judged = _judge(run, experiment, metrics, start.figures.answers)
    elapsed = duration(start.attempt)
    if isinstance(judged, Failure):
        event = NewEvent(
            type=EventType.EXPERIMENT_FAILED,
            experiment_id=experiment.id,
            message=judged.diagnosis,
            data={"failure": judged.model_dump(mode="json"), "elapsed_s": elapsed},
        )
        stored = await run.store.finish_experiment(
            experiment.id, event, status=ExperimentStatus.FAILED, metrics=metrics, failure=judged
        )
    else:
        score = judged.objective_scores[0]
        event = NewEvent(
            type=EventType.EXPERIMENT_COMPLETED if found.pruned is None else EventType.EXPERIMENT_PRUNED,
            experiment_id=experiment.id,
            message=found.pruned,
            data={
                "metrics": without_bulk(metrics or {}),
                "objective_score": score,
                "slo_violation": judged.violated,
                "elapsed_s": elapsed,
            },
        )
        stored = await run.store.finish_experiment(
            experiment.id,
            event,
            status=ExperimentStatus.SUCCESS if found.pruned is None else ExperimentStatus.PRUNED,
            metrics=metrics,
            objective_score=score,
            penalised_score=judged.penalised[0],
            slo=judged.record(),
        )
    run.ledger.put_experiment(stored)
    return stored


def _guard(run: Run, start: Start) -> None:
    """Judge answers by the baseline's from now on, and say so where that cannot be."""
    answers = start.figures.answers
    run.scorer.guard(answers)
    if answers is not None and answers.failure is not None:
        run.observer.on_message(
            f"The quality guard cannot judge any answers: the baseline's could not be taken ({answers.failure})."
        )


def _judge(
    run: Run, experiment: ExperimentRecord, metrics: dict[str, Any], answers: JudgedAnswers | None
) -> Verdict | Failure:
    """The verdict on a start; a failure when a figure that is needed is missing."""
    baseline = metrics if experiment.origin is ExperimentOrigin.BASELINE else run.ledger.baseline_metrics
    try:
        warning = run.scorer.settle(metrics, baseline)
        judged = run.scorer.judge(metrics)
    except AutotunerError as error:
        if error.code is not ErrorCode.NO_RESULT:
            raise
        warning, judged = None, Missing((error.why,))
    if warning is not None:
        run.warnings.append(warning)
    if isinstance(judged, Verdict) and run.scorer.unjudged(metrics):
        why = answers.failure if answers is not None else None
        return Failure(
            kind=FailureClass.CLIENT,
            diagnosis=f"its answers could not be held against quality.limit: {why or 'a figure is missing'}",
            hint="look at the server's log; without quality.limit such a configuration is only labelled",
        )
    if isinstance(judged, Verdict):
        return judged
    return Failure(
        kind=FailureClass.CLIENT,
        diagnosis=judged.reason,
        hint="look at the server's log and at the samples of the measurement",
    )


def _fail_fast(run: Run) -> None:
    """Stop when the first experiments all failed the same way."""
    limit = run.plan.document.optimization.fail_fast_k
    if limit is None or len(run.ledger.experiments) < limit:
        return
    first = list(islice(run.ledger.experiments.values(), limit))
    kinds = {e.failure.kind if e.status is ExperimentStatus.FAILED and e.failure is not None else None for e in first}
    kind = kinds.pop()
    if not kinds and kind is not None:
        raise nothing_measured(run, f"the first {limit} configurations all failed the same way: {kind.value}")

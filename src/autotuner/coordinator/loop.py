"""Runs one task from where its stored state says it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from autotuner.config.load import to_data
from autotuner.contracts.attempt import AttemptReason, Failure, FailureClass
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.executor import ExecutorSession
from autotuner.contracts.progress import Observer
from autotuner.contracts.result import TaskResult
from autotuner.contracts.search import Outcome, OutcomeKind, SearchSetup, SearchStrategy, Trial
from autotuner.contracts.store import (
    EventType,
    ExperimentOrigin,
    ExperimentRecord,
    ExperimentStatus,
    NewEvent,
    Store,
    TaskRecord,
    TaskStatus,
)
from autotuner.contracts.values import Configuration
from autotuner.coordinator.confirmation import confirm_names, finalists, missing_starts
from autotuner.coordinator.ledger import FINISHED, Ledger
from autotuner.coordinator.result import build_result, summarise
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.starts import Start, Starter
from autotuner.coordinator.watch import Watch
from autotuner.planning.plan import Plan
from autotuner.scoring.figures import Missing
from autotuner.scoring.verdict import Verdict, better

CONFIRM_SHARE = 0.25
"""Share of a wall-clock budget that is kept for the confirmation (search.md, Evidence)."""

CERTAIN = frozenset({FailureClass.BAD_ARGUMENT, FailureClass.UNSUPPORTED, FailureClass.MISSING_MODEL})
"""Failures that a second start would only repeat."""

RESUMABLE = (
    TaskStatus.PENDING,
    TaskStatus.RUNNING,
    TaskStatus.CANCELLED,
    TaskStatus.CANCELLING,
    TaskStatus.FAILED,
    TaskStatus.COMPLETED,
)
"""A completed task goes on when its budget has grown."""


class Coordinator:
    """The only writer of one task while it runs.

    ``clock``: monotonic seconds; ``now``: UTC. ``strategy``: makes the search strategy. The store is the
    caller's.
    """

    def __init__(
        self,
        *,
        store: Store,
        plan: Plan,
        strategy: Callable[[SearchSetup], SearchStrategy],
        observer: Observer,
        artefacts: Path,
        host: Mapping[str, Any],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._plan = plan
        self._document = plan.document
        self._observer = observer
        self._clock = clock
        self._now = now
        self._host = dict(host)
        self._make_strategy = strategy
        self._artefacts = artefacts
        self._scorer = Scorer(plan.document, scored_at=plan.scored_at, gpu_count=plan.gpu_count)
        self._warnings: list[str] = list(plan.warnings)
        self._stop_reason = ""

    async def run(self, task: TaskRecord, session: ExecutorSession) -> TaskResult:
        """Run the task to its end, its attempts in ``session``, and return its result.

        Cancelling (Ctrl-C) ends the server, marks what was under way as interrupted, sets the task to cancelled and
        raises CancelledError; a later run goes on from there. AutotunerError(NO_RESULT) when nothing could be measured.
        """
        self._begun, self._before = self._clock(), task.elapsed_s
        interrupted = await self._store.interrupt_attempts(task.id)
        ledger = await Ledger.read(self._store, task.id)
        self._ledger = ledger
        self._watch = Watch(self._plan, self._scorer, ledger, self._observer, self._elapsed, task.id, self._clock)
        self._starter = Starter(
            store=self._store,
            session=session,
            plan=self._plan,
            ledger=ledger,
            artefacts=self._artefacts,
            host=self._host,
            slo_limits=self._scorer.request_limits,
        )
        self._resumed = {attempt.experiment_id for attempt in interrupted}
        task = await self._store.change_task(
            task.id,
            NewEvent(
                type=EventType.TASK_STARTED,
                data={"task_name": task.name, "base_runtime": self._plan.engine, "total": self._plan.planned_starts},
            ),
            expected=RESUMABLE,
            status=TaskStatus.RUNNING,
            fields={
                "document": to_data(self._document),
                "started_at": task.started_at or self._now(),
                "error": None,
                "stop_reason": None,
            },
        )
        self._task = task
        try:
            await self._stages()
        except asyncio.CancelledError:
            await asyncio.shield(self._stopped())
            raise
        except AutotunerError as error:
            await self._failed(error)
            raise
        return await self._completed()

    async def _stages(self) -> None:
        self._settle()
        await self._finish_measured()
        if self._plan.baseline is not None:
            self._watch.stage = "baseline"
            await self._planned(self._plan.baseline.origin, self._plan.baseline.configuration, "baseline")
        self._watch.stage = "references"
        for reference in self._plan.references:
            await self._planned(reference.origin, reference.configuration, reference.label)
        self._watch.stage = "search"
        await self._search()
        if not any(e.status is ExperimentStatus.SUCCESS for e in self._ledger.experiments.values()):
            raise self._nothing_measured()
        self._watch.stage = "confirm"
        await self._confirm()

    def _elapsed(self) -> float:
        """Running time of the task over all its runs, seconds."""
        return self._before + self._clock() - self._begun

    # ---- experiments

    async def _planned(self, origin: ExperimentOrigin, configuration: Configuration, label: str) -> None:
        identity = self._plan.space.identity(configuration)
        experiment = self._ledger.by_identity(identity)
        if experiment is None:
            experiment = await self._store.add_experiment(
                self._task.id, origin=origin, parameters=configuration, identity=identity, label=label
            )
            self._ledger.experiments[experiment.number] = experiment
        if experiment.status not in FINISHED:
            await self._measure(experiment)

    async def _search(self) -> None:
        setup = SearchSetup(
            space=self._plan.space,
            directions=self._scorer.directions,
            seed=self._document.optimization.seed,
            budget=self._plan.searched,
        )
        strategy = self._make_strategy(setup)
        for experiment in self._ledger.experiments.values():
            if experiment.status in FINISHED:
                self._tell(strategy, experiment.parameters, experiment)
        for experiment in self._ledger.of_origin(ExperimentOrigin.SEARCH):
            if experiment.status not in FINISHED:
                await self._measure(experiment)
                self._tell(strategy, experiment.parameters, self._ledger.experiments[experiment.number])
        while (reason := self._search_is_over()) is None:
            configuration = await asyncio.to_thread(strategy.ask)
            if configuration is None:
                reason = "every valid configuration was measured"
                break
            identity = self._plan.space.identity(configuration)
            known = self._ledger.by_identity(identity)
            if known is not None:
                self._tell(strategy, configuration, known)
                continue
            experiment = await self._store.add_experiment(
                self._task.id, origin=ExperimentOrigin.SEARCH, parameters=configuration, identity=identity
            )
            self._ledger.experiments[experiment.number] = experiment
            await self._measure(experiment)
            self._tell(strategy, configuration, self._ledger.experiments[experiment.number])
            self._fail_fast()
        self._stop_reason = reason
        if self._plan.searched:
            self._observer.on_message(f"Search ended: {reason}.")

    def _search_is_over(self) -> str | None:
        """Why no further configuration is asked for; None while the search goes on."""
        searched = self._ledger.of_origin(ExperimentOrigin.SEARCH)
        limit = self._document.optimization.max_iterations
        if len(searched) >= limit:
            return f"the budget of {limit} configurations is used"
        if not self._plan.searched:
            return "nothing is searched"
        wall = self._document.optimization.budget.wall_clock_s
        if wall is not None:
            share = wall * (1 - CONFIRM_SHARE) if self._plan.confirm_starts else wall
            if self._elapsed() + self._watch.seconds_per_start() > share:
                return f"the time for searching ({share:.0f} s of {wall:.0f} s) is used"
        patience = self._document.optimization.patience
        if patience is not None and self._since_better(searched) >= patience:
            return f"{patience} configurations in a row were no better"
        return None

    def _since_better(self, searched: list[ExperimentRecord]) -> int:
        direction = self._scorer.directions[0]
        best: float | None = None
        since = 0
        for experiment in searched:
            score = experiment.penalised_score
            eligible = score is not None and not (experiment.slo or {}).get("slo_violation", False)
            if score is not None and eligible and (best is None or better(score, best, direction)):
                best, since = score, 0
            else:
                since += 1
        return since

    def _tell(self, strategy: SearchStrategy, configuration: Configuration, experiment: ExperimentRecord) -> None:
        if self._plan.space.contains(configuration):
            strategy.tell(Trial(configuration, self._outcome(experiment)))

    def _outcome(self, experiment: ExperimentRecord) -> Outcome:
        if experiment.status is ExperimentStatus.SUCCESS and experiment.metrics is not None:
            verdict = self._scorer.judge(experiment.metrics)
            if isinstance(verdict, Verdict):
                return Outcome(OutcomeKind.MEASURED, verdict.objective_scores, verdict.margins)
        if experiment.failure is not None and experiment.failure.kind is FailureClass.INFRASTRUCTURE:
            return Outcome(OutcomeKind.VOID)
        return Outcome(OutcomeKind.INFEASIBLE, constraints={"crash": 1.0})

    # ---- one experiment

    async def _measure(self, experiment: ExperimentRecord) -> None:
        """Start servers for an experiment until one gives figures or it is condemned, and store the outcome."""
        self._watch.begin(experiment)
        reason = AttemptReason.RESUME if experiment.id in self._resumed else AttemptReason.FIRST
        tries = 1 + self._document.optimization.retries
        while True:
            self._watch.reason = reason
            start = await self._starter.start(experiment, reason, self._watch.moved)
            tries -= 1
            failure = start.failure
            if failure is None or failure.kind in CERTAIN or tries <= 0:
                break
            self._observer.on_message(f"Experiment {experiment.number} failed ({failure.diagnosis}); trying once more.")
            reason = AttemptReason.RETRY
        finished = await self._store_outcome(experiment, start)
        self._watch.finished(reason)
        self._observer.on_start_finished(summarise(finished, self._ledger), reason)

    async def _store_outcome(self, experiment: ExperimentRecord, start: Start) -> ExperimentRecord:
        failure = start.failure
        verdict: Verdict | None = None
        metrics: dict[str, Any] | None = None
        if failure is None:
            metrics = self._scorer.metrics(start.measurements)
            baseline = metrics if experiment.origin is ExperimentOrigin.BASELINE else self._baseline_metrics()
            try:
                warning = self._scorer.settle(metrics, baseline)
                if warning is not None:
                    self._warnings.append(warning)
                judged = self._scorer.judge(metrics)
            except AutotunerError as error:
                if error.code is not ErrorCode.NO_RESULT:
                    raise
                judged = Missing((error.why,))
            if isinstance(judged, Missing):
                failure = Failure(
                    kind=FailureClass.CLIENT,
                    diagnosis=judged.reason,
                    hint="look at the server's log and at the samples of the measurement",
                )
            else:
                verdict = judged
        elapsed = sum(start.attempt.phase_seconds.values())
        if verdict is None:
            event = NewEvent(
                type=EventType.EXPERIMENT_FAILED,
                experiment_id=experiment.id,
                message=failure.diagnosis if failure else None,
                data={"failure": failure.model_dump(mode="json") if failure else None, "elapsed_s": elapsed},
            )
            stored = await self._store.finish_experiment(
                experiment.id, event, status=ExperimentStatus.FAILED, metrics=metrics, failure=failure
            )
        else:
            score = verdict.objective_scores[0]
            event = NewEvent(
                type=EventType.EXPERIMENT_COMPLETED,
                experiment_id=experiment.id,
                data={"objective_score": score, "slo_violation": verdict.violated, "elapsed_s": elapsed},
            )
            stored = await self._store.finish_experiment(
                experiment.id,
                event,
                status=ExperimentStatus.SUCCESS,
                metrics=metrics,
                objective_score=score,
                penalised_score=verdict.penalised[0],
                slo=verdict.record(),
            )
        self._ledger.experiments[stored.number] = stored
        return stored

    async def _finish_measured(self) -> None:
        """Score experiments whose measuring was stored but whose outcome was not: they are not run again."""
        for experiment in list(self._ledger.experiments.values()):
            attempt = self._ledger.scoring_attempt(experiment) if experiment.status not in FINISHED else None
            if attempt is not None:
                measurements = tuple(self._ledger.measurements.get(attempt.id, ()))
                await self._store_outcome(experiment, Start(attempt, measurements, None))

    def _settle(self) -> None:
        first = self._ledger.first_metrics()
        if first is not None:
            warning = self._scorer.settle(first, self._baseline_metrics())
            if warning is not None:
                self._warnings.append(warning)

    def _baseline_metrics(self) -> dict[str, Any] | None:
        baseline = self._ledger.baseline
        return baseline.metrics if baseline is not None and baseline.status is ExperimentStatus.SUCCESS else None

    def _fail_fast(self) -> None:
        """Stop when the first experiments all failed the same way."""
        limit = self._document.optimization.fail_fast_k
        finished = [e for e in self._ledger.experiments.values() if e.status in FINISHED]
        if limit is None or len(finished) < limit:
            return
        kinds = {e.failure.kind if e.failure is not None else None for e in finished}
        if len(kinds) == 1 and None not in kinds:
            raise self._nothing_measured()

    def _nothing_measured(self) -> AutotunerError:
        failures = [e.failure for e in self._ledger.experiments.values() if e.failure is not None]
        first = failures[0] if failures else None
        return AutotunerError(
            ErrorCode.NO_RESULT,
            f"no configuration could be measured ({len(self._ledger.experiments)} tried)",
            why=first.diagnosis if first else "no experiment was run",
            remedy=f"{first.hint}; `autotuner logs {self._task.name}` shows the server's log"
            if first
            else "Raise optimization.max_iterations or switch the baseline on",
        )

    # ---- confirmation

    async def _confirm(self) -> None:
        """Start the finalists and the baseline again in interleaved rounds."""
        if not self._plan.confirm_starts or self._baseline_metrics() is None:
            return
        chosen = finalists(self._ledger, self._scorer, self._plan.confirm_top_k)
        if not chosen:
            return
        names = confirm_names(self._ledger, chosen)
        self._watch.confirming = len(names) * self._plan.confirm_starts
        for block, number in missing_starts(
            self._ledger, names, self._plan.confirm_starts, self._document.optimization.seed
        ):
            wall = self._document.optimization.budget.wall_clock_s
            if wall is not None and self._elapsed() + self._watch.seconds_per_start() > wall:
                self._observer.on_message(f"Confirmation ended: the budget of {wall:.0f} s is used.")
                self._stop_reason += "; the confirmation was cut short by the time budget"
                return
            experiment = self._ledger.experiments[number]
            self._watch.begin(experiment)
            self._watch.reason = AttemptReason.CONFIRM
            start = await self._starter.start(experiment, AttemptReason.CONFIRM, self._watch.moved, block=block)
            if start.failure is not None:
                self._observer.on_message(f"A confirmation start failed: {start.failure.diagnosis}.")
            self._watch.finished(AttemptReason.CONFIRM)
            shown = summarise(experiment, self._ledger, start=start.measurements, scorer=self._scorer)
            self._observer.on_start_finished(shown, AttemptReason.CONFIRM)

    # ---- the end

    def _result(self, status: TaskStatus) -> TaskResult:
        return build_result(
            self._task.model_copy(update={"status": status, "stop_reason": self._stop_reason or None}),
            plan=self._plan,
            scorer=self._scorer,
            ledger=self._ledger,
            host=self._host,
            elapsed_s=self._elapsed(),
            warnings=self._warnings,
        )

    async def _completed(self) -> TaskResult:
        result = self._result(TaskStatus.COMPLETED)
        event = NewEvent(
            type=EventType.TASK_COMPLETED,
            message=result.headline,
            data={
                "best": None if result.winner is None else result.winner.number,
                "counts": result.counts,
                "elapsed_s": result.elapsed_s,
            },
        )
        await self._end(event, TaskStatus.COMPLETED, result, error=None)
        return result

    async def _failed(self, error: AutotunerError) -> None:
        event = NewEvent(type=EventType.TASK_FAILED, message=str(error), data=error.as_dict())
        await self._end(event, TaskStatus.FAILED, self._result(TaskStatus.FAILED), error=error.as_dict())

    async def _stopped(self) -> None:
        await self._store.interrupt_attempts(self._task.id)
        self._ledger = await Ledger.read(self._store, self._task.id)
        event = NewEvent(type=EventType.TASK_CANCELLED, message="interrupted; run it again to go on")
        await self._end(event, TaskStatus.CANCELLED, self._result(TaskStatus.CANCELLED), error=None)

    async def _end(
        self, event: NewEvent, status: TaskStatus, result: TaskResult, *, error: Mapping[str, Any] | None
    ) -> None:
        await self._store.change_task(
            self._task.id,
            event,
            expected=(TaskStatus.RUNNING, TaskStatus.CANCELLING),
            status=status,
            fields={
                "result": result.model_dump(mode="json"),
                "error": None if error is None else dict(error),
                "stop_reason": self._stop_reason or None,
                "elapsed_s": result.elapsed_s,
                "finished_at": self._now(),
            },
        )

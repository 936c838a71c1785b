"""Keeps what an observer is shown: where the task is, how far, and how long it will still take."""

from __future__ import annotations

from collections.abc import Callable

from autotuner.contracts.attempt import AttemptReason, Phase
from autotuner.contracts.measurement import LiveFigures
from autotuner.contracts.progress import Observer, Snapshot, Stage
from autotuner.contracts.store import ExperimentRecord
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.standing import Standing
from autotuner.coordinator.summaries import summarise
from autotuner.planning.plan import Plan


class Watch:
    """Tells one observer. ``elapsed`` gives the task's running time, ``clock`` monotonic seconds."""

    def __init__(
        self,
        plan: Plan,
        scorer: Scorer,
        standing: Standing,
        observer: Observer,
        elapsed: Callable[[], float],
        task_id: int,
        clock: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._scorer = scorer
        self._standing = standing
        self._ledger = standing.ledger
        self._observer = observer
        self._elapsed = elapsed
        self._task_id = task_id
        self._clock = clock
        self._begun: float | None = None
        self._ended = 0
        self._spent = 0.0
        self._experiment: ExperimentRecord | None = None
        self._phase: Phase | None = None
        self._reason: AttemptReason | None = None
        self.stage: Stage = "baseline"
        self.paused = False
        """Whether no start begins until somebody resumes the task."""
        self.confirming = plan.confirm_starts * (plan.confirm_top_k + 1)
        """Starts of the confirmation; as planned until the finalists are known."""

    def begin(self, experiment: ExperimentRecord, reason: AttemptReason) -> None:
        """A start of an experiment begins."""
        self._experiment, self._reason, self._phase = experiment, reason, None
        self._begun = self._clock()
        self.show()

    def moved(self, phase: Phase | None, live: LiveFigures | None) -> None:
        """The start entered a phase, or has new live figures."""
        self._phase = phase or self._phase
        self.show(live)

    def ended(self) -> None:
        """The start ended."""
        if self._begun is not None:
            self._ended += 1
            self._spent += self._clock() - self._begun
        self._begun = self._experiment = self._reason = self._phase = None

    def seconds_per_start(self) -> float:
        """Mean duration of the starts of this run; the plan's estimate before the first one has ended."""
        return self._spent / self._ended if self._ended else self._plan.estimate.per_start_s

    def show(self, live: LiveFigures | None = None) -> None:
        """Tell the observer how things stand."""
        done = self._ledger.finished
        planned = self._plan.planned_starts - self._plan.confirm_starts * (self._plan.confirm_top_k + 1)
        if self.stage == "confirm":
            planned = done  # the search may have ended before its budget was used
        done += sum(len(self._ledger.confirmations(e)) for e in self._ledger.confirmed)
        total = max(planned + self.confirming, done)
        best = self._standing.best()
        objective = self._scorer.objectives[0]
        baseline = self._ledger.baseline
        experiment = self._experiment
        self._observer.on_snapshot(
            Snapshot(
                task_id=self._task_id,
                task_name=self._plan.task_name,
                stage=self.stage,
                paused=self.paused,
                starts_done=done,
                starts_total=total,
                elapsed_s=self._elapsed(),
                eta_s=(total - done) * self.seconds_per_start(),
                experiment=None if experiment is None else experiment.number,
                origin=None if experiment is None else experiment.origin,
                label=None if experiment is None else experiment.label,
                reason=self._reason,
                parameters={} if experiment is None else experiment.parameters,
                phase=self._phase,
                live=live,
                baseline_score=None if baseline is None else baseline.objective_score,
                best=None if best is None else summarise(self._ledger.experiments[best], self._ledger),
                objective_label=objective.label,
                unit=objective.unit,
                direction=objective.direction,
                predicted=self._plan.predicted,
            )
        )

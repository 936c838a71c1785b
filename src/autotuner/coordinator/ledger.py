"""What a task has come to so far, as stored; read once at the start of a run and kept in step by its only writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotuner.contracts.attempt import AttemptJob, AttemptReason, AttemptStatus, FailureClass
from autotuner.contracts.measurement import Measurement
from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.store import AttemptRow, ExperimentOrigin, ExperimentRecord, ExperimentStatus, Store
from autotuner.coordinator.found_load import is_over
from autotuner.scoring.pruning import ahead

FINISHED = frozenset(
    {ExperimentStatus.SUCCESS, ExperimentStatus.FAILED, ExperimentStatus.PRUNED, ExperimentStatus.CANCELLED}
)

MEASURED = frozenset({ExperimentStatus.SUCCESS, ExperimentStatus.PRUNED})
"""An experiment of one of these has figures, and nothing is started for it after the attempt that gave them."""

OWN = frozenset({AttemptReason.FIRST, AttemptReason.RETRY, AttemptReason.RESUME})
"""Reasons of the starts that give an experiment its figures."""

Place = tuple[str, int]
"""Load point and repeat of a measurement."""


@dataclass(frozen=True)
class Figures:
    """The figures of a start, in the order of load points and repeats."""

    measurements: tuple[Measurement, ...] = ()
    inherited: frozenset[Place] = frozenset()
    """Those that were taken by a start before it, which was cut off."""
    answers: JudgedAnswers | None = None
    """What the quality guard found of its configuration; None: it did not ask."""


class Ledger:
    """Experiments by number, their attempts in the order of their start, and measurements as far as they still matter.

    A change goes through ``put_experiment``, ``put_attempt`` or ``put_measurement``, which keep the indexes, so no
    question costs more the more is stored. Of an experiment that has its figures the jobs and measurements of its own
    starts are left out: its figures stand in its metrics.
    """

    def __init__(self) -> None:
        self._experiments: dict[int, ExperimentRecord] = {}
        self._attempts: dict[int, AttemptRow] = {}
        self._measurements: dict[int, list[Measurement]] = {}
        self._commands: dict[int, tuple[str, ...]] = {}
        self._number_of: dict[int, int] = {}
        self._by_identity: dict[str, int] = {}
        self._attempts_of: dict[int, list[int]] = {}
        self._confirmed: set[int] = set()
        self._origins: Counter[ExperimentOrigin] = Counter()
        self._ends: Counter[FailureClass | None] = Counter()
        self._baseline: int | None = None
        self.changes: list[int] = []
        """Numbers of the experiments that were put, in order: who keeps something for each follows it from here."""

    @classmethod
    async def read(cls, store: Store, task_id: int, *, failed: bool = False) -> Ledger:
        """Everything stored of a task that still matters.

        ``failed``: only of its experiments that failed or of which a start failed, without commands; enough to count
        failures, and little where there are few.
        """
        ledger = cls()
        for experiment in await store.list_experiments(task_id, bulk=False, failed=failed):
            ledger.put_experiment(experiment)
        for attempt in await store.list_attempts(task_id, bulk=False, failed=failed):
            ledger.put_attempt(attempt)
        if not failed:
            ledger._commands = await store.list_commands(task_id)
        for experiment in ledger._experiments.values():
            if experiment.number in ledger._confirmed or ledger._needs_bulk(experiment):
                await ledger._read_bulk(store, experiment)
        return ledger

    async def _read_bulk(self, store: Store, experiment: ExperimentRecord) -> None:
        for attempt in await store.list_attempts(experiment.task_id, experiment_id=experiment.id):
            self.put_attempt(attempt)
        for row in await store.list_measurements(experiment.task_id, experiment_id=experiment.id):
            self.put_measurement(row.attempt_id, row.measurement)

    # ---- what is there

    @property
    def experiments(self) -> Mapping[int, ExperimentRecord]:
        """All experiments by number, in order."""
        return self._experiments

    @property
    def attempts(self) -> Mapping[int, AttemptRow]:
        """All attempts by id, in the order of their start."""
        return self._attempts

    def of_origin(self, origin: ExperimentOrigin) -> list[ExperimentRecord]:
        """Experiments of one origin, by number."""
        return [e for e in self._experiments.values() if e.origin is origin]

    def count(self, origin: ExperimentOrigin) -> int:
        """How many experiments are of that origin."""
        return self._origins[origin]

    @property
    def finished(self) -> int:
        """How many experiments are finished."""
        return self._ends.total()

    @property
    def ends(self) -> Mapping[FailureClass | None, int]:
        """How many finished experiments failed in which way; None: without a failure."""
        return +self._ends

    @property
    def baseline(self) -> ExperimentRecord | None:
        """The baseline, if it was asked for."""
        return None if self._baseline is None else self._experiments[self._baseline]

    def by_identity(self, identity: str) -> ExperimentRecord | None:
        """The experiment with that configuration hash."""
        number = self._by_identity.get(identity)
        return None if number is None else self._experiments[number]

    def attempts_of(self, experiment: ExperimentRecord) -> list[AttemptRow]:
        """Attempts of one experiment in the order of their start."""
        return [self._attempts[attempt] for attempt in self._attempts_of.get(experiment.id, ())]

    def own_attempts(self, experiment: ExperimentRecord) -> list[AttemptRow]:
        """Attempts whose figures may become the experiment's own (never those of the confirmation)."""
        return [a for a in self.attempts_of(experiment) if a.reason in OWN]

    def same_purpose(self, experiment: ExperimentRecord, reason: AttemptReason, block: int | None) -> list[AttemptRow]:
        """Attempts of which one's figures are enough: the experiment's own, or those of one round."""
        if reason in OWN:
            return self.own_attempts(experiment)
        return [a for a in self.attempts_of(experiment) if a.reason is reason and a.block == block]

    def command_of(self, attempt: AttemptRow) -> tuple[str, ...]:
        """The arguments that an attempt started its server with; empty when it started none."""
        return self._commands.get(attempt.id, ())

    @property
    def confirmed(self) -> list[ExperimentRecord]:
        """Experiments that were started for the confirmation, by number."""
        return [self._experiments[number] for number in sorted(self._confirmed)]

    def confirming(self, experiment: ExperimentRecord) -> list[AttemptRow]:
        """All starts of the confirmation, however they ended."""
        return [a for a in self.attempts_of(experiment) if a.reason is AttemptReason.CONFIRM]

    def confirmations(self, experiment: ExperimentRecord) -> Mapping[int, AttemptRow]:
        """The measured start of each round of the confirmation that counts, by the number of the round.

        The first one that nothing disturbed; where all of a round were disturbed, the last of them.
        """
        found: dict[int, AttemptRow] = {}
        for attempt in self.confirming(experiment):
            if attempt.block is None or not self.measured(attempt):
                continue
            if attempt.block not in found or self.disturbed(found[attempt.block]):
                found[attempt.block] = attempt
        return found

    def disturbed(self, attempt: AttemptRow) -> bool:
        """Whether other programs disturbed one of the measurements of an attempt."""
        return any(measurement.disturbed for measurement in self.figures(attempt).measurements)

    # ---- figures

    def scoring_attempt(self, experiment: ExperimentRecord) -> AttemptRow | None:
        """The attempt whose figures are the experiment's own."""
        own = self.own_attempts(experiment)
        if experiment.status in MEASURED:
            return own[-1] if own else None
        return next((a for a in own if self.measured(a)), None)

    def figures(self, attempt: AttemptRow) -> Figures:
        """All figures of an attempt: its own measurements and those it was told not to take again (``job.done``)."""
        answers = self._answers_for(attempt)
        own = self._measurements.get(attempt.id, [])
        if attempt.job is None:
            return Figures(tuple(own), answers=answers)
        found = {(m.load_point, m.repeat): m for m in own}
        done = set(attempt.job.done) - found.keys()
        number = self._number_of.get(attempt.experiment_id)
        if done and number is not None:
            unit = self.same_purpose(self._experiments[number], attempt.reason, attempt.block)
            left = self.left_over(a for a in unit if a.id < attempt.id)
            found.update((place, left[place]) for place in done & left.keys())
        ordered = tuple(found[place] for place in _order(attempt.job, found))
        return Figures(ordered, frozenset(done & found.keys()), answers)

    def left_over(self, attempts: Iterable[AttemptRow]) -> dict[Place, Measurement]:
        """Good measurements of starts of one purpose that were cut off, which the next one need not take again.

        A start that failed or has all its figures uses up what those before it have left: it stands for all of them.
        """
        left: dict[Place, Measurement] = {}
        for attempt in attempts:
            if attempt.status is not AttemptStatus.INTERRUPTED or self.measured(attempt):
                left.clear()
                continue
            for measurement in self._measurements.get(attempt.id, ()):
                if measurement.completed_requests:
                    left[measurement.load_point, measurement.repeat] = measurement
        return left

    def answers_of(self, attempt: AttemptRow) -> JudgedAnswers | None:
        """What was found of an attempt's answers: by itself, or by those before it that were cut off."""
        if attempt.answers is not None or attempt.experiment_id not in self._number_of:
            return attempt.answers
        experiment = self._experiments[self._number_of[attempt.experiment_id]]
        unit = self.same_purpose(experiment, attempt.reason, attempt.block)
        return answers_left(a for a in unit if a.id < attempt.id)

    def answers(self, experiment: ExperimentRecord) -> JudgedAnswers | None:
        """What was found of the answers of an experiment's configuration."""
        attempt = self.scoring_attempt(experiment)
        return None if attempt is None else self.answers_of(attempt)

    @property
    def baseline_answers(self) -> JudgedAnswers | None:
        """The baseline's own record, if it was measured."""
        baseline = self.baseline
        return None if baseline is None else self.answers(baseline)

    def _answers_for(self, attempt: AttemptRow) -> JudgedAnswers | None:
        """Of a confirmation, which asks nothing again, those of its experiment."""
        number = self._number_of.get(attempt.experiment_id)
        if attempt.reason in OWN or number is None:
            return self.answers_of(attempt)
        return self.answers(self._experiments[number])

    def measured(self, attempt: AttemptRow) -> bool:
        """Whether an attempt gave all its figures: it ended well, or was interrupted after the last of them."""
        if attempt.status is not AttemptStatus.INTERRUPTED or attempt.job is None:
            return attempt.status in (AttemptStatus.SUCCESS, AttemptStatus.PRUNED)
        found = self.figures(attempt).measurements
        if attempt.job.workload.load_search is not None:
            return bool(found) and is_over(attempt.job, found)
        return not ahead(attempt.job, found).left and all(measurement.completed_requests for measurement in found)

    def seconds(self) -> float:
        """Time that the ended attempts took. Interrupted ones do not count: when they ended is not known."""
        return sum(map(duration, self.of_the_task()))

    def of_the_task(self) -> list[AttemptRow]:
        """Attempts in the order of their start, without those of verifications, which came after its end."""
        return [a for a in self._attempts.values() if a.reason is not AttemptReason.VERIFY]

    @property
    def baseline_metrics(self) -> dict[str, Any] | None:
        """Metrics of the baseline, if it could be measured."""
        baseline = self.baseline
        return baseline.metrics if baseline is not None and baseline.status is ExperimentStatus.SUCCESS else None

    def first_metrics(self) -> dict[str, Any] | None:
        """Metrics of the first experiment that has figures, which settle the task's throughput figure."""
        return next((e.metrics for e in self._experiments.values() if e.status in MEASURED and e.metrics), None)

    # ---- changes

    def put_experiment(self, experiment: ExperimentRecord) -> None:
        """Take an experiment in, or its new state."""
        number = experiment.number
        known = self._experiments.get(number)
        if known is None:
            self._origins[experiment.origin] += 1
            self._number_of[experiment.id] = number
            self._by_identity[experiment.identity] = number
            if experiment.origin is ExperimentOrigin.BASELINE:
                self._baseline = number
        elif known.status in FINISHED:
            self._ends[_end(known)] -= 1
        self._experiments[number] = experiment
        self.changes.append(number)
        if experiment.status in FINISHED:
            self._ends[_end(experiment)] += 1
            if not self._needs_bulk(experiment):
                for attempt in self.own_attempts(experiment):
                    self._drop_bulk(attempt)

    def put_attempt(self, attempt: AttemptRow) -> None:
        """Take an attempt in, or its new state."""
        if attempt.id not in self._attempts:
            self._attempts_of.setdefault(attempt.experiment_id, []).append(attempt.id)
        self._attempts[attempt.id] = attempt
        if attempt.job is not None and attempt.job.command is not None:
            self._commands[attempt.id] = attempt.job.command.argv
        number = self._number_of.get(attempt.experiment_id)
        if number is None:
            return  # another process has begun it since the experiments were read
        if attempt.reason is AttemptReason.CONFIRM:
            self._confirmed.add(number)
        elif attempt.reason in OWN and not self._keeps_bulk(self._experiments[number]):
            self._drop_bulk(attempt)

    def put_measurement(self, attempt_id: int, measurement: Measurement) -> None:
        """Take a measurement in."""
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.job is not None:
            self._measurements.setdefault(attempt_id, []).append(measurement)

    def _keeps_bulk(self, experiment: ExperimentRecord) -> bool:
        return experiment.status not in FINISHED or self._needs_bulk(experiment)

    def _needs_bulk(self, experiment: ExperimentRecord) -> bool:
        """Whether its own starts have left figures that are not in its metrics, and so may still be judged."""
        if experiment.status in MEASURED:
            return False
        ended = (AttemptStatus.SUCCESS, AttemptStatus.PRUNED, AttemptStatus.INTERRUPTED)
        return any(a.status in ended for a in self.own_attempts(experiment))

    def _drop_bulk(self, attempt: AttemptRow) -> None:
        self._measurements.pop(attempt.id, None)
        if attempt.job is not None or attempt.host:
            self._attempts[attempt.id] = attempt.model_copy(update={"job": None, "host": {}})


def answers_left(attempts: Iterable[AttemptRow]) -> JudgedAnswers | None:
    """What starts of one purpose that were cut off have left, as of ``Ledger.left_over``."""
    left: JudgedAnswers | None = None
    for attempt in attempts:
        if attempt.status is not AttemptStatus.INTERRUPTED:
            left = None
        elif attempt.answers is not None and attempt.answers.failure is None:
            left = attempt.answers
    return left


def duration(attempt: AttemptRow) -> float:
    """How long an attempt took, in seconds of a monotonic clock; 0.0 for one that was cut off."""
    return sum(attempt.phase_seconds.values())


def _end(experiment: ExperimentRecord) -> FailureClass | None:
    return None if experiment.failure is None else experiment.failure.kind


def _places(job: AttemptJob) -> Sequence[Place]:
    """Load point and repeat of each measurement that a job names, in order."""
    workload = job.workload
    return [(point.name, repeat) for point in workload.load_points for repeat in range(workload.repeats)]


def _order(job: AttemptJob, found: Mapping[Place, Measurement]) -> Sequence[Place]:
    """Those that were taken: in the order of the job, those of a search by load and repeat."""
    if job.workload.load_search is None:
        return [place for place in _places(job) if place in found]
    return sorted(found, key=lambda place: (_load(found[place]), place))


def _load(measurement: Measurement) -> float:
    return measurement.concurrency or measurement.request_rate or 0.0

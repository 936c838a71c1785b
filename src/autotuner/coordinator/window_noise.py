"""What the windows of a task have told of its noise, as stored so far, and how long further ones must be by that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import fsum

from autotuner.contracts.measurement import Measurement
from autotuner.contracts.stopping import Precision, StopFigure
from autotuner.contracts.store import ExperimentRecord, Store
from autotuner.coordinator.ledger import MEASURED, Ledger, duration
from autotuner.planning.plan import Plan
from autotuner.scoring.window_length import Course, between, precision, within

COURSE_OF: tuple[StopFigure, ...] = ("total_throughput", "output_throughput")
"""Figures whose noise within a window is that of the tokens which come in it."""

SLACK = 1.2
"""A window that is longer by this factor than its length and its requests need has waited for an SLO."""

NEWEST = 16
"""The windows of so many experiments are looked at, the newest."""


@dataclass(frozen=True)
class _Own:
    """Of an experiment's own start: its windows, and what it took beside them; None for one that was cut off."""

    windows: tuple[Measurement, ...]
    beside_s: float | None


class WindowNoise:
    """The noise of one task, whose only scored load point is known. What was read from the store is kept.

    Disturbed windows do not count. All follows from what is stored, so a task that was cut off goes on by the same.
    """

    def __init__(self, store: Store, plan: Plan, ledger: Ledger) -> None:
        self._store = store
        self._plan = plan
        self._ledger = ledger
        self._own: dict[int, _Own] = {}

    async def precision(self, figure: StopFigure, before: int | None) -> Precision | None:
        """When a window is precise enough for a throughput; None when it is needed whole, or too little is known.

        ``before``: only rounds of the confirmation before this one count, so that all starts of a round are alike.
        Pairs are compared over the same requests: once a start has gone on because an SLO was open, further rounds are
        as long.
        """
        own = [(e.number, await self._own_of(e)) for e in self._newest()]
        confirming = self._confirming(before)
        windows = [(number, known.windows) for number, known in own]
        windows += [(number, start) for number, starts in confirming.items() for start in starts]
        noise = within(_courses(windows))
        if noise is None:
            return None
        limits, repeats = self._plan.workload.limits, self._plan.workload.repeats
        counted = [start for starts in confirming.values() for start in starts]
        errors = [noise / fsum(window.window_s for window in start) for start in counted]
        figures = [[_mean(figure, start) for start in starts] for starts in confirming.values()]
        beside = [known.beside_s for _, known in own if known.beside_s is not None]
        return precision(
            noise,
            between(
                [[value for value in group if value > 0] for group in figures],
                fsum(errors) / len(errors) if errors else 0.0,
            ),
            whole_s=limits.window_s,
            repeats=repeats,
            start_s=fsum(beside) / len(beside) if beside else 0.0,
            least_s=0.0 if before is None else self._waited_s(before),
        )

    def _newest(self) -> list[ExperimentRecord]:
        """The newest experiments that have figures, in their order."""
        experiments = self._ledger.experiments
        numbers = range(len(experiments) - 1, -1, -1)
        found = (experiments[n] for n in numbers if n in experiments and experiments[n].status in MEASURED)
        return list(islice(found, NEWEST))[::-1]

    async def _own_of(self, experiment: ExperimentRecord) -> _Own:
        attempt = self._ledger.scoring_attempt(experiment)
        if attempt is None:
            return _Own((), None)
        if attempt.id not in self._own:
            owners = {own.id for own in self._ledger.own_attempts(experiment)}
            rows = await self._store.list_measurements(experiment.task_id, experiment_id=experiment.id)
            # The last of each place: a start that was cut off leaves its windows to the one that replaces it.
            last = {(r.measurement.load_point, r.measurement.repeat): r for r in rows if r.attempt_id in owners}
            windows = self._scored(row.measurement for row in last.values())
            whole = {row.attempt_id for row in last.values()} == {attempt.id} and attempt.phase_seconds
            beside = duration(attempt) - fsum(window.window_s for window in windows)
            self._own[attempt.id] = _Own(windows, max(beside, 0.0) if whole else None)
        return self._own[attempt.id]

    def _confirming(self, before: int | None) -> dict[int, list[tuple[Measurement, ...]]]:
        """By experiment, the windows of its starts in the confirmation, by round."""
        found: dict[int, list[tuple[Measurement, ...]]] = {}
        for experiment in self._ledger.confirmed:
            for block, attempt in sorted(self._ledger.confirmations(experiment).items()):
                windows = self._scored(self._ledger.figures(attempt).measurements)
                if windows and (before is None or block < before):
                    found.setdefault(experiment.number, []).append(windows)
        return found

    def _waited_s(self, before: int) -> float:
        """The longest window of earlier rounds that went on for an open SLO."""
        longest = 0.0
        for experiment in self._ledger.confirmed:
            for attempt in self._ledger.confirming(experiment):
                rules = None if attempt.job is None else attempt.job.stop
                if attempt.block is None or attempt.block >= before or rules is None or rules.precision is None:
                    continue
                windows = self._scored(self._ledger.figures(attempt).measurements)
                for window in windows:
                    if window.window_s > SLACK * self._needed_s(rules.precision, window):
                        longest = max(longest, window.window_s)
        return longest

    def _needed_s(self, precision: Precision, window: Measurement) -> float:
        """Without an open SLO. Requests that were in flight at the opening end first, and are not its own."""
        requests = self._plan.workload.limits.min_requests + (window.concurrency or 0)
        return max(precision.enough_s, requests / window.requests_per_second if window.requests_per_second else 0.0)

    def _scored(self, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
        names = self._plan.scored_at
        return tuple(m for m in measurements if m.load_point in names and m.completed_requests and not m.disturbed)


def _courses(windows: Iterable[tuple[int, tuple[Measurement, ...]]]) -> list[Course]:
    """Of the first repeat, whose requests are the same in every start."""
    return [
        Course(number, window.slice_s, window.slice_tokens)
        for number, start in windows
        for window in start
        if window.repeat == 0 and window.slice_s is not None
    ]


def _mean(figure: StopFigure, windows: tuple[Measurement, ...]) -> float:
    values = [w.output_throughput if figure == "output_throughput" else w.total_throughput for w in windows]
    return fsum(values) / len(values)

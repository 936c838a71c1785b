"""Where the search stands, kept as it goes on: each experiment is judged once."""

from __future__ import annotations

from dataclasses import dataclass, field

from autotuner.contracts.store import ExperimentOrigin, ExperimentRecord
from autotuner.coordinator.ledger import FINISHED, Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.verdicts import verdict_on
from autotuner.scoring.pareto import losses

Losses = tuple[float, ...]
"""The penalised scores of a configuration that keeps its hard SLOs, turned so that less is better."""


@dataclass
class _Streak:
    """What was reached by the experiments up to a number, in their order."""

    upto: int = 0
    since: int = 0
    front: list[Losses] = field(default_factory=list)
    """None of them is better in everything than another."""

    def copy(self) -> _Streak:
        return _Streak(self.upto, self.since, list(self.front))

    def add(self, own: Losses | None, origin: ExperimentOrigin) -> None:
        """Take the next experiment; ``own`` None: it has no figures that count."""
        self.upto += 1
        if own is not None and not any(_reaches(other, own) for other in self.front):
            self.front = [other for other in self.front if not _reaches(own, other)] + [own]
            self.since = 0
        elif origin is ExperimentOrigin.SEARCH:
            self.since += 1


class Standing:
    """Follows a ledger. All is judged anew when the scorer settles or an outcome changes, which is rare."""

    def __init__(self, ledger: Ledger, scorer: Scorer) -> None:
        self.ledger = ledger
        self._scorer = scorer
        self._forget()

    def _forget(self) -> None:
        self._rules = (self._scorer.objectives, self._scorer.slo)
        self._seen = 0
        self._judged: dict[int, tuple[ExperimentRecord, Losses | None]] = {}
        self._best: tuple[Losses, int] | None = None
        self._streak = _Streak()

    def best(self) -> int | None:
        """The winner of the search so far by ``scoring.verdict.winner``: an experiment's number, None without one."""
        self._follow()
        return None if self._best is None else self._best[1]

    def since_better(self) -> int:
        """Searched configurations since the last one that was better than all before it, the baseline among them.

        With several objectives: that none before it equals or beats in all of them.
        """
        self._follow()
        experiments = self.ledger.experiments
        while self._streak.upto in self._judged:
            number = self._streak.upto
            self._streak.add(self._judged[number][1], experiments[number].origin)
        streak = self._streak.copy()  # what comes after an unfinished one may still change
        while streak.upto in experiments:
            number = streak.upto
            own = self._judged[number][1] if number in self._judged else None
            streak.add(own, experiments[number].origin)
        return streak.since

    def _follow(self) -> None:
        """Judge what the ledger has taken in since the last time."""
        objectives, slo = self._rules
        if objectives is not self._scorer.objectives or slo is not self._scorer.slo:
            self._forget()
        changes = self.ledger.changes
        while self._seen < len(changes):
            number = changes[self._seen]
            self._seen += 1
            experiment = self.ledger.experiments[number]
            if number in self._judged:
                if self._judged[number][0] is not experiment:
                    self._forget()
            elif experiment.status in FINISHED:
                own = self._losses(experiment)
                self._judged[number] = (experiment, own)
                # The lexicographically least is on the front, so it is the first of ``rank`` with any objectives.
                if own is not None and (self._best is None or (own, number) < self._best):
                    self._best = (own, number)

    def _losses(self, experiment: ExperimentRecord) -> Losses | None:
        verdict = verdict_on(experiment, self._scorer)
        if verdict is None or verdict.violated:
            return None
        return losses(verdict.penalised, verdict.directions)


def _reaches(a: Losses, b: Losses) -> bool:
    """Whether ``a`` equals or beats ``b`` in everything."""
    return all(x <= y for x, y in zip(a, b, strict=True))

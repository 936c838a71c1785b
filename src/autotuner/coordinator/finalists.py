"""What the starts of the confirmation say of each finalist. Follows from what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.config.optimization import Optimization
from autotuner.contracts.attempt import AttemptStatus
from autotuner.contracts.result import Standing
from autotuner.contracts.store import AttemptRow, ExperimentRecord
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.retry_policy import NOT_OF_THE_CONFIGURATION, Decision, FailedStart, decide
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.verdicts import verdicts
from autotuner.scoring.evidence import Gain
from autotuner.scoring.sequential import last_look, out_of_reach, repeated_gain, standings
from autotuner.scoring.trade_offs import trade_offs
from autotuner.scoring.verdict import Verdict, rank

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """All by the number of the experiment; the baseline is no finalist.

    Fields: ``starts``, the metrics of the starts that count, by round, the baseline's too; ``verdicts`` over these;
    ``out``, why a finalist cannot win; ``gains`` over the pairs of a finalist; ``standings`` of those that may win, at
    their last look.
    """

    starts: Mapping[int, Mapping[int, Metrics]] = field(default_factory=dict)
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)
    out: Mapping[int, str] = field(default_factory=dict)
    gains: Mapping[int, Gain] = field(default_factory=dict)
    standings: Mapping[int, Standing] = field(default_factory=dict)


class Assessor:
    """Assesses the confirmation of one task as its ledger fills. The metrics of each start are computed once."""

    def __init__(self, ledger: Ledger, scorer: Scorer, optimization: Optimization) -> None:
        self._ledger = ledger
        self._scorer = scorer
        self._least = max(2, optimization.confirm.starts)
        self._most = optimization.confirm.most
        self._useful = optimization.confirm.useful_gain
        self._retries = optimization.retries
        self._metrics: dict[int, Metrics] = {}

    def evidence(self, before: int | None = None) -> Evidence:
        """What all starts say, or those of the rounds before one."""
        starts = self._starts(before)
        over = {number: verdict for number, verdict in ((n, self._over(s)) for n, s in starts.items()) if verdict}
        baseline = self._ledger.baseline
        base = None if baseline is None else baseline.number
        finalists = [e.number for e in self._ledger.confirmed if e.number != base]
        out = {number: why for number in finalists if (why := self._out(number, over.get(number), before)) is not None}
        pairs = {n: p for n in finalists if base is not None and n in over and (p := self._pairs(starts, base, n))}
        gains = {number: self._gain(of_number, len(finalists)) for number, of_number in pairs.items()}
        looked = {n: self._at_last_look(pairs.get(n, ()), len(finalists)) for n in finalists if n not in out}
        seen = {n: pairs[n][: gain.pairs] for n, gain in looked.items() if gain is not None}
        hopeless = {n for n, of_number in seen.items() if self._hopeless(of_number, len(finalists))}
        return Evidence(starts, over, out, gains, standings(looked, useful=self._useful, hopeless=hopeless))

    def given_up(self, number: int, block: int) -> bool:
        """Whether the starts of a configuration in a round have failed, and the policy gives up."""
        starts = starts_in(self._ledger, number, block)
        decision = after_failures(starts, self._retries)
        return decision is not None and decision.delay_s is None and not any(map(self._ledger.measured, starts))

    def _starts(self, before: int | None) -> dict[int, dict[int, Metrics]]:
        found: dict[int, dict[int, Metrics]] = {}
        for experiment in self._ledger.confirmed:
            for block, attempt in sorted(self._ledger.confirmations(experiment).items()):
                metrics = self._of(experiment, attempt) if before is None or block < before else None
                if metrics is not None:
                    found.setdefault(experiment.number, {})[block] = metrics
        return found

    def _of(self, experiment: ExperimentRecord, attempt: AttemptRow) -> Metrics | None:
        if attempt.id not in self._metrics:
            figures = self._ledger.figures(attempt)
            if not figures.measurements:
                return None
            self._metrics[attempt.id] = self._scorer.metrics(
                figures.measurements,
                figures.inherited,
                configuration=experiment.parameters,
                answers=figures.answers,
            )
        return self._metrics[attempt.id]

    def _over(self, starts: Mapping[int, Metrics]) -> Verdict | None:
        verdict = self._scorer.judge_starts(list(starts.values()))
        return verdict if isinstance(verdict, Verdict) else None

    def _out(self, number: int, verdict: Verdict | None, before: int | None) -> str | None:
        if verdict is not None and verdict.violated:
            return verdict.reasons[0]
        blocks = {a.block for a in self._ledger.confirming(self._ledger.experiments[number]) if a.block is not None}
        for block in sorted(blocks):
            if (before is None or block < before) and self.given_up(number, block):
                last = starts_in(self._ledger, number, block)[-1].failure
                if last is not None and last.kind not in NOT_OF_THE_CONFIGURATION:
                    return f"its server failed: {last.diagnosis}"
        return None

    def _pairs(self, starts: Mapping[int, Mapping[int, Metrics]], base: int, number: int) -> list[tuple[float, float]]:
        objective = self._scorer.objectives[0]
        theirs, ours = starts.get(base, {}), starts.get(number, {})
        both = [
            (objective.value(theirs[block]), objective.value(ours[block])) for block in sorted(theirs.keys() & ours)
        ]
        return [(a, b) for a, b in both if a is not None and b is not None and a > 0 and b > 0]

    def _gain(self, pairs: Sequence[tuple[float, float]], finalists: int) -> Gain:
        return repeated_gain(
            [theirs for theirs, _ in pairs],
            [ours for _, ours in pairs],
            direction=self._scorer.objectives[0].direction,
            least=self._least,
            finalists=finalists,
        )

    def _hopeless(self, pairs: Sequence[tuple[float, float]], finalists: int) -> bool:
        return out_of_reach(
            [theirs for theirs, _ in pairs],
            [ours for _, ours in pairs],
            direction=self._scorer.objectives[0].direction,
            least=self._least,
            most=self._most,
            finalists=finalists,
        )

    def _at_last_look(self, pairs: Sequence[tuple[float, float]], finalists: int) -> Gain | None:
        looked = last_look(len(pairs), self._least)
        return None if looked is None else self._gain(pairs[:looked], finalists)


def candidates(ledger: Ledger, scorer: Scorer) -> list[int]:
    """The eligible configurations that rank before the baseline, best first.

    With several objectives the front comes first, in the order in which it is told best: the best by the first
    objective, the knee, the best by each other one, then by the distance from having the best of everything.

    They follow from the figures that the search stored, which the confirmation never changes.
    """
    judged = verdicts(ledger, scorer)
    baseline = ledger.baseline
    chosen: list[int] = []
    for number in rank(judged):
        if judged[number].violated or (baseline is not None and number == baseline.number):
            break
        chosen.append(number)
    if len(scorer.objectives) < 2:
        return chosen
    eligible = {number: verdict.penalised for number, verdict in judged.items() if not verdict.violated}
    told = trade_offs(eligible, scorer.directions).order
    front = [number for number in told if baseline is None or number != baseline.number]
    return [*front, *(number for number in chosen if number not in told)]


def starts_in(ledger: Ledger, number: int, block: int) -> list[AttemptRow]:
    """The starts of a configuration in a round of the confirmation, however they ended."""
    return [a for a in ledger.confirming(ledger.experiments[number]) if a.block == block]


def after_failures(starts: Sequence[AttemptRow], retries: int) -> Decision | None:
    """What the policy says after the failed ones of these starts; None when none has failed."""
    failed = [FailedStart(a.failure) for a in starts if a.status is AttemptStatus.FAILED and a.failure is not None]
    return decide([failed], retries) if failed else None

"""The confirmation: which configurations are started again, in which order, until when, and doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.store import AttemptRow
from autotuner.coordinator.finalists import Assessor, Evidence, after_failures, candidates, starts_in
from autotuner.coordinator.ledger import OWN, Ledger, duration
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import summarise
from autotuner.planning.confirmation import affordable
from autotuner.planning.plan import Plan
from autotuner.scoring.evidence import confirmation_order

DISTURBED_TRIES = 3
"""So many starts of a configuration in one round, while each of them is disturbed by other programs."""


async def confirm(run: Run) -> str | None:
    """Start finalists and baseline again in interleaved rounds until verdicts are clear; why it was cut short, if so.

    Without a baseline that was measured, or without a configuration that ranks before it, there is nothing to confirm.
    """
    plan = run.plan
    if not plan.confirm_starts or run.ledger.baseline is None or run.ledger.baseline_metrics is None:
        return None
    confirmation = Confirmation(plan, run.ledger, run.scorer)
    optimization = plan.document.optimization
    wall = optimization.budget.wall_clock_s
    while isinstance(step := confirmation.next(), NextStart):
        run.watch.confirming = step.expected
        if wall is not None and not run.time_for_another(wall):
            return f"the confirmation was cut short by the time budget of {wall:.0f} s"
        experiment = run.ledger.experiments[step.number]
        await run.may_start()
        run.watch.begin(experiment, AttemptReason.CONFIRM)
        start = await run.starter.start(experiment, AttemptReason.CONFIRM, run.watch.moved, block=step.block)
        run.watch.ended()
        run.watch.show()
        shown = summarise(experiment, run.ledger, start=start.figures, scorer=run.scorer)
        if start.failure is not None:
            shown = shown.model_copy(update={"failure": start.failure})  # of this start, not of the experiment
        run.observer.on_start_finished(shown, AttemptReason.CONFIRM)
        if start.failure is not None:
            decision = after_failures(starts_in(run.ledger, step.number, step.block), optimization.retries)
            if decision is not None and decision.delay_s is not None:
                await run.sleep(decision.delay_s)
    run.watch.confirming = step.expected
    run.watch.show()
    return step.reason


@dataclass(frozen=True)
class NextStart:
    """The next start: in which round, and of which experiment. ``expected``: starts of all confirmations so far, and
    those that will follow for certain.
    """

    block: int
    number: int
    expected: int


@dataclass(frozen=True)
class Over:
    """The confirmation is over. ``reason``: what cut it short; None when every verdict is clear."""

    reason: str | None
    expected: int


class Confirmation:
    """Decides which start comes next, from what is stored alone: one that was cut off goes on exactly.

    Finalists are started in rounds together with the baseline; in each round everything once, in an order that
    balances the drift of the machine. A round leaves out the finalists whose verdict is clear. When all finalists are
    ruled out, the next best take their place. At most ``confirm_most`` rounds of the same finalists; at most so many
    starts in all as the plan's finalists would need for them, or as the time that is left after the search can pay.

    Starts count for this confirmation when they came after the last one of the search. Rounds of an earlier one are
    not filled up, since starts of another day are no pairs; what they measured counts as it is.
    """

    def __init__(self, plan: Plan, ledger: Ledger, scorer: Scorer) -> None:
        self._ledger = ledger
        self._least, self._most = plan.confirm_starts, plan.confirm_most
        self._top_k = plan.confirm_top_k
        self._optimization = plan.document.optimization
        self._assessor = Assessor(ledger, scorer, self._optimization)
        self._candidates = candidates(ledger, scorer)
        baseline = ledger.baseline
        self._base = -1 if baseline is None else baseline.number
        self._since = max((a.id for a in ledger.attempts.values() if a.reason in OWN), default=0)
        self._numbers = {experiment.id: number for number, experiment in ledger.experiments.items()}
        self._reserve = self._payable()
        earlier = [a.block for a in self._confirming() if a.id < self._since and a.block is not None]
        self._before = max(earlier, default=-1)

    def next(self) -> NextStart | Over:
        """The next start, or why there is none."""
        evidence = self._assessor.evidence()
        wave, after, cut = self._wave(evidence)
        if not wave:
            return Over(cut, self._measured_in_all())
        last = max((block for block, _ in self._own() if block > after), default=None)
        if last is not None:
            members = self._members(wave, last, after)
            number = self._within(last, after, members, evidence)
            if number is not None:
                return NextStart(last, number, self._expected(members, last, after))
        block = after + 1 if last is None else last + 1
        members = self._members(wave, block, after)
        if len(members) < 2:
            return Over(None, self._measured_in_all())
        if block - after > self._most or self._spent(block) + len(members) > self._reserve:
            return Over(self._used_up(), self._measured_in_all())
        return NextStart(block, members[0], self._expected(members, block, after))

    # ---- the reserve

    def _payable(self) -> float:
        """So many starts the confirmation may have."""
        starts = float((self._top_k + 1) * self._most)
        wall = self._optimization.budget.wall_clock_s
        if wall is None:
            return starts
        own = [a for a in self._ledger.attempts.values() if a.reason in OWN]
        good = [duration(a) for a in own if a.status is AttemptStatus.SUCCESS]
        used = sum(map(duration, own))
        pace = sum(good) / len(good) if good else 0.0
        return min(starts, max(0.0, wall - used) / pace) if pace else starts

    def _used_up(self) -> str:
        return f"not every verdict is clear within the reserve of {self._reserve:.0f} starts"

    def _spent(self, before: int) -> int:
        """Measured starts of this confirmation in the rounds before one."""
        return sum(block < before and self._ledger.measured(attempt) for block, attempt in self._own())

    # ---- who is confirmed

    def _wave(self, evidence: Evidence) -> tuple[list[int], int, str | None]:
        """The finalists of which one at least may still win, the last round before theirs, and why there are none."""
        index, after = 0, self._before
        while True:
            size = affordable(self._top_k, self._least, self._reserve - self._spent(after + 1))
            wave = self._candidates[index : index + size]
            if not wave:
                left = len(self._candidates) - index
                return [], after, self._nobody(index, left) if left else None
            if any(number not in evidence.out for number in wave):
                return wave, after, None
            theirs = {self._ledger.experiments[number].id for number in wave}
            after = max([after, *(block for block, attempt in self._own() if attempt.experiment_id in theirs)])
            index += len(wave)

    def _nobody(self, tried: int, left: int) -> str:
        if tried:
            finalists = "1 finalist was" if tried == 1 else f"{tried} finalists were"
            return f"{finalists} ruled out; the reserve cannot pay {self._least} pairs of the next (of {left} left)"
        return (
            f"nothing was confirmed: {self._least} paired starts need {2 * self._least} starts, the time that is left "
            f"pays {self._reserve:.0f}"
        )

    def _members(self, wave: Sequence[int], block: int, after: int) -> list[int]:
        """Who is started in a round, in order: by what the rounds before it say. The baseline alone: nobody."""
        evidence = self._assessor.evidence(before=block)
        unclear = {n for n in wave if n not in evidence.out and evidence.standings.get(n, "open") == "open"}
        names = [str(number) for number in (self._base, *wave)]
        turn = block - after
        order = map(int, confirmation_order(names, turn, self._optimization.seed)[turn - 1])
        return [number for number in order if number in unclear or number == self._base] if unclear else []

    # ---- within a round

    def _within(self, block: int, after: int, members: Sequence[int], evidence: Evidence) -> int | None:
        """Who comes next in a round that was begun; None when it is complete, or was one of other finalists."""
        theirs = [attempt for at, attempt in self._own() if at == block]
        started = list(dict.fromkeys(self._numbers[attempt.experiment_id] for attempt in theirs))
        if not self._is_ours(started, members, evidence):
            return None
        newest = theirs[-1]
        for number in members:
            if self._idle(number, block, members, evidence):
                continue
            starts = starts_in(self._ledger, number, block)
            measured = [attempt for attempt in starts if self._ledger.measured(attempt)]
            if not measured and not self._assessor.given_up(number, block):
                return number
            if measured and newest.id == measured[-1].id and self._repeatable(measured, block, after, members):
                return number
        return None

    def _is_ours(self, started: Sequence[int], members: Sequence[int], evidence: Evidence) -> bool:
        """Whether a round with these starts, in this order, is one of these members."""
        if not started or not set(started) <= set(members):
            return False
        upto = members[: members.index(started[-1])]
        skipped = [number for number in upto if number not in started]
        return list(started) == [n for n in members if n in started] and all(n in evidence.out for n in skipped)

    def _idle(self, number: int, block: int, members: Sequence[int], evidence: Evidence) -> bool:
        """Whether a start of it could be paired with nothing that still matters."""
        if number != self._base:
            return number in evidence.out or self._assessor.given_up(self._base, block)
        others = [n for n in members if n != self._base]
        return all(n in evidence.out or self._assessor.given_up(n, block) for n in others)

    def _repeatable(self, measured: Sequence[AttemptRow], block: int, after: int, members: Sequence[int]) -> bool:
        """Whether all of these starts were disturbed, and the reserve pays another beside the least pairs of all."""
        if len(measured) >= DISTURBED_TRIES or not all(map(self._ledger.disturbed, measured)):
            return False
        return self._spent(block + 1) + self._outstanding(members, block, after) + 1 <= self._reserve

    def _outstanding(self, members: Sequence[int], block: int, after: int) -> int:
        """Starts that the members of a round lack: in that round, and for the least number of pairs."""
        lacking = 0
        for number in members:
            own = [(at, a) for at, a in self._own() if at > after and self._numbers[a.experiment_id] == number]
            found = {at for at, attempt in own if self._ledger.measured(attempt)}
            lacking += max(int(block not in found), self._least - len(found))
        return lacking

    # ---- counts

    def _expected(self, members: Sequence[int], block: int, after: int) -> int:
        return self._measured_in_all() + self._outstanding(members, block, after)

    def _measured_in_all(self) -> int:
        """Rounds of all experiments that have a measured start, of all confirmations: as the display counts them."""
        return sum(len(self._ledger.confirmations(experiment)) for experiment in self._ledger.confirmed)

    def _confirming(self) -> list[AttemptRow]:
        return sorted(
            (a for e in self._ledger.confirmed for a in self._ledger.confirming(e)), key=lambda attempt: attempt.id
        )

    def _own(self) -> list[tuple[int, AttemptRow]]:
        """Round and start of this confirmation, in the order of the starts."""
        return [(a.block, a) for a in self._confirming() if a.id > self._since and a.block is not None]

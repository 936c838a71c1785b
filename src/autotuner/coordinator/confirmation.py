"""The confirmation: which configurations are started again, in which order, and doing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.store import AttemptRow
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.pareto import front_finalists
from autotuner.coordinator.retry_policy import Decision, FailedStart, decide
from autotuner.coordinator.run import Run
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import summarise
from autotuner.coordinator.verdicts import verdicts
from autotuner.scoring.evidence import confirmation_order
from autotuner.scoring.verdict import rank


async def confirm(run: Run) -> str | None:
    """Start the finalists and the baseline again in interleaved rounds; why it was cut short, if it was.

    Without a baseline that was measured, or without a configuration that ranks before it, there is nothing to confirm.
    """
    plan, baseline = run.plan, run.ledger.baseline
    if not plan.confirm_starts or baseline is None or run.ledger.baseline_metrics is None:
        return None
    chosen = finalists(run.ledger, run.scorer, plan.confirm_top_k)
    if not chosen:
        return None
    names = [baseline.number, *chosen]
    run.watch.confirming = len(names) * plan.confirm_starts
    optimization = plan.document.optimization
    wall = optimization.budget.wall_clock_s
    for block, number in missing_starts(
        run.ledger, names, plan.confirm_starts, optimization.seed, tries=1 + optimization.retries
    ):
        if wall is not None and not run.time_for_another(wall):
            return f"the confirmation was cut short by the time budget of {wall:.0f} s"
        experiment = run.ledger.experiments[number]
        await run.may_start()
        run.watch.begin(experiment, AttemptReason.CONFIRM)
        start = await run.starter.start(experiment, AttemptReason.CONFIRM, run.watch.moved, block=block)
        run.watch.ended()
        if start.failure is not None:
            run.observer.on_message(f"A start of the confirmation failed: {start.failure.diagnosis}.")
            decision = _after(_starts_of(run.ledger, number, block), optimization.retries)
            if decision is not None and decision.delay_s is not None:
                await run.sleep(decision.delay_s)
        run.watch.show()
        shown = summarise(experiment, run.ledger, start=start.figures, scorer=run.scorer)
        run.observer.on_start_finished(shown, AttemptReason.CONFIRM)
    return None


def finalists(ledger: Ledger, scorer: Scorer, top_k: int) -> list[int]:
    """The best eligible configurations that rank before the baseline, at most ``top_k``, best first.

    With several objectives those that stand for the front (``front_finalists``).

    They follow from the figures that the search stored, which the confirmation never changes.
    """
    judged = verdicts(ledger, scorer)
    baseline = ledger.baseline
    if len(scorer.objectives) > 1:
        return front_finalists(judged, None if baseline is None else baseline.number, scorer, top_k)
    chosen: list[int] = []
    for number in rank(judged):
        if judged[number].violated or (baseline is not None and number == baseline.number):
            break
        chosen.append(number)
    return chosen[:top_k]


def missing_starts(
    ledger: Ledger, numbers: Sequence[int], rounds: int, seed: int, *, tries: int
) -> Iterator[tuple[int, int]]:
    """(round, experiment number) of each start that is not there yet, interleaved. Follows the ledger as it fills.

    A start that failed is tried again by the policy, ``tries`` times in all unless the failure was transient. Rounds of
    an earlier confirmation that had other finalists are not filled up, since starts of another day are no pairs: new
    rounds follow them.
    """
    first = _first_round(ledger, numbers)
    names = [str(number) for number in numbers]
    for block, order in enumerate(confirmation_order(names, rounds, seed), start=first):
        for number in map(int, order):
            while _is_missing(ledger, number, block, tries):
                yield block, number


def _first_round(ledger: Ledger, numbers: Sequence[int]) -> int:
    """The number after the last round that belongs to a confirmation with other finalists.

    Such a round was begun before one of ``numbers`` was measured at all, or went by without one of them.
    """
    found = [ledger.scoring_attempt(ledger.experiments[number]) for number in numbers]
    known_since = max((attempt.id for attempt in found if attempt is not None), default=0)
    rounds: dict[int, list[AttemptRow]] = {}
    for experiment in ledger.confirmed:
        for attempt in ledger.confirming(experiment):
            if attempt.block is not None:
                rounds.setdefault(attempt.block, []).append(attempt)
    wanted = {ledger.experiments[number].id for number in numbers}
    last = max(rounds, default=-1)
    foreign = [
        block
        for block, starts in rounds.items()
        if any(attempt.id < known_since for attempt in starts)
        or (block < last and not wanted <= {attempt.experiment_id for attempt in starts})
    ]
    return max(foreign, default=-1) + 1


def _is_missing(ledger: Ledger, number: int, block: int, tries: int) -> bool:
    starts = _starts_of(ledger, number, block)
    decision = _after(starts, tries - 1)
    return (decision is None or decision.delay_s is not None) and not any(map(ledger.measured, starts))


def _starts_of(ledger: Ledger, number: int, block: int) -> list[AttemptRow]:
    return [a for a in ledger.confirming(ledger.experiments[number]) if a.block == block]


def _after(starts: Sequence[AttemptRow], retries: int) -> Decision | None:
    """What the policy says after the failed ones of these starts; None when none has failed."""
    failed = [FailedStart(a.failure) for a in starts if a.status is AttemptStatus.FAILED and a.failure is not None]
    return decide([failed], retries) if failed else None

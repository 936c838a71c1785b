"""What verifications of a winner came to, from the starts that are stored of them. They are shown, never scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from autotuner.contracts.attempt import AttemptReason, AttemptStatus
from autotuner.contracts.measurement import Distribution, Measurement
from autotuner.contracts.result import TaskResult, Verification, VerifyFigure
from autotuner.contracts.store import AttemptRow, Store

TOLERANCE = 0.10
"""Two clients agree on a figure when it differs by no more than this share."""

CLOSE_S = 0.005
"""Times that are closer than this agree, seconds: what a client itself adds is no difference of the server."""

CLOSE_TPOT_S = CLOSE_S / 10
"""The same for the time per token, which is smaller."""


async def with_verifications(result: TaskResult, store: Store) -> TaskResult:
    """The result with what is stored of verifications of its winner, oldest first."""
    if result.winner is None:
        return result
    attempts = await store.list_attempts(result.task_id, experiment_id=result.winner.id)
    verifying = [attempt for attempt in attempts if attempt.reason is AttemptReason.VERIFY]
    if not verifying:
        return result
    measured: dict[int, list[Measurement]] = {}
    for row in await store.list_measurements(result.task_id, experiment_id=result.winner.id):
        measured.setdefault(row.attempt_id, []).append(row.measurement)
    return result.model_copy(update={"verifications": tuple(verifications(verifying, measured))})


def verifications(
    attempts: Iterable[AttemptRow], measured: Mapping[int, Sequence[Measurement]]
) -> Iterator[Verification]:
    """One per round that was not cut off. A round is a start with the task's own client, and one with another."""
    rounds: dict[int, list[AttemptRow]] = {}
    for attempt in attempts:
        if attempt.block is not None:
            rounds.setdefault(attempt.block, []).append(attempt)
    for number, starts in sorted(rounds.items()):
        jobs = [start.job for start in starts]
        if len(starts) != 2 or jobs[0] is None or jobs[1] is None:
            continue
        if any(start.status not in (AttemptStatus.SUCCESS, AttemptStatus.FAILED) for start in starts):
            continue
        failures = [start.failure for start in starts if start.failure is not None]
        own, other = (measured.get(start.id, ()) for start in starts)
        figures = () if failures else tuple(compare(own, other))
        yield Verification(
            round=number,
            own_client=jobs[0].client,
            own_version=_version(own),
            client=jobs[1].client,
            client_version=_version(other),
            figures=figures,
            tolerance=TOLERANCE,
            close_s=CLOSE_S,
            agrees=bool(figures) and all(figure.agrees is not False for figure in figures),
            failure=failures[0].diagnosis if failures else None,
            started_at=starts[0].started_at,
        )


def next_round(attempts: Iterable[AttemptRow]) -> int:
    """The number of the next round: none is gone on with, since a server's other start is no pair."""
    used = [a.block for a in attempts if a.reason is AttemptReason.VERIFY and a.block is not None]
    return max(used, default=-1) + 1


def compare(own: Sequence[Measurement], other: Sequence[Measurement]) -> Iterator[VerifyFigure]:
    """The figures of two starts side by side, for each load point that both measured."""
    theirs = {measurement.load_point: measurement for measurement in other}
    for measurement in own:
        if measurement.load_point in theirs:
            yield from _compare(measurement, theirs[measurement.load_point])


def _compare(own: Measurement, other: Measurement) -> Iterator[VerifyFigure]:
    for name, unit, first, second, close in (
        ("median ttft", "s", _p50(own.ttft), _p50(other.ttft), CLOSE_S),
        ("p99 ttft", "s", _p99(own.ttft), _p99(other.ttft), None),
        ("mean tpot", "s", _mean(own.tpot), _mean(other.tpot), CLOSE_TPOT_S),
        ("median latency", "s", _p50(own.e2e), _p50(other.e2e), CLOSE_S),
        ("output throughput", "tokens/s", own.output_throughput, other.output_throughput, 0.0),
        ("request rate", "requests/s", own.requests_per_second, other.requests_per_second, 0.0),
        ("success rate", "share", own.success_rate, other.success_rate, 0.0),
    ):
        difference = second / first - 1 if first and second is not None else None
        yield VerifyFigure(
            load_point=own.load_point,
            name=name,
            unit=unit,
            own=first,
            other=second,
            difference=difference,
            agrees=None if close is None else _agrees(first, second, close),
        )


def _agrees(own: float | None, other: float | None, close: float) -> bool:
    if own is None or other is None:
        return own is other
    return abs(other - own) <= max(TOLERANCE * own, close)


def _p50(found: Distribution | None) -> float | None:
    return None if found is None else found.p50


def _p99(found: Distribution | None) -> float | None:
    return None if found is None else found.p99


def _mean(found: Distribution | None) -> float | None:
    return None if found is None else found.mean


def _version(measured: Sequence[Measurement]) -> str | None:
    return measured[0].client_version if measured else None

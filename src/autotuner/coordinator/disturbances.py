"""What makes the figures of a task less certain than they look. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autotuner.contracts.attempt import AttemptStatus
from autotuner.coordinator.ledger import Ledger


def disturbances(ledger: Ledger, confirmation: Mapping[int, Mapping[int, Mapping[str, Any]]]) -> Iterator[str]:
    """What makes figures of this task less certain than they look."""
    measured: dict[int, list[Mapping[str, Any]]] = {n: [e.metrics] for n, e in ledger.experiments.items() if e.metrics}
    for number, of_number in confirmation.items():
        measured.setdefault(number, []).extend(of_number.values())
    starts = [metrics for of_number in measured.values() for metrics in of_number]
    disturbed = sum(bool(metrics.get("disturbed")) for metrics in starts)
    if disturbed:
        yield (
            f"{disturbed} of {len(starts)} starts were disturbed by other programs on the cores of server and client: "
            "their figures are worse or less certain than on a quiet machine"
        )
    saturated = sum(bool(metrics.get("client_saturated")) for metrics in starts)
    if saturated:
        yield f"in {saturated} of {len(starts)} starts the client itself was at its limit: latencies may be too high"
    behind = sum(bool(metrics.get("load_not_sustained")) for metrics in starts)
    if behind:
        yield (
            f"in {behind} of {len(starts)} starts requests came faster than the server answered them: latencies at "
            "such a rate grow with the length of the window"
        )
    mixed = sum(any(metrics.get("from_other_start") for metrics in of_number) for of_number in measured.values())
    if mixed:
        many = "experiments have" if mixed > 1 else "experiment has"
        yield f"{mixed} {many} figures of two starts, because a run was cut off between their load points"
    unkept = [metrics["samples_errors"] for metrics in starts if metrics.get("samples_errors")]
    if unkept:
        reasons = ", ".join(sorted({reason for of_start in unkept for reason in of_start}))
        yield (
            f"the request records of {len(unkept)} of {len(starts)} starts could not be written ({reasons}): "
            "their figures are whole, but cannot be looked into"
        )


def failed_confirmations(ledger: Ledger) -> Iterator[str]:
    """Which configurations failed to start again, and why."""
    for experiment in ledger.confirmed:
        starts = ledger.confirming(experiment)
        failed = [attempt for attempt in starts if attempt.status is AttemptStatus.FAILED]
        if failed:
            why = failed[-1].failure.diagnosis if failed[-1].failure is not None else "no reason is known"
            where = f"starts of experiment {experiment.number} in the confirmation"
            yield f"{len(failed)} of {len(starts)} {where} failed: {why}"

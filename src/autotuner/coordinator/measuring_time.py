"""How long a task has measured, and what early stops saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any

from autotuner.contracts.result import MeasuringTime
from autotuner.contracts.store import ExperimentStatus
from autotuner.coordinator.ledger import Ledger


def measuring_time(ledger: Ledger, confirmation: Iterable[Mapping[str, Any]]) -> MeasuringTime:
    """Over the experiments' own starts and those of the ``confirmation`` (metrics of each); failed starts left out."""
    experiments = [e for e in ledger.experiments.values() if e.metrics is not None]
    starts = [*(e.metrics for e in experiments if e.metrics is not None), *confirmation]
    saved = [float(metrics.get("saved_s") or 0.0) for metrics in starts]
    return MeasuringTime(
        windows_s=fsum(float(metrics.get("measured_s") or 0.0) for metrics in starts),
        saved_s=fsum(saved),
        shortened=sum(seconds > 0 for seconds in saved),
        pruned=sum(e.status is ExperimentStatus.PRUNED for e in experiments),
    )

"""Reading aggregated metrics: a figure is there and finite, or it is missing. There is nothing between."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHARE_DECIMALS = 12
"""1 − 0.99 is 0.010000000000000009; rounding a ratio of counts keeps an error rate of exactly 1 % at its limit."""


@dataclass(frozen=True)
class Missing:
    """Needed figures that are absent, None, NaN or infinite: the experiment has failed and gets no score.

    ``metrics``: their names, in the order of need.
    """

    metrics: tuple[str, ...]

    @property
    def reason(self) -> str:
        """One sentence for the experiment's failure."""
        return f"figures needed to judge it are missing: {', '.join(self.metrics)}"


def scenarios_of(metrics: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Flat metrics per scenario (key ``scenarios``); the metrics themselves when there is only one.

    An entry that is no mapping counts as one without figures.
    """
    scenarios = metrics.get("scenarios")
    if isinstance(scenarios, Sequence) and not isinstance(scenarios, str) and scenarios:
        return tuple(entry if isinstance(entry, Mapping) else {} for entry in scenarios)
    return (metrics,)


def figure(flat: Mapping[str, Any], name: str) -> float | None:
    """A figure by name; None unless it is a finite number ≥ 0 (no aggregated metric is negative).

    ``error_rate`` is taken from ``success_rate`` or the counts of requests where it is not given itself.
    """
    if name == "error_rate":
        return _error_rate(flat)
    return _number(flat.get(name))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value)
    return number if math.isfinite(number) and number >= 0 else None


def _error_rate(flat: Mapping[str, Any]) -> float | None:
    rate = _number(flat.get("error_rate"))
    if rate is None:
        success = _number(flat.get("success_rate"))
        rate = None if success is None else 1.0 - success
    if rate is None:
        total, completed = _number(flat.get("total_requests")), _number(flat.get("total_completed_requests"))
        rate = (total - completed) / total if total and completed is not None else None
    return None if rate is None else max(0.0, round(rate, _SHARE_DECIMALS))

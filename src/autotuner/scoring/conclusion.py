"""The one sentence a task ends with."""

from __future__ import annotations

from typing import Literal

from autotuner.contracts.values import Frozen
from autotuner.scoring.evidence import Gain
from autotuner.scoring.slo import percent
from autotuner.scoring.verdict import Nearest, Verdict

BASELINE = "baseline"
MINIMAL_BASELINE = "minimal runnable baseline"
"""What the baseline is called when the engine's defaults did not run and the smallest world size took its place."""

ConclusionKind = Literal["gain", "no_significant_gain", "unconfirmed", "no_baseline", "infeasible", "no_result"]


class Conclusion(Frozen):
    """What a task found out."""

    kind: ConclusionKind
    sentence: str
    slo_label: str | None = None
    """Set when the winner is eligible but misses an SLO: which one and by how much."""


def conclude(
    winner: str,
    verdict: Verdict,
    *,
    baseline: str | None,
    gain: Gain | None,
    baseline_label: str = BASELINE,
) -> Conclusion:
    """The conclusion for a winner.

    ``winner`` and ``baseline``: names of configurations (baseline None: none ran). ``verdict``: the winner's, over all
    its starts. ``gain``: over the paired starts of the confirmation; None when it was not confirmed.
    ``baseline_label``: ``BASELINE`` or ``MINIMAL_BASELINE``.
    """
    kind, sentence = _compare(winner, baseline, gain, f"the {baseline_label}")
    if verdict.met:
        return Conclusion(kind=kind, sentence=f"{sentence}.")
    label = f"{winner} misses its SLO: {'; '.join(verdict.reasons)}"
    return Conclusion(kind=kind, sentence=f"{sentence}. {label}.", slo_label=label)


def conclude_infeasible(nearest_name: str, nearest: Nearest) -> Conclusion:
    """The conclusion when every configuration that ran violates a hard SLO."""
    miss = nearest.worst
    by = miss.rule.text(miss.actual - miss.rule.threshold)
    sentence = f"No configuration meets the SLO, the nearest is {nearest_name}, missing by {by}: {miss.reason}."
    return Conclusion(kind="infeasible", sentence=sentence)


def conclude_nothing(reason: str) -> Conclusion:
    """The conclusion when no configuration gave a score; ``reason`` without a final full stop."""
    return Conclusion(kind="no_result", sentence=f"No configuration gave a result, so no gain is claimed: {reason}.")


def _compare(winner: str, baseline: str | None, gain: Gain | None, reference: str) -> tuple[ConclusionKind, str]:
    if baseline is None:
        return "no_baseline", f"{winner} is the best found, but no gain is claimed: no baseline ran to compare it with"
    if winner == baseline:
        return "no_significant_gain", f"No significant gain: nothing better than {reference} was found"
    if gain is None or gain.low is None or gain.high is None:
        return "unconfirmed", (
            f"{winner} is the best found, but it was not confirmed against {reference}, so no gain is claimed"
        )
    starts = f"{100 * gain.confidence:.4g} % interval {_range(gain.low, gain.high)}, {gain.pairs} paired starts"
    if gain.significant:
        return "gain", f"{winner} is {percent(gain.gain)} better than {reference} ({starts})"
    word = "better" if gain.gain >= 0 else "worse"
    measured = f"{winner} measured {percent(abs(gain.gain))} {word} than {reference}"
    return "no_significant_gain", f"No significant gain: {measured} ({starts})"


def _range(low: float, high: float) -> str:
    joint = "–" if low >= 0 else " to "
    return f"{percent(low).removesuffix(' %')}{joint}{percent(high)}"

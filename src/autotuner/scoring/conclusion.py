"""The one sentence a task ends with."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.contracts.result import VerdictKind
from autotuner.contracts.values import Frozen
from autotuner.scoring.evidence import Gain
from autotuner.scoring.slo import percent
from autotuner.scoring.verdict import Nearest, Verdict

BASELINE = "baseline"
MINIMAL_BASELINE = "minimal runnable baseline"
"""What the baseline is called when the engine's defaults did not run and the smallest world size took its place."""


class Conclusion(Frozen):
    """What a task found out."""

    kind: VerdictKind
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
    baseline_violates: str | None = None,
    candidate: tuple[str, Gain] | None = None,
    ruled_out: Sequence[str] = (),
) -> Conclusion:
    """The conclusion for the best candidate.

    ``winner`` and ``baseline``: names of configurations (baseline None: none ran). ``verdict``: the winner's, over all
    its starts. ``gain``: over the paired starts of the confirmation; None when it was not confirmed.
    ``baseline_label``: ``BASELINE`` or ``MINIMAL_BASELINE``. ``baseline_violates``: which hard SLO the baseline misses.
    ``candidate``: where the winner is the baseline, the best of the others that were confirmed. ``ruled_out``: names of
    finalists that cannot win.
    """
    reference = f"the {baseline_label}"
    if baseline is None:
        kind: VerdictKind = "no_baseline"
        sentence = f"{winner} is the best found, but no gain is claimed: no baseline ran to compare it with"
    elif winner == baseline:
        kind, sentence = "no_significant_gain", _none_better(reference, candidate, ruled_out)
    elif gain is None or gain.vague:
        kind, sentence = "unconfirmed", _unconfirmed(winner, reference, gain, ruled_out)
    elif gain.significant:
        kind, sentence = "gain", f"{winner} is {percent(gain.gain)} better than {reference} ({_starts(gain)})"
        if baseline_violates is not None:
            sentence += f", and keeps the hard SLOs, which {reference} does not: {baseline_violates}"
    elif baseline_violates is not None:
        kind = "only_eligible"
        sentence = (
            f"{winner} keeps the hard SLOs in all {gain.pairs} starts, {reference} does not: {baseline_violates}; it "
            f"measured {_measured(gain)} than {reference} ({_starts(gain)})"
        )
    else:
        kind = "no_significant_gain"
        sentence = (
            f"No significant gain: the best candidate, {winner}, measured {_measured(gain)} than {reference} "
            f"({_starts(gain)})"
        )
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


def _none_better(reference: str, candidate: tuple[str, Gain] | None, ruled_out: Sequence[str]) -> str:
    sentence = f"No significant gain: nothing better than {reference} was found"
    if candidate is not None:
        name, gain = candidate
        told = "too few starts to tell more" if gain.vague else _starts(gain)
        return f"{sentence}; the best candidate, {name}, measured {_measured(gain)} ({told})"
    if ruled_out:
        return f"{sentence} that could be confirmed; ruled out when started again: {', '.join(ruled_out)}"
    return sentence


def _unconfirmed(winner: str, reference: str, gain: Gain | None, ruled_out: Sequence[str]) -> str:
    if gain is None:
        sentence = f"{winner} is the best found, but it was not confirmed against {reference}, so no gain is claimed"
        return sentence + (f"; ruled out when started again: {', '.join(ruled_out)}" if ruled_out else "")
    starts = "paired start is" if gain.pairs == 1 else "paired starts are"
    return (
        f"{winner} is the best candidate and measured {_measured(gain)} than {reference}, but {gain.pairs} {starts} "
        "too few to tell, so no gain is claimed"
    )


def _measured(gain: Gain) -> str:
    return f"{percent(abs(gain.gain))} {'better' if gain.gain >= 0 else 'worse'}"


def _starts(gain: Gain) -> str:
    if gain.low is None or gain.high is None:
        return f"{gain.pairs} paired starts"
    return f"{100 * gain.confidence:.4g} % interval {_range(gain.low, gain.high)}, {gain.pairs} paired starts"


def _range(low: float, high: float) -> str:
    joint = "–" if low >= 0 else " to "
    return f"{percent(low).removesuffix(' %')}{joint}{percent(high)}"

"""What the starts of the confirmation come to: gains, noise, and who wins. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autotuner.contracts.result import GainFigure
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import slo_lines
from autotuner.scoring.evidence import Gain, paired_gain, pooled_noise
from autotuner.scoring.verdict import Verdict, rank

ALPHA = 0.01
"""A gain is claimed at 1 % after correction for the number of finalists (search.md, Evidence)."""


def confirmation_starts(ledger: Ledger, scorer: Scorer) -> dict[int, dict[int, dict[str, Any]]]:
    """Metrics of each confirmation start: experiment number → round → metrics."""
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for experiment in ledger.confirmed:
        for block, attempt in ledger.confirmations(experiment).items():
            figures = ledger.figures(attempt)
            if figures.measurements:
                metrics = scorer.metrics(figures.measurements, figures.inherited, configuration=experiment.parameters)
                found.setdefault(experiment.number, {})[block] = metrics
    return found


def over_all(starts: Sequence[Mapping[str, Any]], scorer: Scorer) -> Verdict | None:
    """The verdict over all starts of a configuration; None without starts or where one of them lacks a figure."""
    verdict = scorer.judge_starts(starts) if starts else None
    return verdict if isinstance(verdict, Verdict) else None


def gains_of(
    starts: Mapping[int, Mapping[int, Mapping[str, Any]]],
    base: int | None,
    scorer: Scorer,
    over_starts: Mapping[int, Verdict],
) -> dict[int, Gain]:
    """The paired gain of each finalist that has at least one round together with the baseline."""
    objective = scorer.objectives[0]
    if base is None or base not in starts:
        return {}
    finalists = [number for number in starts if number != base and number in over_starts]
    gains: dict[int, Gain] = {}
    for number in finalists:
        pairs = [
            (theirs, ours)
            for block in sorted(starts[base].keys() & starts[number].keys())
            if (theirs := objective.value(starts[base][block])) is not None
            and (ours := objective.value(starts[number][block])) is not None
            and theirs > 0
            and ours > 0
        ]
        if pairs:
            gains[number] = paired_gain(
                [theirs for theirs, _ in pairs],
                [ours for _, ours in pairs],
                direction=objective.direction,
                alpha=ALPHA,
                finalists=len(finalists),
            )
    return gains


def choose(
    judged: Mapping[int, Verdict], over_starts: Mapping[int, Verdict], gains: Mapping[int, Gain], base: int | None
) -> int | None:
    """The best eligible configuration: among the confirmed ones by all their starts, else by the search alone.

    A finalist that violates a hard SLO in any of its starts is out; what the search measured of the others counts.
    """
    confirmed = {n: over_starts[n] for n in (*gains, *((base,) if base is not None else ())) if n in over_starts}
    eligible = {n: v for n, v in confirmed.items() if not v.violated}
    if gains and eligible:
        return rank(eligible)[0]
    rest = {n: v for n, v in judged.items() if not v.violated and n not in confirmed}
    return rank(rest)[0] if rest else None


def gain_figure(number: int, gain: Gain, verdict: Verdict | None) -> GainFigure:
    """A gain as results hold it; ``verdict``: over the configuration's confirmation starts."""
    return GainFigure(
        experiment=number,
        gain=gain.gain,
        low=gain.low,
        high=gain.high,
        confidence=gain.confidence if gain.low is not None else None,
        pairs=gain.pairs,
        significant=gain.significant,
        worst_slo=slo_lines(verdict.slo) if verdict is not None else (),
        eligible=verdict is not None and not verdict.violated,
    )


def noise_of(starts: Mapping[int, Mapping[int, Mapping[str, Any]]], scorer: Scorer) -> float | None:
    """The noise of the score from start to start; None where nothing was started twice."""
    objective = scorer.objectives[0]
    groups = [
        [score for metrics in of_number.values() if (score := objective.value(metrics)) is not None and score > 0]
        for of_number in starts.values()
    ]
    return pooled_noise([group for group in groups if group])

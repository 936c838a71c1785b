"""What the starts of the confirmation come to: noise, figures, and which configuration is chosen. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.measurement import Measurement
from autotuner.contracts.result import GainFigure
from autotuner.coordinator.finalists import Evidence
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.coordinator.summaries import slo_lines
from autotuner.scoring.evidence import Gain, pooled_noise
from autotuner.scoring.verdict import Verdict, rank


def choose(judged: Mapping[int, Verdict], evidence: Evidence, base: int | None) -> int | None:
    """The best candidate: among the confirmed ones by all their starts, else by the search alone.

    A finalist whose gain is shown goes before those of which nothing is. One that was ruled out cannot win. Where none
    is left, the baseline stays if it keeps the hard SLOs; else what the search measured of the others counts.
    """
    alive = {n: v for n, v in evidence.verdicts.items() if n not in evidence.out and not v.violated}
    if any(number in evidence.gains for number in alive):
        ranked = rank(alive)
        upto = ranked.index(base) if base in ranked else len(ranked)
        shown = [number for number in ranked[:upto] if number in evidence.gains and evidence.gains[number].significant]
        return shown[0] if shown else ranked[0]
    if base is not None and base in judged and evidence.out:
        own = evidence.verdicts.get(base, judged[base])
        if not own.violated:
            return base
    rest = {n: v for n, v in judged.items() if not v.violated and n not in evidence.out}
    if base is not None and base in evidence.verdicts and evidence.verdicts[base].violated:
        rest.pop(base, None)
    return rank(rest)[0] if rest else None


def gain_figure(number: int, gain: Gain, evidence: Evidence) -> GainFigure:
    """A gain as results hold it."""
    verdict = evidence.verdicts.get(number)
    return GainFigure(
        experiment=number,
        gain=gain.gain,
        low=gain.low,
        high=gain.high,
        confidence=gain.confidence if gain.low is not None else None,
        pairs=gain.pairs,
        significant=gain.significant,
        worst_slo=slo_lines(verdict.slo) if verdict is not None else (),
        eligible=number not in evidence.out,
        standing=evidence.standings.get(number, "open"),
        vague=gain.vague,
    )


def noise_of(evidence: Evidence, scorer: Scorer) -> float | None:
    """The noise of the score from start to start; None where nothing was started twice."""
    objective = scorer.objectives[0]
    groups = [
        [score for metrics in of_number.values() if (score := objective.value(metrics)) is not None and score > 0]
        for of_number in evidence.starts.values()
    ]
    return pooled_noise([group for group in groups if group])


def noise_within(ledger: Ledger, scorer: Scorer) -> float | None:
    """The noise between the repeats of one start, pooled over the starts of the confirmation that count."""
    objective = scorer.objectives[0]
    groups: list[list[float]] = []
    for experiment in ledger.confirmed:
        for attempt in ledger.confirmations(experiment).values():
            repeats: dict[int, list[Measurement]] = {}
            for measurement in ledger.figures(attempt).measurements:
                repeats.setdefault(measurement.repeat, []).append(measurement)
            scores = (
                [
                    objective.value(scorer.metrics(taken, configuration=experiment.parameters))
                    for taken in repeats.values()
                ]
                if len(repeats) > 1
                else []
            )
            groups.append([score for score in scores if score is not None and score > 0])
    return pooled_noise(groups)

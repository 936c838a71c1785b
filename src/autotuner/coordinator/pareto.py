"""The trade-offs of a task with several objectives. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autotuner.contracts.findings import ObjectiveFigure, ParetoPoint, ParetoSet
from autotuner.coordinator.finalists import Evidence, Metrics
from autotuner.coordinator.scorer import Scorer
from autotuner.scoring.membership import Candidate, StartNoise, front_probabilities, place, score_interval, start_noise
from autotuner.scoring.trade_offs import trade_offs
from autotuner.scoring.verdict import Verdict

CONFIDENCE = 0.95
LISTED = 300
"""A set holds the front and at most so many configurations beside it."""

NO_NOISE = (
    "no configuration was started twice, so the noise is not known: which of these configurations belong to the front "
    "cannot be told from chance"
)


def pareto_set(judged: Mapping[int, Verdict], evidence: Evidence, scorer: Scorer, seed: int) -> ParetoSet | None:
    """The configurations that were measured in full among several objectives; None with one objective or without any.

    Configurations that were confirmed stand where all their confirmation starts put them, the others where the search's
    one start did. The front is that of the penalised scores of those that may win.
    """
    if len(scorer.objectives) < 2 or not judged:
        return None
    verdicts = {number: evidence.verdicts.get(number, verdict) for number, verdict in judged.items()}
    counts = {number: len(evidence.starts[number]) if number in evidence.verdicts else 1 for number in judged}
    eligible = {n: verdict for n, verdict in verdicts.items() if not verdict.violated and n not in evidence.out}
    noise = _noise(evidence.starts, scorer)
    found = trade_offs({n: v.penalised for n, v in eligible.items()}, scorer.directions)
    chances: Mapping[int, float] = {}
    if noise is not None:
        candidates = {n: Candidate(v.penalised, counts[n]) for n, v in eligible.items()}
        chances = front_probabilities(candidates, scorer.directions, noise, seed=seed)
    front = set(found.front)
    ordered = sorted(verdicts, key=lambda n: (n not in front, -chances.get(n, 0.0), n not in eligible, n))
    kept = ordered[: max(len(front), LISTED)]
    return ParetoSet(
        objectives=tuple(
            ObjectiveFigure(
                name=objective.name,
                label=objective.label,
                unit=objective.unit,
                direction=objective.direction,
                noise=None if noise is None else noise.deviation(index),
            )
            for index, objective in enumerate(scorer.objectives)
        ),
        points=tuple(
            ParetoPoint(
                experiment=number,
                values=verdicts[number].objective_scores,
                **_interval(verdicts[number].objective_scores, counts[number], noise),
                starts=counts[number],
                eligible=number in eligible,
                failed=number in evidence.out and not verdicts[number].violated,
                on_front=number in front,
                probability=chances.get(number),
                place=place(chances[number]) if number in chances else None,
                best_in=tuple(
                    objective.name
                    for objective, best in zip(scorer.objectives, found.extremes, strict=False)
                    if best == number
                ),
                knee=number == found.knee,
            )
            for number in kept
        ),
        confidence=CONFIDENCE,
        left_out=len(ordered) - len(kept),
        note=NO_NOISE if noise is None else None,
    )


def _noise(starts: Mapping[int, Mapping[int, Metrics]], scorer: Scorer) -> StartNoise | None:
    groups: list[list[list[float]]] = []
    for of_number in starts.values():
        scores = [[objective.value(metrics) for objective in scorer.objectives] for metrics in of_number.values()]
        whole = [[value for value in start if value is not None] for start in scores]
        groups.append([start for start in whole if len(start) == len(scorer.objectives)])
    return start_noise(groups)


def _interval(values: Sequence[float], starts: int, noise: StartNoise | None) -> dict[str, tuple[float, ...]]:
    if noise is None:
        return {}
    ends = [
        score_interval(value, noise.deviation(index), starts, noise.freedom, CONFIDENCE)
        for index, value in enumerate(values)
    ]
    return {"low": tuple(low for low, _ in ends), "high": tuple(high for _, high in ends)}

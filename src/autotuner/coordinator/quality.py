"""What the quality guard came to, for the result. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from autotuner.contracts.quality import JudgedAnswers
from autotuner.contracts.result import AnswersLine, ExperimentSummary, QualitySummary
from autotuner.contracts.store import ExperimentOrigin, ExperimentRecord, ExperimentStatus
from autotuner.coordinator.ledger import Ledger
from autotuner.coordinator.scorer import Scorer
from autotuner.planning.plan import Plan
from autotuner.scoring.answers import DIFFERENCE, DISTANCE
from autotuner.scoring.slo import percent

SHOWN = 10
"""So many experiments are named in a warning."""


def answers_line(ledger: Ledger, experiment: ExperimentRecord) -> AnswersLine | None:
    """The answers of one experiment as displays show them; None: it was not asked."""
    answers = ledger.answers(experiment)
    return None if answers is None else _line(answers)


def quality_summary(plan: Plan, scorer: Scorer, ledger: Ledger) -> QualitySummary | None:
    """What answers were judged by; None without a guard."""
    if plan.quality is None:
        return None
    answers = ledger.baseline_answers
    limits = {rule.figure: rule.threshold for rule in scorer.slo.rules if rule.of_answers}
    difference = limits.get(DIFFERENCE)
    return QualitySummary(
        prompts=plan.quality.prompts.prompts,
        output_tokens=plan.quality.output_tokens,
        unchanged=None if answers is None else _line(answers),
        least_agreement=None if difference is None else 1 - difference,
        greatest_distance=limits.get(DISTANCE),
    )


def about_winner(winner: ExperimentSummary | None, quality: QualitySummary | None) -> str:
    """What a headline must add: that the winner's answers are others, or that nobody knows."""
    if winner is None or quality is None or winner.origin is ExperimentOrigin.BASELINE:
        return ""
    answers = winner.answers
    if answers is None or answers.agreement is None:
        return " Whether its answers are as good as the baseline's could not be judged."
    if not answers.differs:
        return ""
    unchanged = quality.unchanged.agreement if quality.unchanged is not None else None
    usual = "" if unchanged is None else f", of an unchanged setting {percent(unchanged)}"
    return f" Its answers differ from the baseline's: {percent(answers.agreement)} of {answers.unit} agree{usual}."


def quality_warnings(plan: Plan, scorer: Scorer, ledger: Ledger) -> Iterator[str]:
    """What keeps the guard from judging, or from judging as was asked."""
    if plan.quality is None:
        return
    answers = ledger.baseline_answers
    if answers is None or answers.figures is None:
        why = answers.failure if answers is not None and answers.failure else "the baseline was not measured"
        if any(e.status is ExperimentStatus.SUCCESS for e in ledger.experiments.values()):
            yield f"the quality guard could not judge any answers: {why}"
        return
    if answers.figures.unit != "tokens":
        yield "the server tells no log-probabilities: answers are compared by their text alone"
    limit = plan.document.quality.limit
    held = {rule.figure: rule.threshold for rule in scorer.slo.rules if rule.of_answers}
    if limit is not None and limit.agreement is not None and held.get(DIFFERENCE, 0.0) > 1 - limit.agreement + 1e-9:
        yield (
            f"quality.limit.agreement is {percent(limit.agreement)}, but {percent(1 - held[DIFFERENCE])} is held: an "
            "unchanged setting may show no more"
        )
    if limit is not None and limit.distance is not None:
        if DISTANCE not in held:
            yield "quality.limit.distance is not held: the server tells no log-probabilities"
        elif held[DISTANCE] > limit.distance:
            yield (
                f"quality.limit.distance is {limit.distance:.3g} nats, but {held[DISTANCE]:.3g} are held: an unchanged "
                "setting may show as much"
            )
    yield from _unjudged(ledger)


def _unjudged(ledger: Ledger) -> Iterator[str]:
    found: list[tuple[int, str]] = []
    for number, experiment in ledger.experiments.items():
        if experiment.origin is ExperimentOrigin.BASELINE or experiment.status is not ExperimentStatus.SUCCESS:
            continue
        answers = ledger.answers(experiment)
        if answers is None or answers.figures is None:
            why = answers.failure if answers is not None else None
            found.append((number, why or "it was measured when there was nothing to compare with"))
    if found:
        names = ", ".join(f"#{number}" for number, _ in found[:SHOWN]) + (" …" if len(found) > SHOWN else "")
        yield f"the answers of {names} could not be judged: {found[0][1]}"


def _line(answers: JudgedAnswers) -> AnswersLine:
    figures = answers.figures
    return AnswersLine(
        agreement=None if figures is None else figures.agreement,
        unit=None if figures is None else figures.unit,
        distance=None if figures is None else figures.distance,
        differs=answers.differs,
        failure=answers.failure,
    )

"""What the quality guard found, in words."""

from __future__ import annotations

from autotuner.contracts.result import AnswersLine, QualitySummary, TaskResult
from autotuner.contracts.store import ExperimentOrigin
from autotuner.services.report.wording import number, one_line, percent


def answers_text(answers: AnswersLine) -> str:
    """``98.2 % of tokens agree, 0.004 nats apart``, and whether that is more than chance."""
    if answers.agreement is None:
        return f"not judged ({one_line(answers.failure or 'no reason is known')})"
    text = f"{percent(answers.agreement)} of {answers.unit} agree"
    if answers.distance is not None:
        text += f", {number(answers.distance, 3)} nats apart"
    return text + (", more than an unchanged setting shows" if answers.differs else "")


def limits_text(quality: QualitySummary) -> str:
    """The limits that are held, or that there is none."""
    limits = [
        *([f"{percent(quality.least_agreement)} of tokens"] if quality.least_agreement is not None else []),
        *([f"{number(quality.greatest_distance, 3)} nats"] if quality.greatest_distance is not None else []),
    ]
    return f"limit {', '.join(limits)}" if limits else "no limit"


def asked_text(quality: QualitySummary) -> str:
    """What a server was asked."""
    return f"{quality.prompts} prompts × {quality.output_tokens} tokens"


def quality_lines(result: TaskResult) -> list[str]:
    """How the winner's answers (or the nearest's) stand to the baseline's, and what they were judged by."""
    quality = result.quality
    if quality is None:
        return []
    lines: list[str] = []
    chosen = result.winner or result.nearest
    if chosen is not None and chosen.origin is not ExperimentOrigin.BASELINE and chosen.answers is not None:
        against = f"Answers of #{chosen.number} against the baseline's"
        lines.append(f"{against}: {answers_text(chosen.answers)}; {limits_text(quality)}")
    if quality.unchanged is not None:
        own = answers_text(quality.unchanged)
        lines.append(f"Answers of the baseline against themselves, {asked_text(quality)}: {own}")
    return lines

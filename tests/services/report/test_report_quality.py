"""What is said of answers, in words and in the report."""

from __future__ import annotations

import pytest

import result_builder as build
from autotuner.contracts.result import AnswersLine, QualitySummary, TaskResult
from autotuner.services.report import render_html
from autotuner.services.report.answers import answers_text, limits_text, quality_lines

SAME = AnswersLine(agreement=1.0, unit="tokens", distance=0.001, differs=False)
OTHER = AnswersLine(agreement=0.62, unit="tokens", distance=0.31, differs=True)
NONE = AnswersLine(agreement=None, failure="HTTP 500: <b>gone</b>")


def guarded(agreement: float | None = None, distance: float | None = None) -> QualitySummary:
    return QualitySummary(
        prompts=32,
        output_tokens=16,
        unchanged=AnswersLine(agreement=0.98, unit="tokens", distance=0.002),
        least_agreement=agreement,
        greatest_distance=distance,
    )


def judged() -> TaskResult:
    """A result whose winner has other answers; of one experiment nothing can be said."""
    made = build.result()
    assert made.winner is not None
    told = {s.number: SAME for s in made.experiments if s.score is not None}
    told[made.winner.number] = OTHER
    told[min(n for n in told if n not in (0, made.winner.number))] = NONE
    experiments = [s.model_copy(update={"answers": told.get(s.number)}) for s in made.experiments]
    return build.result(experiments=experiments, quality=guarded(agreement=0.5))


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (SAME, "100.0 % of tokens agree, 0.001 nats apart"),
        (OTHER, "62.0 % of tokens agree, 0.31 nats apart, more than an unchanged setting shows"),
        (NONE, "not judged (HTTP 500: <b>gone</b>)"),
        (AnswersLine(agreement=0.5, unit="characters"), "50.0 % of characters agree"),
    ],
)
def test_answers_in_words(answers: AnswersLine, text: str) -> None:
    assert answers_text(answers) == text


@pytest.mark.parametrize(
    ("agreement", "distance", "text"),
    [
        (None, None, "no limit"),
        (0.9, None, "limit 90.0 % of tokens"),
        (0.9, 0.1, "limit 90.0 % of tokens, 0.1 nats"),
    ],
)
def test_limits_in_words(agreement: float | None, distance: float | None, text: str) -> None:
    assert limits_text(guarded(agreement, distance)) == text


def test_the_evidence_says_how_the_winners_answers_stand() -> None:
    result = judged()
    assert result.winner is not None
    ours, own = quality_lines(result)
    assert ours.startswith(f"Answers of #{result.winner.number} against the baseline's: 62.0 % of tokens agree")
    assert ours.endswith("limit 50.0 % of tokens")
    asked = "Answers of the baseline against themselves, 32 prompts × 16 tokens"
    assert own == f"{asked}: 98.0 % of tokens agree, 0.002 nats apart"
    assert quality_lines(build.result()) == []


def test_the_report_has_the_answers_of_each_configuration() -> None:
    page = render_html(judged())
    section = page[page.index('<section id="answers">') :]
    section = section[: section.index("</section>")]
    assert "32 prompts × 16 tokens" in section
    assert "limit 50.0 % of tokens" in section
    assert ">differs<" in section
    assert "not judged: HTTP 500: &lt;b&gt;gone&lt;/b&gt;" in section
    assert section.count("no more than an unchanged setting") == sum(
        s.answers is SAME and s.number != 0 for s in judged().experiments
    )


@pytest.mark.parametrize("name", build.ALL)
def test_without_a_guard_the_report_has_no_such_section(name: str) -> None:
    assert 'id="answers"' not in render_html(build.ALL[name]())

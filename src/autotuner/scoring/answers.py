"""How far answers are from the baseline's, what an unchanged setting shows of that, and what is tolerated.

Two figures. The *difference* is the share of the answers from the first token on that differs, over all prompts: both
are greedy, so what follows that token has another prefix. The *distance* is the mean difference of log-probabilities at
all positions with equal prefixes, the first one that differs included: there both servers were asked the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from autotuner.contracts.quality import Answer, AnswerFigures, Answers, JudgedAnswers
from autotuner.scoring.figures import figure
from autotuner.scoring.slo import SloRule, SloSet

DIFFERENCE = "answer_difference"
DISTANCE = "logprob_distance"
"""Names of the two figures among the aggregated metrics."""

ENOUGH = 0.5
"""Least share of the prompts that both must have answered."""

_SPREAD = 1.5
_FLOOR_NATS = 0.02
_DECIMALS = 12
"""1 − 0.95 is 0.050000000000000044."""


def compare(one: Answers, other: Answers) -> AnswerFigures | None:
    """The figures of two passes over the same prompts; None when too few prompts were answered in both.

    Symmetric, and zero for equal answers. Where one of them tells no tokens, characters are counted.
    """
    pairs = [(a, b) for a, b in zip(one.answers, other.answers, strict=True) if a is not None and b is not None]
    tokens = any(a.tokens for a, _ in pairs) and any(b.tokens for _, b in pairs)
    if tokens:
        pairs = [(a, b) for a, b in pairs if _told(a) and _told(b)]
    if len(pairs) < max(1.0, ENOUGH * len(one.answers)):
        return None
    equal = length = 0
    distances: list[float] = []
    for a, b in pairs:
        said = [_said(answer, tokens=tokens) for answer in (a, b)]
        same = _common(*said)
        equal += same
        length += max(map(len, said))
        if tokens:
            tops = zip(a.tokens[: same + 1], b.tokens[: same + 1], strict=False)
            distances += [token_distance(x.top, y.top) for x, y in tops if x.top and y.top]
    return AnswerFigures(
        difference=1 - equal / length if length else 0.0,
        unit="tokens" if tokens else "characters",
        distance=sum(distances) / len(distances) if distances else None,
        prompts=len(pairs),
    )


def token_distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Mean difference of the log-probabilities of all tokens that one of the two lists names, nats.

    A token that the other list lacks is no likelier there than the last one listed, so the difference to that one is
    the least that it can be. Both lists hold something.
    """
    least, least_other = min(one.values()), min(other.values())
    names = one.keys() | other.keys()
    total = 0.0
    for name in sorted(names):
        mine, its = one.get(name), other.get(name)
        if mine is not None and its is not None:
            total += abs(mine - its)
        elif mine is not None:
            total += max(0.0, mine - least_other)
        elif its is not None:
            total += max(0.0, its - least)
    return total / len(names)


def calibrate(passes: Sequence[Answers]) -> JudgedAnswers:
    """What is stored of the baseline: its first pass, and the most that two of its passes differ."""
    found = [figures for pair in combinations(passes, 2) if (figures := compare(*pair)) is not None]
    if not found:
        return JudgedAnswers(failure=_why(passes) or "its answers were taken only once")
    distances = [figures.distance for figures in found if figures.distance is not None]
    worst = AnswerFigures(
        difference=max(figures.difference for figures in found),
        unit=found[0].unit,
        distance=max(distances, default=None),
        prompts=min(figures.prompts for figures in found),
    )
    return JudgedAnswers(figures=worst, reference=passes[0])


def judge_answers(baseline: JudgedAnswers, answers: Answers) -> JudgedAnswers:
    """What is stored of another configuration: its figures against the baseline's calibrated record.

    Whether it differs is decided by the distance where it is told. Other tokens at nearly equal log-probabilities are
    ties that fell another way, which any change of the order of additions brings about.
    """
    if baseline.reference is None or baseline.figures is None:
        return JudgedAnswers(failure="there are no answers of the baseline")
    if baseline.reference.prompts != answers.prompts:
        return JudgedAnswers(failure="the baseline was asked other prompts, by another version of this program")
    found = compare(baseline.reference, answers)
    if found is None:
        return JudgedAnswers(failure=_why([answers]) or _why([baseline.reference]) or "too few prompts were answered")
    shown = greatest(baseline.figures)
    if found.distance is not None and DISTANCE in shown:
        return JudgedAnswers(figures=found, differs=found.distance > shown[DISTANCE])
    return JudgedAnswers(figures=found, differs=found.difference > shown[DIFFERENCE])


def greatest(unchanged: AnswerFigures) -> dict[str, float]:
    """The most that an unchanged setting is taken to show, by name of the figure.

    Half as much again as the baseline showed, and room for what a few passes may not have shown: one prompt whose
    answer differs from its first token on, and so many nats as the order of additions alone may move.
    """
    found = {DIFFERENCE: min(1.0, _SPREAD * unchanged.difference + 1 / unchanged.prompts)}
    if unchanged.distance is not None:
        found[DISTANCE] = _SPREAD * unchanged.distance + _FLOOR_NATS
    return found


def answer_metrics(figures: AnswerFigures) -> dict[str, float]:
    """The figures under their names among the aggregated metrics."""
    found = {DIFFERENCE: figures.difference}
    return found if figures.distance is None else {**found, DISTANCE: figures.distance}


def guarded(slo: SloSet, baseline: JudgedAnswers | None, *, agreement: float | None, distance: float | None) -> SloSet:
    """The limits of a task with those on answers, as hard ones.

    ``agreement``: least share of equal answers; ``distance``: nats. Neither can be tighter than what an unchanged
    setting shows: it would rule out by chance. A limit on what the baseline does not tell cannot be held.
    """
    if baseline is None or baseline.figures is None:
        return slo
    shown = greatest(baseline.figures)
    wanted = {DIFFERENCE: None if agreement is None else round(1 - agreement, _DECIMALS), DISTANCE: distance}
    rules = [
        SloRule.model_validate(
            {"metric": name, "threshold": max(limit, shown[name]), "hard_fail": True, "fail_ratio": 0.0}
        )
        for name, limit in wanted.items()
        if limit is not None and name in shown
    ]
    return slo.model_copy(update={"rules": (*slo.rules, *rules)})


def missing(slo: SloSet, metrics: Mapping[str, Any]) -> bool:
    """Whether a figure of answers has a limit and is not there."""
    return any(rule.of_answers and figure(metrics, rule.figure) is None for rule in slo.rules)


def _told(answer: Answer) -> bool:
    return bool(answer.tokens) or not answer.text


def _said(answer: Answer, *, tokens: bool) -> Sequence[str]:
    return [token.token for token in answer.tokens] if tokens else answer.text


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the common beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _why(passes: Sequence[Answers]) -> str | None:
    return next((answers.error for answers in passes if answers.error is not None), None)

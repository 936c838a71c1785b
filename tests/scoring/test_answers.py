"""Comparing answers: properties of the figures, calibration, limits, and the verdict."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.quality import Answer, AnsweredToken, AnswerFigures, Answers, JudgedAnswers
from autotuner.scoring.answers import (
    DIFFERENCE,
    DISTANCE,
    answer_metrics,
    calibrate,
    compare,
    greatest,
    guarded,
    judge_answers,
    missing,
    token_distance,
)
from autotuner.scoring.slo import SloSet, judge_slo, meets_for_load, request_limits

NATS = st.floats(-20, 0)
TOPS = st.dictionaries(st.sampled_from("abcdefgh"), NATS, min_size=1, max_size=5)


def answer(tokens: str, level: float = -0.1) -> Answer:
    """An answer of one-letter tokens, each with itself and another one listed."""
    listed = [AnsweredToken(token=token, top={token: level, token.upper(): level - 3}) for token in tokens]
    return Answer(text=tokens, tokens=tuple(listed))


def answers(*given: Answer | None, error: str | None = None) -> Answers:
    return Answers(prompts="p", answers=given, error=error)


ANSWERS = st.lists(st.builds(answer, st.text("abc", max_size=6), NATS) | st.none(), min_size=1, max_size=6).map(
    lambda found: answers(*found)
)


@given(TOPS, TOPS)
def test_the_distance_of_two_lists_is_symmetric_and_zero_only_for_what_cannot_differ(
    one: dict[str, float], other: dict[str, float]
) -> None:
    found = token_distance(one, other)
    assert found == token_distance(other, one)
    assert found >= 0
    assert token_distance(one, one) == 0


@given(TOPS, st.floats(0.01, 5))
def test_a_shift_of_all_is_found_in_full(one: dict[str, float], shift: float) -> None:
    assert token_distance(one, {name: value - shift for name, value in one.items()}) == pytest.approx(shift)


def test_what_one_list_lacks_counts_with_the_least_that_it_can_be() -> None:
    assert token_distance({"a": -1, "b": -2}, {"a": -1, "c": -1.5}) == pytest.approx((0 + 0 + 0.5) / 3)
    assert token_distance({"a": 0.0}, {"b": -4.0}) == pytest.approx(4 / 2)


@given(ANSWERS, ANSWERS)
def test_figures_are_symmetric_and_between_their_bounds(one: Answers, other: Answers) -> None:
    length = min(len(one.answers), len(other.answers))
    one, other = (a.model_copy(update={"answers": a.answers[:length]}) for a in (one, other))
    found = compare(one, other)
    assert found == compare(other, one)
    if found is not None:
        assert 0 <= found.difference <= 1
        assert found.agreement == 1 - found.difference


@given(ANSWERS)
def test_equal_answers_have_no_difference(one: Answers) -> None:
    found = compare(one, one)
    if found is not None:
        assert found.difference == 0
        assert found.distance in (None, 0)
    assert (found is None) == (sum(a is not None for a in one.answers) < max(1, len(one.answers) / 2))


def test_nothing_counts_after_the_first_token_that_differs() -> None:
    found = compare(answers(answer("abcd"), answer("aaaa")), answers(answer("abxd"), answer("aaaa")))
    assert found is not None
    assert found.difference == pytest.approx(2 / 8)  # c and d of the first
    # Seven positions have equal prefixes; at one of them another token was taken, from lists without a common one.
    assert found.distance == pytest.approx(
        (4 * 0 + 2 * 0 + token_distance({"c": -0.1, "C": -3.1}, {"x": -0.1, "X": -3.1})) / 7
    )


def test_an_answer_that_ends_earlier_differs_from_there_on() -> None:
    found = compare(answers(answer("abcd")), answers(answer("ab")))
    assert found is not None
    assert found.difference == pytest.approx(0.5)
    assert found.distance == 0


def test_texts_alone_are_compared_by_characters() -> None:
    found = compare(answers(Answer(text="abcd")), answers(answer("abxd")))
    assert found is not None
    assert (found.unit, found.difference, found.distance) == ("characters", 0.5, None)


def test_too_few_common_answers_are_no_figures() -> None:
    some = answers(answer("a"), None, None, error="HTTP 500")
    assert compare(some, some) is None
    judged = judge_answers(calibrate([answers(answer("a"), answer("b"), answer("c"))] * 2), some)
    assert judged == JudgedAnswers(failure="HTTP 500")


def test_answers_to_other_prompts_are_not_compared() -> None:
    baseline = calibrate([answers(answer("a"))] * 2)
    judged = judge_answers(baseline, Answers(prompts="q", answers=(answer("a"),)))
    assert judged.figures is None
    assert judged.failure is not None
    assert "other prompts" in judged.failure


def test_the_baseline_keeps_its_first_pass_and_the_most_that_two_differ() -> None:
    passes = [answers(answer("aaaa")), answers(answer("aaab")), answers(answer("abab"))]
    found = calibrate(passes)
    assert found.reference == passes[0]
    assert found.figures is not None
    assert found.figures.difference == pytest.approx(3 / 4)
    assert found.differs is None
    assert calibrate(passes[:1]).failure is not None
    assert calibrate([answers(None, error="refused")] * 2).failure == "refused"


def noisy(rng: random.Random, count: int, spread: float) -> Answers:
    """Answers of a server whose log-probabilities wobble; 16 tokens each, of which near ties may flip."""
    made = []
    for prompt in range(count):
        tokens = []
        for place in range(16):
            usual = random.Random(f"{prompt} {place}")
            logits = {name: usual.gauss(0, 2) + rng.gauss(0, spread) for name in "abcdefgh"}
            total = math.log(sum(math.exp(value) for value in logits.values()))
            top = sorted(((value - total, name) for name, value in logits.items()), reverse=True)[:5]
            tokens.append(AnsweredToken(token=top[0][1], top={name: value for value, name in top}))
        made.append(Answer(text="".join(token.token for token in tokens), tokens=tuple(tokens)))
    return answers(*made)


@pytest.mark.parametrize("spread", [0.0, 0.001, 0.01, 0.05])
def test_an_unchanged_setting_is_hardly_ever_taken_for_another_one(spread: float) -> None:
    rng = random.Random(0)
    alarms = 0
    for _ in range(40):
        baseline = calibrate([noisy(rng, 32, spread) for _ in range(4)])
        alarms += bool(judge_answers(baseline, noisy(rng, 32, spread)).differs)
    assert alarms <= 1


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.05])
def test_a_shift_of_twice_the_noise_and_more_is_found(spread: float) -> None:
    rng = random.Random(1)
    worse = max(0.1, 4 * spread)
    for _ in range(20):
        baseline = calibrate([noisy(rng, 32, spread) for _ in range(4)])
        assert judge_answers(baseline, noisy(rng, 32, worse)).differs


@given(st.floats(0, 1), st.floats(0, 3) | st.none(), st.integers(1, 500))
def test_what_is_tolerated_is_above_what_the_baseline_showed(
    difference: float, distance: float | None, prompts: int
) -> None:
    shown = AnswerFigures(difference=difference, unit="tokens", distance=distance, prompts=prompts)
    bounds = greatest(shown)
    assert bounds[DIFFERENCE] == 1 or bounds[DIFFERENCE] > difference
    assert (DISTANCE in bounds) == (distance is not None)
    if distance is not None:
        assert bounds[DISTANCE] > distance
    rules = {
        rule.figure: rule
        for rule in guarded(SloSet(), JudgedAnswers(figures=shown), agreement=1.0, distance=1e-9).rules
    }
    for name, bound in bounds.items():
        assert rules[name].threshold == pytest.approx(bound)
        assert rules[name].hard_fail
    results = judge_slo([{"error_rate": 0.0, **answer_metrics(shown)}], SloSet(rules=tuple(rules.values())))
    assert isinstance(results, tuple)
    assert not any(result.violated for result in results)  # the unchanged setting itself


def test_limits_are_hard_and_say_nothing_about_load() -> None:
    shown = JudgedAnswers(figures=AnswerFigures(difference=0.0, unit="tokens", distance=0.0, prompts=100))
    slo = guarded(SloSet(), shown, agreement=0.9, distance=0.5)
    worse = {"error_rate": 0.0, DIFFERENCE: 0.11, DISTANCE: 0.4}
    results = judge_slo([worse], slo)
    assert isinstance(results, tuple)
    of_difference = next(result for result in results if result.rule.figure == DIFFERENCE)
    assert of_difference.violated
    assert of_difference.margin == pytest.approx(0.1)
    assert of_difference.reason == "share of answers unlike the baseline's is 11 %, 10 % above the limit of 10 %"
    assert meets_for_load(results)
    assert request_limits(slo) == {}
    assert not missing(slo, worse)
    assert missing(slo, {DIFFERENCE: 0.0})
    # What was not judged is not missed; the worst of those that were counts.
    partly = judge_slo([{"error_rate": 0.0}, worse], slo)
    assert isinstance(partly, tuple)
    assert len(partly) == 3
    none = judge_slo([{"error_rate": 0.0}], slo)
    assert isinstance(none, tuple)
    assert len(none) == 1


def test_without_the_baselines_answers_there_is_no_limit() -> None:
    assert guarded(SloSet(), None, agreement=0.9, distance=None) == SloSet()
    assert guarded(SloSet(), JudgedAnswers(failure="x"), agreement=0.9, distance=None) == SloSet()
    silent = JudgedAnswers(figures=AnswerFigures(difference=0, unit="characters", prompts=32))
    assert [rule.figure for rule in guarded(SloSet(), silent, agreement=None, distance=0.1).rules] == ["error_rate"]

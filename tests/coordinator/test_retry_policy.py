"""Whether to start again: properties over all histories of failures, and the values of the policy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autotuner.contracts.attempt import Failure, FailureClass
from autotuner.coordinator.retry_policy import (
    AFTER_TEARDOWN_S,
    BACK_OFF_S,
    DETERMINISTIC,
    NOT_OF_THE_CONFIGURATION,
    TRANSIENT,
    FailedStart,
    condemned,
    decide,
)
from conformance.fake_parts import failure

OTHERS = sorted(set(FailureClass) - DETERMINISTIC - TRANSIENT - {FailureClass.CANCELLED})


def starts(kinds: list[FailureClass]) -> st.SearchStrategy[FailedStart]:
    """Any failure of these classes; out of memory never right after a teardown."""
    return st.builds(
        FailedStart,
        st.builds(lambda kind: failure(kind), st.sampled_from(kinds)),
        st.booleans(),
        st.none() | st.floats(AFTER_TEARDOWN_S, 1e6),
    )


def certain(kind: FailureClass = FailureClass.OOM) -> FailedStart:
    return FailedStart(failure(kind).model_copy(update={"certain": True}))


def plain(*kinds: FailureClass) -> list[FailedStart]:
    return [FailedStart(failure(kind)) for kind in kinds]


ANY = starts(list(FailureClass))
HISTORY = st.lists(st.lists(ANY, min_size=1, max_size=6), min_size=1, max_size=4)
RETRIES = st.integers(0, 5)


@given(HISTORY, RETRIES)
def test_what_is_condemned_is_not_started_again(history: list[list[FailedStart]], retries: int) -> None:
    found = decide(history, retries)
    assert found.condemned == condemned(history)
    assert not (found.condemned and found.delay_s is not None)
    assert found.delay_s in (None, 0.0, *BACK_OFF_S)


@given(st.lists(ANY, min_size=20, max_size=20), RETRIES)
def test_whatever_happens_it_comes_to_an_end(failures: list[FailedStart], retries: int) -> None:
    """The starts are bounded, whatever each of them fails of, and the last decision is to give up."""
    tried: list[FailedStart] = []
    for start in failures:
        tried.append(start)
        if decide([tried], retries).delay_s is None:
            break
    assert len(tried) <= 1 + retries + len(BACK_OFF_S)


@given(HISTORY, st.sampled_from(sorted(DETERMINISTIC)), RETRIES)
def test_certain_failures_condemn_at_once(history: list[list[FailedStart]], kind: FailureClass, retries: int) -> None:
    for last in (FailedStart(failure(kind)), certain(), certain(FailureClass.CRASH)):
        found = decide([*history[:-1], [*history[-1], last]], retries)
        assert (found.delay_s, found.condemned) == (None, True)


@given(st.lists(st.lists(starts(sorted(TRANSIENT)), min_size=1), min_size=1, max_size=4), RETRIES)
def test_transient_failures_never_condemn(history: list[list[FailedStart]], retries: int) -> None:
    """They are retried twice with growing waits, in each round anew, whatever ``retries`` says."""
    found = decide(history, retries)
    assert not found.condemned
    number = len(history[-1])
    assert found.delay_s == (BACK_OFF_S[number - 1] if number <= len(BACK_OFF_S) else None)


@given(st.sampled_from(OTHERS), st.sampled_from(OTHERS), st.lists(starts(sorted(TRANSIENT)), max_size=2))
def test_two_equal_failures_condemn_also_over_resumed_runs(
    first: FailureClass, second: FailureClass, between: list[FailedStart]
) -> None:
    one, other = plain(first), plain(second)
    assert condemned([[*one, *between, *other]]) is (first is second)
    assert condemned([[*one, *between], other]) is (first is second)
    assert not condemned([one])


@given(HISTORY, HISTORY, RETRIES)
def test_what_was_tried_again_by_hand_begins_anew(
    before: list[list[FailedStart]], after: list[list[FailedStart]], retries: int
) -> None:
    """Only a hand opens what is condemned: nothing of before counts then."""
    if condemned(before):
        assert decide([*before, *after], retries) == decide(after, retries)


@given(RETRIES, st.sampled_from(OTHERS))
def test_others_are_retried_at_once_as_often_as_asked(retries: int, kind: FailureClass) -> None:
    found = decide([plain(kind)], retries)
    assert found.delay_s == (0.0 if retries else None)
    assert not found.condemned


def test_two_different_failures_use_the_retry_up_without_condemning() -> None:
    found = decide([plain(FailureClass.CRASH, FailureClass.OOM)], 1)
    assert (found.delay_s, found.condemned) == (None, False)
    assert decide([plain(FailureClass.CRASH, FailureClass.OOM)], 2).delay_s == 0.0


def early(seconds: float | None, *, ready: bool = False, sure: bool = False) -> FailedStart:
    found = failure(FailureClass.OOM).model_copy(update={"certain": sure})
    return FailedStart(found, before_ready=not ready, after_teardown_s=seconds)


def test_no_memory_right_after_a_teardown_is_excused_once() -> None:
    found = decide([[early(0.1)]], 0)
    assert (found.delay_s, found.excused, found.condemned) == (BACK_OFF_S[0], True, False)
    again = decide([[early(0.1), early(1.1)]], 1)
    assert (again.delay_s, again.excused, again.condemned) == (0.0, False, False)
    assert decide([[early(0.1), early(1.1), early(0.1)]], 1).condemned
    assert decide([[early(0.1)], [early(0.1)]], 1).excused is False


def test_no_memory_is_not_excused_otherwise() -> None:
    for start in (early(None), early(AFTER_TEARDOWN_S), early(0.1, ready=True), early(0.1, sure=True)):
        assert not decide([[start]], 1).excused
    assert decide([[early(0.1, sure=True)]], 1).condemned
    crash = FailedStart(failure(FailureClass.CRASH), before_ready=True, after_teardown_s=0.1)
    assert not decide([[crash]], 1).excused


def test_a_cancelled_start_is_neither_repeated_nor_held_against_it() -> None:
    cancelled: list[Failure] = [failure(FailureClass.CANCELLED)] * 3
    found = decide([[FailedStart(one) for one in cancelled]], 5)
    assert (found.delay_s, found.condemned) == (None, False)


def test_every_class_is_in_one_group() -> None:
    assert not DETERMINISTIC & TRANSIENT
    assert {FailureClass.CANCELLED} == NOT_OF_THE_CONFIGURATION - TRANSIENT
    assert set(OTHERS) == {
        FailureClass.CRASH,
        FailureClass.OOM,
        FailureClass.START_TIMEOUT,
        FailureClass.BENCHMARK_TIMEOUT,
    }

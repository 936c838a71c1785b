"""The cursor of the stream over all tasks."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.server.live.cursor import Positions, read_cursor

NUMBERS = st.integers(0, 2**63 - 1)
TOLD = st.dictionaries(NUMBERS, NUMBERS, max_size=50)


@given(TOLD, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=10))
def test_a_cursor_says_where_its_reader_stands(told: dict[int, int], later: list[tuple[int, int]]) -> None:
    positions = Positions(told.items())
    for task_id, seq in later:
        positions[task_id] = seq
    expected = told | dict(later)
    assert dict(read_cursor(positions.cursor()).items()) == expected
    for task_id in list(expected)[::2]:
        positions.remove(task_id)
        del expected[task_id]
    assert dict(read_cursor(positions.cursor()).items()) == expected


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60) | st.text("abcXYZ019-_=", max_size=60), TOLD, st.integers(0, 200))
def test_what_is_no_cursor_is_an_error_and_nothing_else(text: str, told: dict[int, int], at: int) -> None:
    good = Positions(told.items()).cursor()
    for changed in (text, good[:at], good[:at] + text + good[at:]):
        with suppress(AutotunerError):
            assert isinstance(read_cursor(changed), Positions)


@pytest.mark.parametrize("text", ["", "x", "MQ", "é", "====", "A" * 20_000, Positions([(1, 2)]).cursor() + "AAAA"])
def test_a_wrong_cursor_is_named(text: str) -> None:
    with pytest.raises(AutotunerError) as caught:
        read_cursor(text)
    assert caught.value.code is ErrorCode.INVALID_VALUE


def test_the_cursor_of_a_thousand_tasks_fits_into_a_request() -> None:
    positions = Positions((task_id, 40 + task_id * 7919 % 1000) for task_id in range(1, 1001))
    assert len(positions.cursor()) < 4096

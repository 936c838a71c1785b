"""Column types: what goes in comes out."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from autotuner.store.columns import UtcDateTime, decode_json, encode_json, storable_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$float"), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_round_trip(value: object) -> None:
    text = encode_json(value)
    assert repr(decode_json(text)) == repr(value)
    assert repr(decode_json(text.encode())) == repr(value)
    json.loads(text, parse_constant=pytest.fail)  # no Infinity: PostgreSQL refuses it


@given(st.text(alphabet=st.characters(codec=None)))
def test_json_keeps_lone_surrogates(text: str) -> None:
    assert decode_json(encode_json({text: [text]})) == {text: [text]}


def test_json_keeps_nan_which_equals_nothing() -> None:
    found = decode_json(encode_json({"score": [math.nan]}))
    assert isinstance(found, dict)
    assert math.isnan(found["score"][0])


@given(st.text(alphabet=st.characters(codec=None)))
def test_storable_text_can_be_written_and_changes_nothing_else(text: str) -> None:
    stored = storable_text(text)
    assert "\0" not in stored
    stored.encode()
    if "\0" not in text and not any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        assert stored == text
    assert storable_text(stored) == stored


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
def test_times_go_in_and_out_as_the_same_instant(time: datetime) -> None:
    column, dialect = UtcDateTime(), sqlite.dialect()
    try:
        bound = column.process_bind_param(time, dialect)
    except OverflowError:
        return  # within hours of year 1 or 9999
    assert bound is not None
    read = column.process_result_value(bound.replace(tzinfo=None), dialect)  # as SQLite gives it
    assert read == time
    assert read.utcoffset() == timedelta(0)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime.now(UTC).replace(tzinfo=None), sqlite.dialect())

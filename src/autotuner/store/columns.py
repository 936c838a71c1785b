"""Column types that read the same on SQLite and PostgreSQL: UTC times, free text, JSON with every float."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from pydantic_core import from_json, to_json
from sqlalchemy import JSON, BigInteger, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

NON_FINITE_KEY = "$float"
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

Key = BigInteger().with_variant(Integer, "sqlite")
"""A row's number. On SQLite only INTEGER counts up by itself (it has 64 bits there too)."""

Json = JSON(none_as_null=True)
"""A JSON value, kept as text with the order of its keys (not jsonb, which sorts them); ``None`` is NULL."""


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A time. Goes in with any time zone (ValueError without one), comes out in UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored time; SQLite gives it without its zone, PostgreSQL in the connection's one."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable_text(text: str) -> str:
    """``text`` with U+FFFD for what a database can't hold: NUL (PostgreSQL) and lone surrogates (both)."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class FreeText(TypeDecorator[str]):
    """Text that people or programs wrote, stored as ``storable_text``."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as stored."""
        return None if value is None else storable_text(value)


def encode_json(value: object) -> str:
    """JSON text, in which ``{"$float": "inf"}`` stands for a float that JSON doesn't have."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_without_non_finite(value), allow_nan=False)


def decode_json(stored: str | bytes) -> object:
    """The value that ``encode_json`` was given; drivers hand over text or UTF-8.

    Short texts, above all the names in objects, are shared between all values that are in memory: of many rows they
    would take more room than the figures.
    """
    text = stored.decode() if isinstance(stored, bytes) else stored
    if NON_FINITE_KEY in text:
        return json.loads(text, object_hook=_non_finite)
    try:
        return from_json(text, cache_strings="all")
    except ValueError:  # it knows no lone surrogates, which Python writes and reads
        return json.loads(text)


def without_key(stored: str, key: str) -> str:
    """The text of an object that ``encode_json`` was given, without one of its keys."""
    try:
        value = from_json(stored, cache_strings="all")
        value.pop(key, None)
        return to_json(value).decode()
    except ValueError:  # a lone surrogate
        value = json.loads(stored)
        value.pop(key, None)
        return json.dumps(value)


def _without_non_finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {NON_FINITE_KEY: str(float(value))}
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(item) for item in value]
    return value


def _non_finite(value: dict[str, object]) -> object:
    token = value.get(NON_FINITE_KEY)
    if len(value) == 1 and isinstance(token, str) and token in _NON_FINITE:
        return _NON_FINITE[token]
    return value

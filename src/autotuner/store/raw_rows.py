"""Rows as they are stored: JSON as its text, so that nothing is read anew on its way from one database to another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Double,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    insert,
    select,
)
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeDecorator, TypeEngine

from autotuner.store.columns import Key, UtcDateTime

PORTION = 500
"""Rows that are in memory at once."""

Row = tuple[Any, ...]


class _JsonText(TypeDecorator[str]):
    """The text of a JSON column of PostgreSQL."""

    impl = Text
    cache_ok = True

    def bind_expression(self, bindparam: BindParameter[str]) -> ColumnElement[str]:
        """The text as JSON."""
        return cast(bindparam, JSON)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """The JSON as text."""
        return cast(column, Text)


def raw_tables(metadata: MetaData, connection: Connection) -> list[Table]:
    """The tables, those first that others refer to, for rows as they are stored in this connection's database."""
    # SQLite keeps JSON as text already, and its CAST would make a number of it.
    json_text = Text() if connection.dialect.name == "sqlite" else _JsonText()
    raw = MetaData()
    return [
        Table(
            table.name,
            raw,
            *(Column(c.name, _raw_type(c.type, json_text), primary_key=c.primary_key) for c in table.columns),
        )
        for table in metadata.sorted_tables
    ]


def _raw_type(column: TypeEngine[Any], json_text: TypeEngine[str]) -> TypeEngine[Any]:
    if isinstance(column, TypeDecorator):
        column = column.impl_instance
    match column:
        case JSON():
            return json_text
        case DateTime():
            return UtcDateTime()
        case Boolean():
            return Boolean()
        case Integer():
            return Key
        case Float():
            return Double()
        case String():
            return Text()
        case _:
            raise TypeError(f"no way to carry a column of type {column!r}")


def read_rows(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """All rows by their key, in portions."""
    query = select(*table.columns).order_by(*table.primary_key)
    with connection.execute(query, execution_options={"yield_per": PORTION}) as result:
        for portion in result.partitions():
            yield [tuple(row) for row in portion]


def write_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Add rows."""
    names = [column.name for column in table.columns]
    connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def as_sqlite_keeps(table: Table) -> Callable[[Row], Row]:
    """What SQLite makes of a row's numbers: it has no NaN (NULL instead) and no zero with a sign."""
    figures = [number for number, column in enumerate(table.columns) if isinstance(column.type, Double)]

    def kept(row: Row) -> Row:
        values = list(row)
        for number in figures:
            value = values[number]
            if value is not None:
                values[number] = None if math.isnan(value) else value + 0.0
        return tuple(values)

    return kept if figures else _unchanged


def _unchanged(row: Row) -> Row:
    return row


@dataclass
class Tally:
    """How many rows there were, and a checksum that does not depend on their order."""

    rows: int = 0
    total: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows in."""
        self.rows += len(rows)
        for row in rows:
            text = repr(row).encode("utf-8", "surrogatepass")
            self.total += int.from_bytes(blake2b(text, digest_size=16).digest())

    @property
    def checksum(self) -> str:
        """128 bits in hexadecimal."""
        return f"{self.total % 2**128:032x}"

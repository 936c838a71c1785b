"""Reads Prometheus' text format: the series of given names, whatever else the page holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# No two parts of a pattern match the same text, so none of them takes more than linear time.
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,?)')
_CLOSE = re.compile(r"[ \t]*\}")
_VALUE = re.compile(r"[ \t]*([-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[nN]a[nN]|[iI]nf))(?:[ \t]|$)")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "\\": "\\", '"': '"'}


@dataclass(frozen=True)
class Series:
    """One line of a page."""

    name: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)


def parse(page: bytes, names: AbstractSet[str]) -> Iterator[Series]:
    """The series with one of the names. A line that breaks the format is left out; no input raises.

    Time stamps and exemplars after the value are ignored.
    """
    for line in page.decode("utf-8", errors="replace").split("\n"):
        found = _NAME.match(line)
        if found is None or found[0] not in names:
            continue
        series = _series(found[0], line, found.end())
        if series is not None:
            yield series


def _series(name: str, line: str, at: int) -> Series | None:
    labels: dict[str, str] = {}
    if line[at : at + 1] == "{":
        at += 1
        while (label := _LABEL.match(line, at)) is not None:
            labels[label[1]] = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), label[2])
            at = label.end()
            if not label[3]:
                break
        close = _CLOSE.match(line, at)
        if close is None:
            return None
        at = close.end()
    elif line[at : at + 1] not in (" ", "\t"):
        return None
    value = _VALUE.match(line.rstrip("\r"), at)
    if value is None:
        return None
    try:
        return Series(name, float(value[1]), labels)
    except ValueError:  # such as 1.2.3
        return None

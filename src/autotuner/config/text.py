"""Text of a document to plain data and back: YAML 1.2 core schema, or JSON. No tags, no code, bounded in every way.

Plain data are dictionaries with text keys, lists, and ``str | int | float | bool | None``. What YAML 1.1 did and 1.2
does not (``yes`` as a boolean, ``012`` as octal, ``1:30`` as sixty-based, dates, ``<<``) is plain text here.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import yaml

from autotuner.config.problems import DocumentError, Problem
from autotuner.contracts.errors import ErrorCode

Data: TypeAlias = "dict[str, Data] | list[Data] | str | int | float | bool | None"

MAX_BYTES = 1 << 20
MAX_DEPTH = 48
MAX_NODES = 100_000
_MAX_INT = 2**63

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF_NAN = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_PREFIX = "tag:yaml.org,2002:"


class _Mark(Protocol):
    """A position in the text, counted from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class _RefusedError(Exception):
    """Something in the text that is refused, with its position."""

    def __init__(self, mark: _Mark | None, why: str, remedy: str) -> None:
        super().__init__(why)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        self.problem = Problem(ErrorCode.INVALID_DOCUMENT, place, why, remedy)


def read(text: str, *, name: str) -> Data:
    """Plain data of a YAML or JSON text; ``name`` stands for it in errors. DocumentError (INVALID_DOCUMENT)."""
    try:
        return _read(text)
    except _RefusedError as refused:
        raise DocumentError(name, [refused.problem]) from None


def write(data: Data) -> str:
    """YAML that ``read`` turns into equal data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100_000)


def _read(text: str) -> Data:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise _RefusedError(
            None, f"character {error.start + 1} is half of a surrogate pair", "Save the file as UTF-8"
        ) from None
    if size > MAX_BYTES:
        raise _RefusedError(None, f"it has {size} bytes, and {MAX_BYTES} are the limit", "Make it shorter")
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        # JSON proper goes first: YAML readers trip over its tabs and over surrogate pairs in escapes.
        as_json = _read_json(text)
        if as_json is not None:
            return as_json
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        return _Composer(yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        why = " ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        remedy = "Indent with spaces, not tabs" if _indented_by_tab(text, mark) else "Correct the YAML at that place"
        raise _RefusedError(mark, why or "it is not YAML", remedy) from None
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise _RefusedError(None, why or "it is not YAML", "Remove the characters that no text may hold") from None


def _indented_by_tab(text: str, mark: _Mark | None) -> bool:
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return False
    line = lines[mark.line]
    return "\t" in line[: len(line) - len(line.lstrip())]


class _DuplicateKeyError(Exception):
    """A key of a JSON object that is there twice."""


def _read_json(text: str) -> dict[str, Data] | list[Data] | None:
    """The data of a JSON text; None if it is not JSON, which leaves it to the YAML reader."""

    def pairs(items: list[tuple[str, Data]]) -> dict[str, Data]:
        found: dict[str, Data] = {}
        for key, value in items:
            if key in found:
                raise _DuplicateKeyError(key)
            found[key] = value
        return found

    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_int=lambda t: _integer(t, None))
    except _DuplicateKeyError as error:
        # As YAML it is refused with its line. Raw tabs can only be white space in JSON, so lines stay what they were.
        try:
            _Composer(yaml.parse(text.replace("\t", " "), Loader=yaml.SafeLoader)).document()
        except yaml.YAMLError:  # not all of JSON is YAML: keys of more than 1024 characters are none there
            key = str(error)
            shown = key if len(key) <= 40 else f"{key[:40]}…"
            raise _RefusedError(None, f"the key {shown!r} is there twice", "Keep one of the two") from None
        return None
    except RecursionError:
        raise _too_deep(None) from None
    except ValueError:
        return None
    for problem in unreadable(data):
        raise _RefusedError(None, f"{problem.place[:80] or 'document'}: {problem.why}", problem.remedy)
    return data if isinstance(data, dict | list) else None


@dataclass(frozen=True)
class _Anchored:
    """A value with an anchor: how many nodes it has, and how many levels below its own."""

    value: Data
    nodes: int
    height: int


class _Composer:
    """Plain data from parser events, with duplicate keys, tags, depth and the size of aliases under control."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._deepest = 0

    def document(self) -> Data:
        """The only document of the stream."""
        data: Data = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise _RefusedError(event.start_mark, "a second document begins here", "Keep one document per file")
                seen = True
                data = self._node(next(self._events), 0)
        return data

    def _node(self, event: yaml.Event, depth: int) -> Data:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _RefusedError(
                    event.start_mark, f"the alias *{event.anchor} stands for nothing yet", "Define the anchor before it"
                )
            anchored = self._anchors[event.anchor]
            self._count(anchored.nodes, depth + anchored.height, event.start_mark)
            return copy.deepcopy(anchored.value)
        nodes_before, deepest_before = self._nodes, self._deepest
        self._deepest = depth
        self._count(1, depth, event.start_mark)
        value = self._value(event, depth)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is not None:
            self._anchors[anchor] = _Anchored(value, self._nodes - nodes_before, self._deepest - depth)
        self._deepest = max(self._deepest, deepest_before)
        return value

    def _value(self, event: yaml.Event, depth: int) -> Data:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event, "seq")
            items: list[Data] = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            return items
        _check_tag(event, "map")
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Data]:
        found: dict[str, Data] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = event.start_mark
            line = mark.line + 1 if mark is not None else 0
            if not isinstance(event, yaml.ScalarEvent):
                raise _RefusedError(mark, "a key is not plain text", "Use plain text as keys")
            self._count(1, depth, mark)
            key = event.value
            if key in found:
                raise _RefusedError(
                    mark,
                    f"the key {key!r} of line {lines[key]} is given again in line {line}",
                    "Keep one of the two",
                )
            lines[key] = line
            found[key] = self._node(next(self._events), depth + 1)
        return found

    def _count(self, nodes: int, depth: int, mark: _Mark | None) -> None:
        self._nodes += nodes
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            raise _too_deep(mark)
        if self._nodes > MAX_NODES:
            raise _RefusedError(
                mark, f"it has more than {MAX_NODES} values once aliases are written out", "Use fewer aliases"
            )


def _too_deep(mark: _Mark | None) -> _RefusedError:
    return _RefusedError(mark, f"it is nested more than {MAX_DEPTH} levels deep", "Nest less deeply")


def _check_tag(event: yaml.Event, kind: str) -> None:
    tag = event.tag if isinstance(event, yaml.CollectionStartEvent) else None
    if tag not in (None, "!", _PREFIX + kind):
        raise _RefusedError(event.start_mark, f"the tag {tag} is not allowed", "Remove it: documents hold plain data")


def _scalar(event: yaml.ScalarEvent) -> Data:
    text, tag = event.value, event.tag
    if tag in (None, "!"):
        return _plain(text, event.start_mark) if event.implicit[0] else text
    if tag == _PREFIX + "str":
        return text
    value = _plain(text, event.start_mark)
    if tag == _PREFIX + "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kinds: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
    if kinds.get(tag.removeprefix(_PREFIX)) is type(value):
        return value
    raise _RefusedError(event.start_mark, f"the tag {tag} is not allowed here", "Remove it: documents hold plain data")


def _plain(text: str, mark: _Mark | None) -> Data:
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return _integer(text, mark)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF_NAN.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _integer(text: str, mark: _Mark | None) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    # The length comes first: Python refuses to convert thousands of digits.
    value = int(text[2:] if base != 10 else text, base) if len(text) <= 400 else _MAX_INT
    if abs(value) >= _MAX_INT:
        raise _RefusedError(mark, f"the number {text[:30]}… has more than 64 bits", "Use a smaller one, or quote it")
    return value


class _Dumper(yaml.SafeDumper):
    """Quotes every text that ``read`` would take for something else, and repeats instead of aliasing."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # The emitter takes these for text and the reader for line breaks, unless they are escaped.
        style = '"' if any(c in data for c in "\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar(_PREFIX + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


for _pattern in (_INT, _FLOAT):
    _Dumper.add_implicit_resolver(_PREFIX + "float", re.compile(f"(?:{_pattern.pattern})$"), list("-+.0123456789"))


def unreadable(data: object) -> list[Problem]:
    """What keeps a Python object from being plain data: other types, non-finite or huge numbers, bad text, depth."""
    problems: list[Problem] = []
    nodes = 0

    def visit(value: object, place: tuple[str, ...]) -> None:
        nonlocal nodes
        nodes += 1
        why = None
        if nodes > MAX_NODES or len(place) > MAX_DEPTH:
            if nodes <= MAX_NODES + 1:
                nodes = MAX_NODES + 1
                why = f"there are more than {MAX_NODES} values or {MAX_DEPTH} levels"
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(key, str) and not _bad_text(key):
                    visit(item, (*place, key))
                else:
                    why = f"the key {key!r:.60} is not plain text"
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                visit(item, (*place, str(index)))
        elif isinstance(value, float):
            why = None if math.isfinite(value) else f"{value} is not a finite number"
        elif isinstance(value, int):
            why = None if abs(value) < _MAX_INT else "the number has more than 64 bits"
        elif isinstance(value, str):
            why = _bad_text(value)
        elif value is not None:
            why = f"a value of type {type(value).__name__} cannot stand in a document"
        if why is not None and len(problems) < 20:
            remedy = "Use text, finite numbers, true, false, null, lists and mappings with text keys"
            problems.append(Problem(ErrorCode.INVALID_VALUE, ".".join(place), why, remedy))

    visit(data, ())
    return problems


def _bad_text(text: str) -> str | None:
    if "\0" in text:
        return "the text holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the text holds half of a surrogate pair"
    return None

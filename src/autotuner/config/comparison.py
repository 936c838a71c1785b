"""A small language of comparisons for the rules of presets: ``tp-size >= 4 and not schedule-policy == "lpm"``.

    either      := both ("or" both)*
    both        := negated ("and" negated)*
    negated     := "not" negated | "(" either ")" | compared
    compared    := operand [relation operand]
    relation    := "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in"
    operand     := name | number | text in quotes | "true" | "false" | "null" | "[" operands "]"

It is parsed here and never given to an interpreter. A name stands for a parameter's value, or for one of ``FACTS``; one
that has no value is null. ``true`` is not 1, and text is no number. ``<`` and the like hold between two numbers, or two
texts; with null what they say is not known, and neither is what follows from it. Alone, a name holds when it has a
value that is not false, 0 or empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from autotuner.config.parameters import same_value
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar

MAX_LENGTH = 2000
MAX_DEPTH = 20
MAX_TERMS = 200

FACTS = ("engine", "model", "gpu_type", "total_gpus")
"""Names that are no parameters."""

Value: TypeAlias = "Scalar | tuple[Scalar, ...]"

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![A-Za-z_0-9]))
      | (?P<text>"[^"\n]*"|'[^'\n]*')
      | (?P<name>-{0,2}[A-Za-z_][A-Za-z0-9_]*(?:[-.][A-Za-z0-9_]+)*)
      | (?P<sign>==|!=|<=|>=|<|>|[()\[\],])
    )""",
    re.VERBOSE,
)
_WORDS: Mapping[str, Scalar] = {"true": True, "false": False, "null": None}
_ORDERED: Mapping[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


@dataclass(frozen=True)
class _Constant:
    value: Value


@dataclass(frozen=True)
class _Name:
    name: str


@dataclass(frozen=True)
class _Compared:
    left: _Constant | _Name
    relation: str
    right: _Constant | _Name


@dataclass(frozen=True)
class _Not:
    part: _Node


@dataclass(frozen=True)
class _Joined:
    every: bool
    parts: tuple[_Node, ...]


_Node: TypeAlias = "_Constant | _Name | _Compared | _Not | _Joined"


@dataclass(frozen=True)
class Comparison:
    """A parsed comparison."""

    text: str
    _root: _Node

    @property
    def names(self) -> tuple[str, ...]:
        """Names as written, each once, in order."""
        return tuple(dict.fromkeys(_names(self._root)))

    def holds(self, value_of: Callable[[str], Value]) -> bool:
        """Whether it is certainly true. ``value_of`` gives the value of a name as written; None where it has none."""
        return _truth(self._root, value_of) is True

    def fails(self, value_of: Callable[[str], Value]) -> bool:
        """Whether it is certainly false."""
        return _truth(self._root, value_of) is False


def parse_comparison(text: str) -> Comparison:
    """The comparison of a text. AutotunerError(INVALID_VALUE) with the place in it that cannot be read."""
    if len(text) > MAX_LENGTH:
        raise _unreadable(text[:60], f"it has {len(text)} characters, and {MAX_LENGTH} are the limit")
    parser = _Parser(text)
    root = parser.either(0)
    parser.end()
    return Comparison(text, root)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text of a comparison with other names in it; what else it says stays as it is."""
    made: list[str] = []
    position = 0
    for found in _tokens(text):
        start, end = found.span("name") if found.lastgroup == "name" else (0, 0)
        if end and found["name"] in names:
            made += [text[position:start], names[found["name"]]]
            position = end
    return "".join([*made, text[position:]])


def _unreadable(text: str, why: str) -> AutotunerError:
    return AutotunerError(
        ErrorCode.INVALID_VALUE,
        f"the comparison {text!r} cannot be read",
        why=why,
        remedy='Write it like: tp-size >= 4 and schedule-policy in ["lpm", "fcfs"]',
    )


class _Parser:
    """Takes one token after the other; ``either`` is the whole of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(str(found.lastgroup), found[str(found.lastgroup)]) for found in _tokens(text)]
        self._at = 0
        self._terms = 0

    def either(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._wrong(f"it is nested more than {MAX_DEPTH} levels deep")
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else _Joined(False, tuple(parts))

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._tokens[self._at][1]!r} stands where it should end")

    def _both(self, depth: int) -> _Node:
        parts = [self._negated(depth)]
        while self._take("and"):
            parts.append(self._negated(depth))
        return parts[0] if len(parts) == 1 else _Joined(True, tuple(parts))

    def _negated(self, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise self._wrong(f"it is nested more than {MAX_DEPTH} levels deep")
        if self._take("not"):
            return _Not(self._negated(depth + 1))
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise self._wrong("a parenthesis is not closed")
            return inner
        return self._compared()

    def _compared(self) -> _Node:
        left = self._operand()
        relation = self._relation()
        if relation is None:
            return left
        right = self._operand()
        if relation in ("in", "not in") and not (isinstance(right, _Name) or isinstance(right.value, tuple)):
            raise self._wrong("behind in stands no list")
        return _Compared(left, relation, right)

    def _relation(self) -> str | None:
        for sign in ("==", "!=", "<=", ">=", "<", ">", "in"):
            if self._take(sign):
                return sign
        if self._take("not"):
            if not self._take("in"):
                raise self._wrong("behind not stands no in")
            return "not in"
        return None

    def _operand(self) -> _Constant | _Name:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._wrong(f"it has more than {MAX_TERMS} terms")
        if self._take("["):
            found: list[Scalar] = []
            while not self._take("]"):
                if found and not self._take(","):
                    raise self._wrong("a list is not closed")
                item = self._operand()
                if isinstance(item, _Name) or isinstance(item.value, tuple):
                    raise self._wrong("a list holds numbers, texts, true, false and null")
                found.append(item.value)
            return _Constant(tuple(found))
        if self._at >= len(self._tokens):
            raise self._wrong("something is missing at its end")
        kind, token = self._tokens[self._at]
        if kind == "sign" or token in ("and", "or", "not", "in"):
            raise self._wrong(f"{token!r} stands where a name or a value should")
        self._at += 1
        if kind == "number":
            return _Constant(_number(token))
        if kind == "text":
            return _Constant(token[1:-1])
        return _Constant(_WORDS[token]) if token in _WORDS else _Name(token)

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] in (("sign", token), ("name", token)):
            self._at += 1
            return True
        return False

    def _wrong(self, why: str) -> AutotunerError:
        return _unreadable(self._text, why)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position, end)
        if found is None:
            raise _unreadable(text, f"{text[position:].strip()[:20]!r} is no part of a comparison")
        yield found
        position = found.end()


def _number(token: str) -> int | float:
    if re.fullmatch(r"[-+]?\d{1,18}", token):
        return int(token)
    return float(token)


def _names(node: _Node) -> Iterator[str]:
    match node:
        case _Name(name=name):
            yield name
        case _Compared(left=left, right=right):
            yield from _names(left)
            yield from _names(right)
        case _Not(part=part):
            yield from _names(part)
        case _Joined(parts=parts):
            for one in parts:
                yield from _names(one)
        case _Constant():
            pass


def _truth(node: _Node, value_of: Callable[[str], Value]) -> bool | None:
    """None: not known."""
    match node:
        case _Constant() | _Name():
            return bool(_operand_value(node, value_of))
        case _Compared(left=left, relation=relation, right=right):
            return _related(_operand_value(left, value_of), relation, _operand_value(right, value_of))
        case _Not(part=part):
            inner = _truth(part, value_of)
            return None if inner is None else not inner
        case _Joined(every=every, parts=parts):
            found = [_truth(one, value_of) for one in parts]
            if (not every) in found:
                return not every
            return None if None in found else every


def _operand_value(node: _Constant | _Name, value_of: Callable[[str], Value]) -> Value:
    return node.value if isinstance(node, _Constant) else value_of(node.name)


def _related(left: Value, relation: str, right: Value) -> bool | None:
    if relation == "==":
        return _equal(left, right)
    if relation == "!=":
        return not _equal(left, right)
    if relation in ("in", "not in"):
        among = right if isinstance(right, tuple) else (right,)
        return any(_equal(left, one) for one in among) == (relation == "in")
    if left is None or right is None:
        return None
    sign = _order(left, right)
    return sign is not None and _ORDERED[relation](sign)


def _equal(left: Value, right: Value) -> bool:
    if isinstance(left, tuple) or isinstance(right, tuple):
        return (
            isinstance(left, tuple)
            and isinstance(right, tuple)
            and len(left) == len(right)
            and all(same_value(one, other) for one, other in zip(left, right, strict=True))
        )
    return same_value(left, right)


def _order(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; None for two values that have no order."""
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    if isinstance(left, int | float) and isinstance(right, int | float):
        return (left > right) - (left < right)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    return None

"""Reads typed values out of a file's mapping, and knows afterwards which keys nobody asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from autotuner.config.problems import DocumentError, Problem
from autotuner.config.text import Data
from autotuner.contracts.errors import ErrorCode

MAX_SIZE = 4096
"""GPUs of one kind of parallelism."""
MAX_TOKENS = 10_000_000
MAX_COUNT = 1_000_000
MAX_SIZES = 64
"""Values of one list."""
MAX_MS = 1e9

NOTHING: tuple[Data, ...] = (None, "", {}, [])


class FileMapping:
    """A mapping of a file. What is null or empty counts as not given."""

    def __init__(self, data: Mapping[str, Data], *, name: str, place: str = "") -> None:
        """``name``: of the file, for errors. ``place``: key path of this mapping in it."""
        self.data = data
        self.name = name
        self._place = place
        self._read: set[str] = set()
        self._inner: dict[str, FileMapping] = {}

    def place(self, key: str) -> str:
        """The key path of a key."""
        return f"{self._place}.{key}" if self._place else key

    def given(self, key: str) -> bool:
        """Whether the key has a value."""
        return self.data.get(key) not in NOTHING

    def block(self, key: str) -> FileMapping:
        """The mapping under a key; an empty one where there is none. DocumentError for another value."""
        if key not in self._inner:
            value = self._take(key)
            if value is not None and not isinstance(value, dict):
                raise self.error(key, f"it is {_shown(value)} and not a mapping")
            self._inner[key] = FileMapping(value or {}, name=self.name, place=self.place(key))
        return self._inner[key]

    def needed(self, key: str) -> FileMapping:
        """The mapping under a key. DocumentError where there is none, or an empty one."""
        found = self.block(key)
        if not found.data:
            raise self.error(key, "it says nothing of the servers that the serving mode asks for", "Add it")
        return found

    def text(self, *keys: str) -> str | None:
        """The first of these keys that has a value, as text. DocumentError for another kind of value."""
        for key in keys:
            value = self._take(key)
            if value is not None:
                if not isinstance(value, str):
                    raise self.error(key, f"it is {_shown(value)} and not text")
                return value
        return None

    def flag(self, key: str) -> bool | None:
        """true or false. DocumentError for anything else."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.error(key, f"it is {_shown(value)} and neither true nor false")

    def whole(self, key: str, *, low: int = 1, high: int = MAX_COUNT) -> int | None:
        """A whole number. DocumentError for another value, or one that is not between ``low`` and ``high``."""
        value = self._take(key)
        return None if value is None else self._whole(key, value, low, high)

    def size(self, key: str) -> int | None:
        """Number of GPUs of one kind of parallelism."""
        return self.whole(key, high=MAX_SIZE)

    def tokens(self, key: str, *, low: int = 1) -> int | None:
        """Number of tokens."""
        return self.whole(key, low=low, high=MAX_TOKENS)

    def sizes(self, key: str) -> tuple[int, ...]:
        """A list of numbers of GPUs, each once; empty where there is none. One number counts as a list of it."""
        value = self._take(key)
        if value is None:
            return ()
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_SIZES:
            raise self.error(key, f"it has {len(values)} values, and {MAX_SIZES} are possible")
        return tuple(dict.fromkeys(self._whole(key, one, 1, MAX_SIZE) for one in values))

    def number(self, key: str, *, low: float = 0.0, high: float = MAX_MS) -> float | None:
        """A number. DocumentError for another value, or one that is not between ``low`` and ``high``."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(key, f"it is {_shown(value)} and not a number")
        if not low <= value <= high:
            raise self.error(key, f"it is {_shown(value)}, and {low:g} to {high:g} are possible")
        return float(value)

    def positive(self, key: str) -> float | None:
        """A number; 0, by which aiconfigurator means that it has none, counts as not given."""
        return self.number(key) or None

    def ignore(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Count these keys as read; key paths of those that have a value."""
        found: list[str] = []
        for key in keys:
            if key not in self._read:
                value = self._take(key)
                if value is not None:
                    found.append(self.place(key))
        return tuple(found)

    def rest(self) -> tuple[str, ...]:
        """Key paths of what has a value and was not asked for, this mapping's and those of the blocks below."""
        return tuple(self._rest())

    def raw(self) -> dict[str, Data]:
        """All of it without nulls."""
        return {key: _without_nulls(value) for key, value in self.data.items() if value is not None}

    def error(self, key: str, why: str, remedy: str = "Correct the value") -> DocumentError:
        """The error for a value; to be raised."""
        return DocumentError(self.name, [Problem(ErrorCode.INVALID_VALUE, self.place(key), why, remedy)])

    def _rest(self) -> Iterator[str]:
        for key in self.data:
            if key in self._inner:
                yield from self._inner[key].rest()
            elif key not in self._read and self.given(key):
                yield self.place(key)

    def _take(self, key: str) -> Data:
        self._read.add(key)
        value = self.data.get(key)
        return None if value in NOTHING else value

    def _whole(self, key: str, value: Data, low: int, high: int) -> int:
        # Tables write whole numbers as 63.0.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"it is {_shown(value)} and not a whole number")
        if not low <= value <= high:
            raise self.error(key, f"it is {value}, and {low} to {high} are possible")
        return value


def _without_nulls(value: Data) -> Data:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

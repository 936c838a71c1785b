"""What can be wrong with a document, all of it reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from autotuner.contracts.errors import AutotunerError, ErrorCode

_WHAT = {
    ErrorCode.UNKNOWN_KEY: "unknown key",
    ErrorCode.INVALID_VALUE: "invalid value",
    ErrorCode.CONTRADICTION: "contradiction",
    ErrorCode.UNSUPPORTED: "unsupported value",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (key path, or line and column), why, and what to do about it."""

    code: ErrorCode
    place: str
    why: str
    remedy: str


class DocumentError(AutotunerError):
    """A document with one or more problems.

    With one problem the error is that problem; with several ``why`` lists each with its place, and ``code`` is theirs
    if they share one, else INVALID_DOCUMENT. ``problems`` holds them for forms and editors.
    """

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        if len(self.problems) == 1:
            what = _WHAT.get(first.code, "cannot be read")
            super().__init__(
                first.code, f"{name}: {what}", why=first.why, remedy=first.remedy, place=first.place or None
            )
            return
        codes = {p.code for p in self.problems}
        listed = "; ".join(f"({n}) {p.place or 'document'}: {p.why} - {p.remedy}" for n, p in enumerate(problems, 1))
        super().__init__(
            first.code if len(codes) == 1 else ErrorCode.INVALID_DOCUMENT,
            f"{name} has {len(self.problems)} problems",
            why=listed,
            remedy="Correct them all; `autotuner schema` prints every key with its meaning and unit",
        )


CUSTOM = "autotuner"
"""Type of the validation errors that ``refuse`` makes."""


def refuse(why: str, remedy: str, code: ErrorCode = ErrorCode.INVALID_VALUE) -> PydanticCustomError:
    """A validation error that keeps its remedy and code on the way through pydantic."""
    return PydanticCustomError(CUSTOM, "{why}", {"why": why, "remedy": remedy, "code": code.value})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` was probably meant to be; None when nothing is near."""
    by_folded = {k.lower().replace("-", "_"): k for k in known}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None

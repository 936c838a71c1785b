"""The one error type that people see: what happened, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable codes; scripts may rely on them."""

    INVALID_DOCUMENT = "invalid_document"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_NAME = "unknown_name"
    UNKNOWN_PARAMETER = "unknown_parameter"
    INVALID_VALUE = "invalid_value"
    CONTRADICTION = "contradiction"
    EMPTY_SPACE = "empty_space"
    MISSING_FILE = "missing_file"
    MISSING_MODEL = "missing_model"
    MISSING_EXTRA = "missing_extra"
    NOT_FOUND = "not_found"
    TASK_CHANGED = "task_changed"
    TASK_BUSY = "task_busy"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    STORE_UNAVAILABLE = "store_unavailable"
    STORE_SCHEMA = "store_schema"
    STORAGE = "storage"
    UNREACHABLE = "unreachable"
    NO_RESULT = "no_result"
    UNSUPPORTED = "unsupported"


HTTP_STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TASK_CHANGED: 409,
    ErrorCode.TASK_BUSY: 409,
    ErrorCode.STORE_UNAVAILABLE: 503,
    ErrorCode.STORE_SCHEMA: 503,
    ErrorCode.STORAGE: 507,
    ErrorCode.UNREACHABLE: 502,
    ErrorCode.MISSING_EXTRA: 501,
    ErrorCode.NO_RESULT: 409,
}
"""The status with which a service answers an error; 422 for every other code, which all say that the input is wrong."""


def http_status(code: ErrorCode) -> int:
    """The status of a code."""
    return HTTP_STATUS.get(code, 422)


class AutotunerError(Exception):
    """A problem a person can act on.

    Fields: ``code`` (stable), ``what`` happened, ``why``, ``remedy`` (what to do), ``place`` (key path, file or
    parameter it is about, if any). Each of the three is one sentence without a final full stop.
    """

    def __init__(self, code: ErrorCode, what: str, *, why: str, remedy: str, place: str | None = None) -> None:
        super().__init__(what)
        self.code = code
        self.what = what.removesuffix(".")
        self.why = why.removesuffix(".")
        self.remedy = remedy.removesuffix(".")
        self.place = place

    def __str__(self) -> str:
        place = f" (at {self.place})" if self.place else ""
        remedy = self.remedy if self.remedy.endswith(("?", "!", ".")) else f"{self.remedy}."
        return f"{self.what}{place}: {self.why}. {remedy}"

    def as_dict(self) -> dict[str, str | None]:
        """The error as JSON, with the same fields for every interface."""
        return {
            "code": self.code.value,
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
            "place": self.place,
        }


class StoreUnavailableError(AutotunerError):
    """The store can't be read or written (STORE_UNAVAILABLE).

    ``mend``: what would let the same be tried again. Only set when it is certain that nothing was changed and the cause
    may pass; None otherwise.
    """

    def __init__(self, what: str, *, why: str, remedy: str, place: str | None, mend: str | None = None) -> None:
        super().__init__(ErrorCode.STORE_UNAVAILABLE, what, why=why, remedy=remedy, place=place)
        self.mend = mend

"""Errors on the wire: application/problem+json (RFC 9457) with a stable code."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from autotuner.config.problems import DocumentError
from autotuner.contracts.errors import AutotunerError, ErrorCode, http_status
from autotuner.contracts.store import StatusConflictError

MEDIA_TYPE = "application/problem+json"
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}
"""Of errors that a route or the framework raises by their status alone."""


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    place: str = Field(description="key path")
    detail: str = Field(description="what is wrong")
    code: str = Field(description="stable code of the error")
    remedy: str | None = Field(None, description="what to do")


class ProblemDetails(BaseModel):
    """Why a request was not carried out; nothing was changed."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field("about:blank", description="always about:blank: `code` tells what it is")
    title: str = Field(description="the status in words", examples=["Not Found"])
    status: int = Field(description="the HTTP status", examples=[404])
    code: str = Field(description="stable: programs may rely on it", examples=["not_found"])
    detail: str = Field(description="what happened", examples=["There is no task 7"])
    why: str | None = Field(None, description="the reason")
    remedy: str | None = Field(None, description="what to do")
    place: str | None = Field(None, description="the field, file or object it is about")
    errors: list[FieldProblem] | None = Field(None, description="each wrong field, when there are several")


class ProblemResponse(JSONResponse):
    """A response with ``ProblemDetails``."""

    media_type = MEDIA_TYPE


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    why: str | None = None,
    remedy: str | None = None,
    place: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> ProblemResponse:
    """The response of an error."""
    body = ProblemDetails(
        title=_title(status),
        status=status,
        code=code,
        detail=detail,
        why=why,
        remedy=remedy,
        place=place,
        errors=errors,
    )
    return ProblemResponse(body.model_dump(mode="json", exclude_none=True), status_code=status, headers=headers)


def of_error(error: AutotunerError) -> ProblemResponse:
    """The response of an error that a person can act on."""
    errors = None
    if isinstance(error, DocumentError):
        errors = [
            FieldProblem(place=one.place, detail=one.why, code=one.code.value, remedy=one.remedy)
            for one in error.problems
        ]
    status = http_status(error.code)
    return problem(
        status,
        error.code.value,
        error.what,
        why=error.why,
        remedy=error.remedy,
        place=error.place,
        errors=errors,
        headers={"Retry-After": "5"} if status == 503 else None,
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these errors."""
    return {
        status: {
            "description": _title(status),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }


def add_handlers(app: FastAPI) -> None:
    """Turn every error of a route into a problem."""

    @app.exception_handler(AutotunerError)
    async def known(_request: Request, error: AutotunerError) -> ProblemResponse:
        return of_error(error)

    @app.exception_handler(StatusConflictError)
    async def conflict(_request: Request, error: StatusConflictError) -> ProblemResponse:
        return problem(
            409,
            ErrorCode.CONFLICT.value,
            "The state does not allow this",
            why=f"it is {error.actual}",
            remedy="Look at the present state and try again",
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> ProblemResponse:
        errors = [
            FieldProblem(
                place=".".join(str(part) for part in one["loc"]),
                detail=str(one["msg"]),
                code=ErrorCode.INVALID_VALUE.value,
            )
            for one in error.errors()
        ]
        return problem(
            422,
            ErrorCode.INVALID_VALUE.value,
            "The request is not valid",
            why="; ".join(f"{one.place}: {one.detail}" for one in errors[:5]),
            remedy="Correct what is named; /docs shows what each call takes",
            errors=errors,
        )

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> ProblemResponse:
        code = _CODES.get(error.status_code, "http_error")
        return problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


def _title(status: int) -> str:
    from http import HTTPStatus

    return HTTPStatus(status).phrase

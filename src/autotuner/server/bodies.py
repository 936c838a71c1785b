"""Bodies of requests: strict models, plain data that a service checks itself, and files in either of two forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from autotuner.config.text import MAX_BYTES

JSON_TYPE = "application/json"
FORM_TYPE = "multipart/form-data"
UNNAMED = "the file"
MAX_TEXT_BODY = 4 * MAX_BYTES
"""A text of MAX_BYTES as JSON: most letters that are escaped become two."""


class Body(BaseModel):
    """Base of request bodies: no unknown fields, and ``"8"`` is not 8."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Asked(BaseModel):
    """Base of a call's query parameters: no unknown ones."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class DescribedBy:
    """Annotation of plain data that a service checks: ``model`` stands for it in the description alone."""

    model: type[BaseModel]

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(self.model.__pydantic_core_schema__)


@dataclass(frozen=True)
class Given:
    """The file of a request."""

    raw: bytes
    """Cut one byte above the limit."""
    name: str | None = None
    """Of the field of a form, as the sender calls it; None: it came as the body itself."""


async def given_file(request: Request, *, most: int = MAX_BYTES) -> Given:
    """The file of a request: the multipart field ``file``, or the body itself as JSON, of which at most one byte more
    than ``most`` is read.

    HTTPException: 415 for another content type, 422 for a form without that field.
    """
    kind = request.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    if kind == FORM_TYPE:
        return await _field(request)
    if kind != JSON_TYPE:
        raise HTTPException(415, f"Send the file as {FORM_TYPE} in the field file, or as {JSON_TYPE}")
    return Given(await _body(request, most + 1))


async def _field(request: Request) -> Given:
    async with request.form(max_files=1, max_fields=1, max_part_size=MAX_BYTES + 1) as form:
        file = form.get("file")
        if isinstance(file, UploadFile):
            return Given(await file.read(MAX_BYTES + 1), file.filename or UNNAMED)
        if isinstance(file, str) and len(form) == 1:  # a form field without a file name
            return Given(file.encode("utf-8", "surrogateescape")[: MAX_BYTES + 1], UNNAMED)
        raise HTTPException(422, "The form has no field named file")


async def _body(request: Request, most: int) -> bytes:
    """The first ``most`` bytes; the rest is not read."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size >= most:
            break
    return b"".join(parts)[:most]


def file_body(json_schema: dict[str, Any], *, examples: dict[str, Any], what: str) -> dict[str, Any]:
    """``openapi_extra`` of a call that takes a file in both forms. ``json_schema``: of the JSON body."""
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream", "description": what}},
        "additionalProperties": False,
    }
    return {
        "requestBody": {
            "required": True,
            "description": f"{what}, as the field file of a form or as the body itself",
            "content": {
                JSON_TYPE: {"schema": json_schema, "examples": examples},
                FORM_TYPE: {"schema": form},
            },
        }
    }

"""The page of the API, and its file."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from autotuner.server.page import api
from autotuner.server.page.frame import STYLE, page

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def api_page(request: Request) -> HTMLResponse:
    """The calls of the API."""
    return page("API", api.api_view(request.app.openapi()))


@router.get(STYLE)
async def style() -> Response:
    """How the pages look that are made here."""
    text = (files("autotuner.server.page") / "style.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css")

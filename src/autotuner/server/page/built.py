"""The built pages: one HTML file for every address of theirs, and the files that it names."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path

from starlette.datastructures import Headers, URLPath
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from autotuner.server.page.frame import page
from autotuner.server.security.headers import page_policy
from autotuner.services.report.markup import tag

BUILT = Path(__file__).with_name("built")
"""Where the build puts the pages; a part of the package, not of the repository."""
INDEX = "index.html"
NONCE = "CSP_NONCE"
"""Stands in the index wherever a nonce belongs (``html.cspNonce`` of the build)."""
HASHED = "assets/"
"""Begin of the names that change with their content."""
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""What a browser may accept, the best first → how the build names the file that is compressed so."""

_FILE = re.compile(r"(?:[A-Za-z0-9_-][\w.-]{0,100}/){0,3}[A-Za-z0-9_-][\w.-]{0,100}", re.ASCII)


class BuiltPages(BaseRoute):
    """Every GET that is none of the API's: a file of the build, or the index, which finds its way by its address.

    It must be the last route. ``folder``: of the build; read at each request, so a new build counts at once.
    """

    path = "/{page}"
    methods = frozenset({"GET", "HEAD"})

    def __init__(self, folder: Path, *, api: str) -> None:
        self._folder = folder
        self._api = api

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for a page."""
        path = scope["path"]
        mine = scope["type"] == "http" and scope["method"] in self.methods
        if not mine or path == self._api or path.startswith(f"{self._api}/"):
            return Match.NONE, {}
        return Match.FULL, {"route": self, "endpoint": self, "path_params": {}}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """NoMatchFound: pages have no names here."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        answer = await asyncio.to_thread(self._answer, scope["path"].removeprefix("/"), Headers(scope=scope))
        await answer(scope, receive, send)

    def _answer(self, name: str, headers: Headers) -> Response:
        media_type = MEDIA_TYPES.get(Path(name).suffix)
        if media_type is not None and name != INDEX and _FILE.fullmatch(name):
            file = self._folder / name
            if file.is_file():
                return _file(file, media_type, headers, hashed=name.startswith(HASHED))
        if name.startswith(HASHED) or (media_type is not None and name != INDEX):
            raise HTTPException(404)
        return self._index()

    def _index(self) -> Response:
        try:
            text = (self._folder / INDEX).read_text(encoding="utf-8")
        except FileNotFoundError:
            return _not_built()
        nonce = secrets.token_urlsafe(16)
        headers = {"Content-Security-Policy": page_policy(nonce), "Cache-Control": "no-store"}
        return HTMLResponse(text.replace(NONCE, nonce), headers=headers)


def _file(file: Path, media_type: str, headers: Headers, *, hashed: bool) -> Response:
    encoding, chosen = next(
        ((name, there) for name in _accepted(headers) if (there := _compressed(file, name)).is_file()), (None, file)
    )
    said = {
        "Cache-Control": "private, max-age=31536000, immutable" if hashed else "private, no-cache",
        "Vary": "Accept-Encoding",
    }
    if encoding is not None:
        said["Content-Encoding"] = encoding
    answer = FileResponse(chosen, media_type=media_type, headers=said, stat_result=chosen.stat())
    tag_of_file = answer.headers["etag"]
    if tag_of_file in {one.strip().removeprefix("W/") for one in headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers={**said, "ETag": tag_of_file})
    return answer


def _compressed(file: Path, encoding: str) -> Path:
    return file.with_name(file.name + ENCODINGS[encoding])


def _accepted(headers: Headers) -> list[str]:
    """The encodings that the build may have and the browser takes, the best first."""
    wanted = set()
    for one in headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = one.partition(";")
        if quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            wanted.add(name.strip())
    return [name for name in ENCODINGS if name in wanted]


def _not_built() -> Response:
    return page(
        "Pages not built",
        tag("h1", "The pages are not built"),
        tag("p", "Run ", tag("code", "make pages"), " in the checkout, then load this page again. The API works: ",
            tag("a", "its description", href="/docs"), "."),
        status=503,
    )  # fmt: skip

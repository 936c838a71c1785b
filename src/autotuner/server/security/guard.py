"""Who may ask: the first thing that a request meets, HTTP or WebSocket."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from autotuner.server.page.signed_out import signed_out
from autotuner.server.problems import problem
from autotuner.server.security.places import header, host_is_allowed, is_same_origin, port_of
from autotuner.services.access_token import AccessToken

OPEN = frozenset({"/api/system/live"})
"""Paths that anybody on the host may read: they tell nothing."""
API = "/api/"
SAFE = frozenset({"GET", "HEAD"})
COOKIE_AGE_S = 30 * 86_400


class Guard:
    """Lets a request through when it names this service (Host), has the right token or a page's cookie, and does not
    come from a foreign page.

    Refusals are problems; a WebSocket is refused before it is accepted. A page is let in once with ``?token=`` and gets
    a cookie for it; its address is replaced by one without the token.
    """

    def __init__(self, app: ASGIApp, *, token: AccessToken, hosts: Sequence[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = tuple(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or hand it on."""
        answer = self._answer(scope) if scope["type"] in {"http", "websocket"} else None
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _answer(self, scope: Scope) -> Response | None:
        """What is answered at once; None when the request may go on."""
        try:
            host, origin = header(scope, "host"), header(scope, "origin")
            authorization, media_type = header(scope, "authorization"), header(scope, "content-type")
            site = header(scope, "sec-fetch-site")
        except ValueError as error:
            return problem(400, "ambiguous_header", "The request contradicts itself", why=str(error))
        if host is None or not host_is_allowed(host, port_of(scope), self._hosts):
            return problem(
                403,
                "host_not_allowed",
                "The service is not known under this name",
                why="the Host header names another one",
                remedy="Call it by the address that `autotuner serve` prints, or add the name to allowed_hosts",
            )
        path, unsafe = scope["path"].rstrip("/"), scope["type"] == "websocket" or scope["method"] not in SAFE
        if path in OPEN and not unsafe:
            return None
        if authorization is not None:
            if not self._is_right(authorization):
                return self._unknown(scope)
        elif self._has_cookie(scope):
            foreign = site is not None and site not in {"same-origin", "none"}
            if foreign or (unsafe and origin is None):
                return _foreign()
            if unsafe and _has_other_body(scope, media_type):
                return problem(
                    415,
                    "json_only",
                    "Pages send JSON only",
                    why="forms of other pages could send anything else",
                    remedy="Send application/json, or the token in the header Authorization",
                )
        else:
            return self._sign_in(scope)
        if unsafe and origin is not None and not is_same_origin(origin, host):
            return _foreign()
        return None

    def _is_right(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._token.is_right(token.strip())

    def _has_cookie(self, scope: Scope) -> bool:
        lines = [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == b"cookie"]
        cookie = cookie_parser("; ".join(lines)).get(cookie_name(scope))
        return cookie is not None and self._token.is_right_cookie(cookie)

    def _sign_in(self, scope: Scope) -> Response:
        """Swap the token in a page's address for a cookie."""
        given = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        tokens = [value for key, value in given if key == "token"]
        cookie = self._token.cookie
        is_page = scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(API)
        if not is_page or len(tokens) != 1 or not self._token.is_right(tokens[0]) or cookie is None:
            return self._unknown(scope)
        rest = urlencode([(key, value) for key, value in given if key != "token"])
        # One slash: with two it would be the address of another host.
        answer = RedirectResponse("/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else ""), status_code=303)
        answer.set_cookie(cookie_name(scope), cookie, max_age=COOKIE_AGE_S, httponly=True, samesite="strict")
        return answer

    def _unknown(self, scope: Scope) -> Response:
        if scope["type"] == "http" and not scope["path"].startswith(API) and _takes_html(scope):
            return signed_out(tried="token=" in scope.get("query_string", b"").decode("latin-1"))
        return problem(
            401,
            "token_required",
            "The token is missing or wrong",
            why="every call needs it, also on this host",
            remedy="Send Authorization: Bearer TOKEN; `autotuner token` prints it",
            headers={"WWW-Authenticate": "Bearer"},
        )


def cookie_name(scope: Scope) -> str:
    """The cookie of this service: browsers keep the cookies of all ports of a host together."""
    return f"autotuner-{port_of(scope)}"


def _foreign() -> Response:
    return problem(
        403,
        "foreign_origin",
        "The request comes from another page",
        why="its Origin or Sec-Fetch-Site is not this service's",
        remedy="Open the page by the address that `autotuner serve` prints",
    )


def _has_other_body(scope: Scope, media_type: str | None) -> bool:
    if scope["type"] == "websocket":
        return False
    if media_type is not None:
        return media_type.partition(";")[0].strip().lower() != "application/json"
    return any(
        key == b"transfer-encoding" or (key == b"content-length" and value.strip() != b"0")
        for key, value in scope["headers"]
    )


def _takes_html(scope: Scope) -> bool:
    return any(key == b"accept" and b"text/html" in value for key, value in scope["headers"])

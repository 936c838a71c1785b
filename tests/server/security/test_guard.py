"""No call of the service answers without the token, under another name, or for another page."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.routing import iter_route_contexts
from served import HEADERS, TOKEN, client, serving, settings_in
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from autotuner.server.app import create_app

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def calls_of(app: FastAPI) -> list[tuple[str, str]]:
    """Method (or "WS") and a path of every call of the application, whatever router it comes from."""
    found: list[tuple[str, str]] = []
    for route in iter_route_contexts(app.routes):
        path = re.sub(r"\{[^}]*\}", "1", route.path or "")
        methods = ["WS"] if isinstance(route.original_route, WebSocketRoute) else sorted(route.methods or {"GET"})
        found += [(method, path) for method in methods if method != "HEAD"]
    described = {
        (method.upper(), re.sub(r"\{[^}]*\}", "1", path))
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }
    assert described <= set(found)
    return found


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[FastAPI, str]]:
    app = create_app(settings_in(folder))

    @app.websocket("/api/ws/{name}")
    async def listen(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    @app.post("/api/write")
    async def write() -> None:
        return None

    async with serving(app) as address:
        yield app, address


async def refusal(address: str, path: str, headers: dict[str, str]) -> int:
    """The status with which a WebSocket is refused; 101 when it is not."""
    url = address.replace("http://", "ws://") + path
    origin = headers.pop("Origin", None)
    host = headers.pop("Host", None)
    if host is not None:
        url = url.replace(url.split("/")[2], host)
    port = int(address.rpartition(":")[2])
    try:
        async with connect(url, additional_headers=headers, origin=origin, host="127.0.0.1", port=port, proxy=None):  # type: ignore[arg-type]
            return 101
    except InvalidStatus as error:
        return error.response.status_code


WRONG = {
    "no token": ({}, 401),
    "wrong token": ({"Authorization": "Bearer wrong"}, 401),
    "another scheme": ({"Authorization": f"Basic {TOKEN}"}, 401),
    "wrong host": ({**HEADERS, "Host": "evil.test"}, 403),
    "wrong host, no token": ({"Host": "evil.test"}, 403),
    "foreign origin": ({**HEADERS, "Origin": "http://evil.test"}, 403),
    "origin null": ({**HEADERS, "Origin": "null"}, 403),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_every_call_is_refused(tmp_path: Path, wrong: str) -> None:
    headers, status = WRONG[wrong]
    async with service(tmp_path) as (app, address), httpx.AsyncClient(base_url=address) as http:
        found = calls_of(app)
        assert {("WS", "/api/ws/1"), ("POST", "/api/write"), ("GET", "/api/system/info")} <= set(found)
        for method, path in found:
            reading = method not in UNSAFE | {"WS"}
            if (path == "/api/system/live" and "Host" not in headers) or ("Origin" in headers and reading):
                continue
            if method == "WS":
                assert await refusal(address, path, dict(headers)) == status, path
                continue
            answer = await http.request(method, path, headers=headers)
            assert answer.status_code == status, (method, path)
            if "text/html" not in answer.headers["content-type"]:
                assert answer.json()["code"] in {"token_required", "host_not_allowed", "foreign_origin"}


async def test_the_token_in_an_address_becomes_a_cookie(tmp_path: Path) -> None:
    async with service(tmp_path) as (_, address), httpx.AsyncClient(base_url=address) as http:
        answer = await http.get(f"{address}//evil.test/x?a=1&token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/evil.test/x?a=1")
        cookie = answer.headers["set-cookie"]
        assert TOKEN not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await http.get("/api/system/info")).status_code == 200
        assert (await http.get("/api/system/info", params={"token": TOKEN})).status_code == 200
        http.cookies.clear()
        assert (await http.get("/api/system/info", params={"token": TOKEN})).status_code == 401
        assert (await http.get("/", params={"token": "wrong"}, headers={"Accept": "text/html"})).status_code == 401
        value = cookie.partition("=")[2].partition(";")[0]
        assert (await http.get("/api/system/info", headers={"Authorization": f"Bearer {value}"})).status_code == 401


async def test_a_cookie_lets_only_the_own_page_write_and_only_json(tmp_path: Path) -> None:
    async with service(tmp_path) as (_, address), httpx.AsyncClient(base_url=address) as http:
        await http.get("/", params={"token": TOKEN})
        own = {"Origin": address}

        async def code(headers: dict[str, str], content: bytes = b"{}") -> str:
            answer = await http.post("/api/nothing", headers=headers, content=content)
            return str(answer.json()["code"])

        assert await code({**own, "Content-Type": "application/json"}) == "not_found"
        assert await code({"Content-Type": "application/json"}) == "foreign_origin"
        for other in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
            assert await code({**own, "Content-Type": other}) == "json_only"
        assert await code(own) == "json_only"
        assert await code(own, b"") == "not_found"
        assert (
            await code({**own, "Sec-Fetch-Site": "same-site", "Content-Type": "application/json"}) == "foreign_origin"
        )
        answer = await http.get("/api/system/info", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.json()["code"] == "foreign_origin"


async def test_a_changed_token_counts_at_once(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path, token=None))
    async with serving(app) as address, httpx.AsyncClient(base_url=address) as http:
        file = tmp_path / "token"
        assert file.stat().st_mode & 0o777 == 0o600
        old = file.read_text().strip()
        assert (await http.get("/", params={"token": old})).status_code == 303
        assert (await http.get("/api/system/info")).status_code == 200
        file.write_text("another-token-of-the-owner\n")
        assert (await http.get("/api/system/info")).status_code == 401
        bearer = {"Authorization": "Bearer another-token-of-the-owner"}
        assert (await http.get("/api/system/info", headers=bearer)).status_code == 200
        file.unlink()
        assert (await http.get("/api/system/info", headers=bearer)).status_code == 401


async def test_a_body_that_is_too_large_is_refused_announced_or_not(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path, max_body_bytes=2048))

    @app.post("/api/echo")
    async def echo(body: dict[str, str]) -> dict[str, int]:
        return {"bytes": len(json.dumps(body))}

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(64):
            yield b"x" * 1024
        yield b'"}'

    async with serving(app) as address, client(address) as http:
        kind = {"Content-Type": "application/json"}
        assert (await http.post("/api/echo", json={"text": "x"})).status_code == 200
        for body in (b"x" * 4096, pieces()):
            answer = await http.post("/api/echo", content=body, headers=kind)
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_every_answer_tells_browsers_what_not_to_do(tmp_path: Path) -> None:
    async with service(tmp_path) as (_, address), httpx.AsyncClient(base_url=address) as http:
        for path, headers in (("/api/system/info", HEADERS), ("/api/system/info", {}), ("/nothing", HEADERS)):
            answer = await http.get(path, headers=headers)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
        assert (await http.get("/api/system/live")).json() == {"status": "live"}
        assert (await http.post("/api/system/live")).status_code == 401


async def test_a_websocket_opens_for_programs_with_the_token_and_for_the_own_page(tmp_path: Path) -> None:
    async with service(tmp_path) as (_, address), httpx.AsyncClient(base_url=address) as http:
        assert await refusal(address, "/api/ws/1", dict(HEADERS)) == 101
        cookie = (await http.get("/", params={"token": TOKEN})).headers["set-cookie"].partition(";")[0]
        assert await refusal(address, "/api/ws/1", {"Cookie": cookie, "Origin": address}) == 101
        assert await refusal(address, "/api/ws/1", {"Cookie": cookie}) == 403
        assert await refusal(address, "/api/ws/1", {"Cookie": cookie, "Origin": "http://evil.test"}) == 403

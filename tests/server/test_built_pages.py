"""The built pages as the service hands them out: every address, the files, what is told with them."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from served import client, serving, settings_in

from autotuner.server.app import create_app
from autotuner.server.page.built import BUILT, MEDIA_TYPES
from page_tools import need_pages

INDEX = '<!doctype html><script src="/theme.js" nonce="CSP_NONCE"></script><style nonce="CSP_NONCE"></style>'
SCRIPT = b"export const long = '" + b"a" * 5000 + b"'"
NONCE = re.compile(r"style-src 'self' 'nonce-([\w-]{20,})'")


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A folder as a build leaves it."""
    folder = tmp_path / "pages"
    (folder / "assets").mkdir(parents=True)
    (folder / ".vite").mkdir()
    (folder / ".vite" / "manifest.json").write_text("{}")
    (folder / "index.html").write_text(INDEX)
    (folder / "theme.js").write_text("// theme")
    (folder / "assets" / "main-1a2b.js").write_bytes(SCRIPT)
    (folder / "assets" / "main-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "assets" / "main-1a2b.js.br").write_bytes(b"as brotli makes it")
    (folder / "assets" / "letters.woff2").write_bytes(b"wOF2")
    (tmp_path / "secret.js").write_text("secret")
    return folder


@pytest.fixture
async def http(tmp_path: Path, pages: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(create_app(settings_in(tmp_path / "data"), pages=pages)) as address,
        client(address) as asking,
    ):
        yield asking


@pytest.mark.parametrize(
    "path", ["/", "/tasks/7?tab=results&sort=-score", "/tasks/new", "/index.html", "/no/such/page/"]
)
async def test_every_address_gets_the_index_with_a_nonce_of_its_own(http: httpx.AsyncClient, path: str) -> None:
    answers = [await http.get(path) for _ in range(2)]
    nonces = set()
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy  # so scripts are the service's own files, as default-src says
        found = NONCE.search(policy)
        assert found is not None
        assert answer.text == INDEX.replace("CSP_NONCE", found[1])
        nonces.add(found[1])
    assert len(nonces) == 2


async def test_a_file_whose_name_tells_its_content_is_kept_for_long(http: httpx.AsyncClient) -> None:
    answer = await http.get("/assets/main-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert answer.content == SCRIPT
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in answer.headers
    assert (await http.get("/assets/letters.woff2")).headers["content-type"] == "font/woff2"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("br;q=0, gzip", "gzip"),
        ("BR", "br"),
        ("gzip;q=0", None),
        ("deflate", None),
        ("", None),
    ],
)
async def test_what_the_build_compressed_goes_out_so(
    http: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    async with http.stream("GET", "/assets/main-1a2b.js", headers={"Accept-Encoding": accepted}) as answer:
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["content-type"].startswith("text/javascript")
        raw = b"".join([part async for part in answer.aiter_raw()])
    if encoding == "br":
        assert raw == b"as brotli makes it"
    else:
        assert (gzip.decompress(raw) if encoding == "gzip" else raw) == SCRIPT


async def test_a_file_of_a_fixed_name_is_asked_for_again(http: httpx.AsyncClient, pages: Path) -> None:
    first = await http.get("/theme.js")
    assert first.headers["cache-control"] == "private, no-cache"
    again = await http.get("/theme.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    (pages / "theme.js").write_text("// another theme")
    changed = await http.get("/theme.js", headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.text) == (200, "// another theme")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/gone-1a2b.js",
        "/assets/",
        "/assets/main-1a2b.js.br",
        "/assets/" + "a" * 300 + ".js",
        "/favicon.ico",
        "/.vite/manifest.json",
        "/../secret.js",
        "/%2e%2e/secret.js",
        "/assets/..%2f..%2fsecret.js",
        "/assets/%5c..%5csecret.js",
        "/main%00.js",
        "/api",
        "/api/no-such-call",
    ],
)
async def test_what_there_is_not_is_a_problem_not_a_page(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_only_reading_reaches_a_page(http: httpx.AsyncClient) -> None:
    assert (await http.head("/tasks/7")).status_code == 200
    assert (await http.post("/tasks/7")).status_code == 404
    assert (await http.delete("/api/tasks")).status_code == 405
    assert (await http.get("/docs")).status_code == 200
    assert (await http.get("/docs/style.css")).headers["content-type"].startswith("text/css")


async def test_without_a_build_the_page_says_how_to_make_one(http: httpx.AsyncClient, pages: Path) -> None:
    (pages / "index.html").unlink()
    answer = await http.get("/tasks/7")
    assert answer.status_code == 503
    assert "make pages" in answer.text
    assert (await http.get("/api/system/info")).status_code == 200


def test_every_file_of_the_build_has_a_media_type() -> None:
    need_pages()
    names = {path.name.removesuffix(".br").removesuffix(".gz") for path in BUILT.rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in names} - {".sha256"} <= MEDIA_TYPES.keys()
    assert "CSP_NONCE" in (BUILT / "index.html").read_text(encoding="utf-8")

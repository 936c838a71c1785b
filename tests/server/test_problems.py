"""Errors are problems: one form, a stable code, and no other form in the description."""

from __future__ import annotations

from pathlib import Path

from served import client, serving, settings_in

from autotuner.server.app import create_app


async def test_an_unknown_path_is_a_problem(tmp_path: Path) -> None:
    async with serving(create_app(settings_in(tmp_path))) as address, client(address) as http:
        answer = await http.get("/api/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"


async def test_a_call_answers_with_and_without_its_final_slash(tmp_path: Path) -> None:
    async with serving(create_app(settings_in(tmp_path))) as address, client(address) as http:
        for path in ("/api/system/info", "/api/system/info/"):
            assert (await http.get(path)).status_code == 200

"""Errors are problems: one form, a stable code, and no other form in the description."""

from __future__ import annotations

from pathlib import Path

import httpx
from served import serving

from autotuner.server.app import create_app
from autotuner.services.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder, database=str(folder / "autotuner.db"))


async def test_an_unknown_path_is_a_problem(tmp_path: Path) -> None:
    async with serving(create_app(settings(tmp_path))) as address, httpx.AsyncClient(base_url=address) as client:
        answer = await client.get("/api/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"


async def test_a_call_answers_with_and_without_its_final_slash(tmp_path: Path) -> None:
    async with serving(create_app(settings(tmp_path))) as address, httpx.AsyncClient(base_url=address) as client:
        for path in ("/api/system/info", "/api/system/info/"):
            assert (await client.get(path)).status_code == 200

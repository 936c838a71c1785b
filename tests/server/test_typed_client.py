"""The pages' typed client is made of the API as it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from autotuner.server.openapi import document
from page_tools import FRONTEND, need_packages


def test_the_typed_client_is_current(tmp_path: Path) -> None:
    need_packages()
    (tmp_path / "openapi.json").write_text(json.dumps(document()), encoding="utf-8")
    made = tmp_path / "schema.gen.ts"
    generator = FRONTEND / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    subprocess.run(["node", generator, tmp_path / "openapi.json", "--output", made], check=True, capture_output=True)
    stored = FRONTEND / "src" / "api" / "schema.gen.ts"
    assert made.read_text(encoding="utf-8") == stored.read_text(encoding="utf-8"), "run: make client"

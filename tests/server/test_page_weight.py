"""How much a browser loads before the first page stands."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from autotuner.server.page.built import BUILT
from page_tools import need_pages

MOST = 300_000
"""Bytes of script and style, gzip, of any page before its charts."""
SHELL = "index.html"


def closure(manifest: Mapping[str, Mapping[str, Any]], *begin: str) -> set[str]:
    """The files that are loaded with these entries at once: what they import, but for what they import later."""
    entries, files = [*begin], set()
    seen = set(begin)
    while entries:
        entry = manifest[entries.pop()]
        files |= {entry["file"], *entry.get("css", ())}
        new = [name for name in entry.get("imports", ()) if name not in seen]
        seen.update(new)
        entries += new
    return files


def weight(files: set[str]) -> int:
    """Bytes, gzip."""
    return sum(len(gzip.compress((BUILT / name).read_bytes(), 9)) for name in files)


def test_every_page_is_light_before_its_charts() -> None:
    need_pages()
    manifest = json.loads((BUILT / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    routes = [name for name in manifest if name.startswith("src/routes/")]
    assert len(routes) >= 6
    weights = {name: weight(closure(manifest, SHELL, name)) for name in routes}
    assert {name: size for name, size in weights.items() if size > MOST} == {}
    assert weight(closure(manifest, SHELL)) < MOST


def test_a_closure_is_what_is_imported_at_once() -> None:
    manifest = {
        "a": {"file": "a.js", "imports": ["b"], "dynamicImports": ["d"], "css": ["a.css"]},
        "b": {"file": "b.js", "imports": ["c", "a"]},
        "c": {"file": "c.js", "css": ["c.css"]},
        "d": {"file": "d.js"},
    }
    assert closure(manifest, "a") == {"a.js", "a.css", "b.js", "c.js", "c.css"}

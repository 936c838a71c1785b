"""Links between documents lead somewhere."""

from pathlib import Path

import pytest
from documented import ROOT, anchors, documents, links


def broken(path: Path, text: str) -> list[str]:
    """Relative links of a document whose file or heading does not exist."""
    found: list[str] = []
    for link in links(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        there = file.exists() and file.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_resolve(path: Path) -> None:
    assert broken(path, path.read_text(encoding="utf-8")) == []


def test_the_guides_are_linked() -> None:
    assert sum(1 for path in documents() for link in links(path.read_text(encoding="utf-8")) if "://" not in link) > 10


def test_a_broken_link_is_found() -> None:
    text = (
        "[a](README.md) [b](no.md) ![c](no.png) [d](#no-heading) [e](#a-heading-too)\n`[f](no.md)`\n# A heading, too\n"
    )
    assert broken(ROOT / "x.md", text) != []
    file = ROOT / "README.md"
    assert broken(file, "[b](no.md) ![c](no.png) `[f](f.md)`\n```\n[g](g.md)\n```\n") == ["no.md", "no.png"]
    assert broken(file, "[d](#no-heading)") == ["#no-heading"]
    assert anchors("# A heading, too\n## `a` × b") == {"a-heading-too", "a--b"}

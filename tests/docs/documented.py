"""What the documents of the repository hold: code lines, commands, YAML blocks, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("autotuner", ".venv-run/bin/autotuner", ".venv/bin/autotuner")
_FENCE = re.compile(r"^\s*(```+|~~~+)(\w*)")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=")
_SKIPPED = re.compile(r"\.venv.*|\.git|\..*_cache|\.hypothesis|node_modules|out|build|dist")


@dataclass(frozen=True)
class Command:
    """A command of a document. ``words`` without variables before it; ``name``: autotuner or make."""

    place: str
    name: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.place} {' '.join((self.name, *self.words))}"


def documents() -> list[Path]:
    """All Markdown files of the repository."""
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(_SKIPPED.fullmatch(part) for part in path.relative_to(ROOT).parts)
    )


def guides() -> list[Path]:
    """The documents that users follow."""
    return [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]


def blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """Code blocks: language (empty for indented and unnamed ones), number of the first line, lines."""
    fence: str | None = None
    language, first = "", 0
    held: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        found = _FENCE.match(line)
        if fence is not None:
            if found and found[1].startswith(fence):
                yield language, first, held
                fence, held = None, []
            else:
                held.append(line)
        elif found:
            if held:
                yield "", first, held
            fence, language, first, held = found[1], found[2], number + 1, []
        elif line.startswith("    "):
            first = first if held else number
            held.append(line)
        elif held:
            yield "", first, held
            held = []


def commands(text: str, name: str) -> Iterator[Command]:
    """Commands of ``autotuner`` and ``make`` in a document's code blocks.

    What stands after ``#`` or after two spaces is explanation; a line that ends in a backslash goes on.
    """
    for language, first, lines in blocks(text):
        if language not in ("", "sh", "bash", "shell", "console"):
            continue
        pending = ""
        for number, raw in enumerate(lines, first):
            line = pending + re.split(r"\s{2,}", raw.strip())[0].removeprefix("$ ")
            if line.endswith("\\"):
                pending = line.removesuffix("\\")
                continue
            pending = ""
            yield from _commands_of(line, f"{name}:{number}")


def _commands_of(line: str, place: str) -> Iterator[Command]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return  # prose, or another language
    variables = []
    while words and _VARIABLE.match(words[0]):
        variables.append(words.pop(0))
    if not words:
        return
    # Only the first command of a pipe or chain is ours.
    end = next((i for i, word in enumerate(words) if word in ("|", "&&", ";", ">", ">>", "&")), len(words))
    if words[0] in PROGRAM:
        yield Command(place, "autotuner", tuple(words[1:end]), tuple(variables))
    elif words[0] == "make":
        yield Command(place, "make", tuple(words[1:end]), tuple(variables))


def documented_commands() -> list[Command]:
    """Every command of the guides."""
    return [
        command
        for path in guides()
        for command in commands(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]


def links(text: str) -> Iterator[str]:
    """Targets of links and pictures; code is left out."""
    prose: list[str] = []
    fence: str | None = None
    for line in text.splitlines():
        found = _FENCE.match(line)
        if fence is not None:
            fence = None if found and found[1].startswith(fence) else fence
        elif found:
            fence = found[1]
        else:
            prose.append(re.sub(r"`[^`]*`", "", line))
    yield from re.findall(r"\]\(([^()\s]+)\)", "\n".join(prose))


def anchors(text: str) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for line in text.splitlines():
        if heading := re.match(r"#{1,6}\s+(.*)", line):
            kept = re.sub(r"[^\w\s-]", "", heading[1].strip().lower())
            found.add(re.sub(r"\s", "-", kept))
    return found

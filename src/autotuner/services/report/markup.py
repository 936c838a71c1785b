"""HTML by construction: text is escaped unless it was made here, so nothing a user wrote becomes markup."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from autotuner.services.report.json_export import finite
from autotuner.services.report.wording import visible

_VOID = frozenset({"br", "hr", "input", "link", "meta"})
_RAW_END = re.compile(r"<(?=/(?:script|style)|!--)", re.IGNORECASE)


@dataclass(frozen=True)
class Html:
    """A piece of finished markup."""

    text: str


Child: TypeAlias = "Html | str | Iterable[Child] | None"


def tag(name: str, /, *children: Child, **attributes: str | bool | float | None) -> Html:
    """An element. Strings are escaped; ``class_`` is ``class``, ``data_x`` is ``data-x``; None and False are left out.

    The names of elements and attributes are the program's own, never a user's.
    """
    written = []
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(f" {attribute}")
        elif value is not None and value is not False:
            written.append(f' {attribute}="{html.escape(visible(str(value)), quote=True)}"')
    opening = f"<{name}{''.join(written)}>"
    return Html(opening if name in _VOID else f"{opening}{group(*children).text}</{name}>")


def group(*children: Child) -> Html:
    """Several pieces one after the other."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child.text)
        elif isinstance(child, str):
            parts.append(html.escape(visible(child), quote=False))
        else:
            parts.append(group(*child).text)
    return Html("".join(parts))


def raw_text(source: str) -> str:
    """Text of our own (script, style) that cannot end its element; line ends as an HTML parser sees them."""
    return _RAW_END.sub(r"<\\", source.replace("\r\n", "\n").replace("\r", "\n"))


def json_block(identifier: str, value: object) -> Html:
    """JSON in a script element that is data, not code. No character in it can end the element."""
    text = json.dumps(finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{html.escape(identifier)}">{text}</script>')

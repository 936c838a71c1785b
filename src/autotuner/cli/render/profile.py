"""A profile on the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from autotuner.cli.output import table
from autotuner.services.profiles import ShownProfile
from autotuner.services.report.wording import one_line, plain


def profile_view(shown: ShownProfile) -> list[RenderableType]:
    """What it is for, and the keys that it sets, with a column per engine where engines differ."""
    about = shown.profile
    rows = [
        ("for", about.use_case),
        ("tags", ", ".join(about.tags)),
        ("recommended for", ", ".join(about.recommended_for)),
        ("layers", ", ".join(about.layer_names)),
        ("from", shown.origin),
    ]
    title = Text(one_line(f"{about.name}: {about.description}"), style="bold")
    parts: list[RenderableType] = [title, table(("profile", ""), [row for row in rows if row[1]])]
    engines = list(shown.engines)
    keys = dict.fromkeys(key for sets in shown.engines.values() for key in sets.keys)
    found = ((key, *(_cell(shown, engine, key) for engine in engines)) for key in keys)
    parts += ["", table(("key", *engines), found)]
    lines = [f"{engine}: {note}" for engine, sets in shown.engines.items() for note in sets.notes]
    parts += [Text(one_line(line), style="dim") for line in lines]
    return parts


def _cell(shown: ShownProfile, engine: str, key: str) -> str:
    keys = shown.engines[engine].keys
    return plain(keys[key]) if key in keys else ""

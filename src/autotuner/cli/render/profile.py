"""A profile on the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from autotuner.cli.output import table
from autotuner.services.profiles import ShownProfile
from autotuner.services.report.wording import one_line, plain


def profile_view(shown: ShownProfile) -> list[RenderableType]:
    """What it is for, the keys that it sets, and those that it sets on single engines."""
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
    first = next(iter(shown.engines.values())).keys
    everywhere = {
        key: value
        for key, value in first.items()
        if all(key in sets.keys and sets.keys[key] == value for sets in shown.engines.values())
    }
    parts += ["", table(("key", "value"), ((key, plain(value)) for key, value in everywhere.items()))]
    own = [
        (engine, key, plain(value))
        for engine, sets in shown.engines.items()
        for key, value in sets.keys.items()
        if key not in everywhere
    ]
    if own:
        parts += ["", table(("on", "key", "value"), own)]
    notes = dict.fromkeys(note for sets in shown.engines.values() for note in sets.notes)
    parts += [Text(one_line(note), style="dim") for note in notes]
    return parts

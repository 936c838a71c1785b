"""The pages of docs/reference as Markdown, from the code: commands, task document, metrics, settings, engines."""

from __future__ import annotations

from autotuner.cli.reference.catalogue import catalogue_page
from autotuner.cli.reference.commands import commands_page
from autotuner.cli.reference.engine import WHOLE, engine_page
from autotuner.cli.reference.metrics import metrics_page
from autotuner.cli.reference.settings import settings_page
from autotuner.cli.reference.task import task_page


def pages() -> dict[str, str]:
    """File name → text of every page. What is installed beside this package (engines of others) is listed too."""
    from autotuner.engines.catalogues.shelf import Shelf
    from autotuner.engines.registry import ENGINES, engine

    engines = {f"engine-{name}.md": engine_page(engine(name)) for name in ENGINES.names()}
    shelf = Shelf()
    # An engine's own page has all of a small catalogue already.
    whole = {name for name in ENGINES.names() if len(engine(name).catalogue.parameters) < WHOLE}
    catalogues = {
        f"catalogue-{name}.md": catalogue_page([held.read() for held in shelf.versions(name)])
        for name in shelf.engines()
        if name not in whole
    }
    own = {
        "cli.md": commands_page(),
        "task.md": task_page(list(engines)),
        "metrics.md": metrics_page(),
        "settings.md": settings_page(),
    }
    return {**own, **engines, **catalogues}

"""Printing: text without terminal escapes, tables, JSON; and writing files that the user named."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")

PIPE_WIDTH = 120
"""Columns of tables where there is no terminal."""


def say(text: str = "", *, err: bool = False) -> None:
    """Print text; control characters in it (terminal escapes) are spelt out."""
    from autotuner.services.report.wording import visible

    click.echo(visible(text), err=err)


def say_json(value: object) -> None:
    """Print a value as indented JSON."""
    from autotuner.services.report.json_export import finite

    click.echo(json.dumps(finite(value), indent=2, default=str, allow_nan=False))


def show(*parts: RenderableType) -> None:
    """Print tables and texts: tables as wide as the terminal, texts without line breaks of ours (to be copied)."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> RenderableType:
    """A plain table of texts; nothing in the texts acts as markup or terminal escape."""
    from rich.table import Table
    from rich.text import Text

    from autotuner.services.report.wording import one_line

    made = Table(title=title, title_justify="left", show_edge=False, pad_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*(Text(one_line("" if cell is None else str(cell))) for cell in row))
    return made


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """The result of a short piece of asynchronous work."""
    import asyncio

    return asyncio.run(work)

"""A verification on the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from autotuner.cli.output import table
from autotuner.contracts.result import Verification
from autotuner.services.report.wording import verdict_of, verification_rows, verification_sentence


def verification_table(made: Verification) -> tuple[RenderableType, ...]:
    """The figures side by side, and a sentence."""
    if not made.figures:
        return (Text(verification_sentence(made)),)
    head = ("figure", made.own_client, made.client, "difference", "agree")
    rows = [(*row, verdict_of(figure)) for row, figure in zip(verification_rows(made), made.figures, strict=True)]
    return table(head, rows), Text(verification_sentence(made))

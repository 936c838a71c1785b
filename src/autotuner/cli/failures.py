"""How errors are shown and which exit code they give."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import TracebackType

import click

from autotuner.contracts.errors import AutotunerError

DONE = 0
INTERNAL = 1
REFUSED = 2
INTERRUPTED = 130
"""As a shell reports a program that Ctrl-C ended."""

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], None]


def show_error(error: AutotunerError, *, as_json: bool) -> None:
    """Three lines on stderr: what (and where), why, what to do; or one JSON object."""
    if as_json:
        _say_json(error.as_dict())
        return
    place = f" ({error.place})" if error.place else ""
    for title, text in (("Error", error.what + place), ("Why", error.why), ("What to do", error.remedy)):
        click.echo(f"{title}: {_line(text)}", err=True)


def show_usage_error(error: click.ClickException, *, as_json: bool) -> None:
    """What click says about wrong words, without the control characters in them."""
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    help_command = f"{context.command_path} --help" if context is not None else "autotuner --help"
    if as_json:
        fields = {"code": "usage", "what": message, "why": "the command line is wrong", "place": None}
        _say_json({**fields, "remedy": f"`{help_command}` explains it"})
        return
    if context is not None:
        click.echo(context.get_usage(), err=True)
    click.echo(f"Error: {_line(message)}\nWhat to do: `{help_command}` explains it", err=True)


def excepthook(*, debug: bool, as_json: bool) -> Hook:
    """The hook for what nobody expected: one sentence, or with ``debug`` the traceback."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if debug:
            sys.__excepthook__(kind, error, trace)
            return
        from traceback import extract_tb

        frames = extract_tb(trace)
        where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
        what = f"{kind.__name__}{where}: {error}"
        if as_json:
            fields = {"code": "internal", "what": what, "why": "a fault of this program", "place": None}
            _say_json({**fields, "remedy": "run with --debug and report it"})
        else:
            click.echo(f"Internal error, a fault of this program; run with --debug to see all of it: {what}", err=True)

    return show


def _say_json(error: Mapping[str, str | None]) -> None:
    import json

    click.echo(json.dumps({"error": error}), err=True)


def _line(text: str) -> str:
    from autotuner.services.report.wording import one_line

    return one_line(text)

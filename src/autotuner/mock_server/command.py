"""The command line of the mock server: one option per field of ``MockOptions``, and where to listen and log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from autotuner.mock_server.options import MockOptions
from autotuner.mock_server.processes import run

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

GIVEN_AS_DATA = frozenset({"curve", "metrics"})
"""Fields without an option: whoever starts the server makes their values."""

_MANY = 4
"""So many choices are told in the text of the option."""


def options(function: Decorated) -> Decorated:
    """Adds the options. An option that is not given is None, so that the model's own default holds."""
    fields = [_option(name, field) for name, field in MockOptions.model_fields.items() if name not in GIVEN_AS_DATA]
    places = [
        click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where it listens; 0: any free port."),
        click.option(
            "--log",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Append the truth of each request as a line of JSON.",
        ),
        click.option(
            "--processes",
            type=click.IntRange(1, 64),
            default=1,
            help="So many servers share the port; each has its own requests, faults, load and --log (NAME.1.jsonl, …).",
        ),
    ]
    for option in reversed([*places, *fields]):
        function = option(function)
    return function


def serve(given: Mapping[str, Any], more: Mapping[str, Any]) -> int:
    """Serve with the options that click read and the data that have none; the exit code.

    click.UsageError for an impossible value.
    """
    settings = {name: value for name, value in given.items() if name in MockOptions.model_fields and value is not None}
    try:
        made = MockOptions.model_validate({**settings, **more})
    except ValidationError as problem:
        raise click.UsageError("; ".join(_sentence(error["loc"], error["msg"]) for error in problem.errors())) from None
    try:
        return run(made, port=given["port"], log=given["log"], processes=given["processes"])
    except OSError as problem:
        raise click.UsageError(f"The server can't be started: {problem.strerror or problem}") from None


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    what = message.removeprefix("Value error, ")
    return f"--{str(place[0]).replace('_', '-')}: {what}" if place else what


def _option(name: str, field: FieldInfo) -> Callable[[Decorated], Decorated]:
    flag = "--" + name.replace("_", "-")
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType]
    text = field.description or ""
    help_text = f"{text[:1].upper()}{text[1:]}."
    default = field.get_default(call_default_factory=True)
    if kinds == [bool]:
        plain = flag.removeprefix("--")
        shown = plain if default else f"no-{plain}"
        return click.option(f"{flag}/--no-{plain}", default=None, help=f"{help_text}  [default: {shown}]")
    if default not in (None, {}):
        help_text += f"  [default: {default}]"
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        choices = [member.value for member in kinds[0]]
        metavar = None if len(choices) < _MANY else name.upper()
        return click.option(flag, type=click.Choice(choices), metavar=metavar, help=help_text)
    return click.option(flag, metavar=_metavar(name, kinds), help=help_text)


def _metavar(name: str, kinds: list[Any]) -> str:
    if name == "faults":
        return "FAULT=SHARE,…"
    if name.endswith("_spread"):
        return "SPREAD"
    if kinds == [int]:
        return "N"
    if kinds == [float]:
        return "SECONDS" if name.endswith("_s") else "X"
    return "FILE" if kinds == [Path] else "TEXT"

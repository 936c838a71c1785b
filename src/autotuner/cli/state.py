"""What the global options say, and the options that every command takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from autotuner.services.settings import Settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass
class State:
    """Filled by the global options, wherever they stand."""

    data_dir: str | None = None
    database: str | None = None
    executor: str | None = None
    json: bool = False
    debug: bool = False

    def settings(self) -> Settings:
        """The environment's settings, changed by the options."""
        from autotuner.services.settings import PREFIX, load_settings

        given = {
            f"{PREFIX}DATA_DIR": self.data_dir,
            f"{PREFIX}DATABASE_URL": self.database,
            f"{PREFIX}EXECUTOR": self.executor,
        }
        return load_settings({**os.environ, **{name: value for name, value in given.items() if value is not None}})

    def command(self, *words: str) -> list[str]:
        """A command line for the same data as this one."""
        given = (("--data-dir", self.data_dir), ("--database", self.database))
        return ["autotuner", *words, *(part for name, value in given if value is not None for part in (name, value))]


pass_state = click.make_pass_decorator(State, ensure=True)


def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Callback of an option that is a field of ``State``; a usage error for an empty text (an unset variable)."""
    if value == "":
        raise click.BadParameter("it is empty.", ctx, parameter)
    if value and parameter.name is not None:
        setattr(ctx.ensure_object(State), parameter.name, value)


def shared_options(*, hidden: bool = True, machine: bool = True) -> Callable[[Decorated], Decorated]:
    """--data-dir, --database, --debug and (``machine``) --json: the same before and after a command's name.

    ``hidden``: only --json is shown in the command's own help.
    """
    options = [
        click.option(
            "--data-dir",
            metavar="DIR",
            expose_value=False,
            is_eager=True,
            callback=keep,
            hidden=hidden,
            help="Folder for models, logs, reports and the database (AUTOTUNER_DATA_DIR).",
        ),
        click.option(
            "--database",
            metavar="FILE|URL",
            expose_value=False,
            is_eager=True,
            callback=keep,
            hidden=hidden,
            help="Where tasks are stored: a file or postgresql://… (AUTOTUNER_DATABASE_URL).",
        ),
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=keep,
            hidden=hidden,
            help="Show the traceback of an error.",
        ),
    ]
    if machine:
        options.append(
            click.option(
                "--json",
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=keep,
                help="Print JSON, errors too.",
            )
        )

    def decorate(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate

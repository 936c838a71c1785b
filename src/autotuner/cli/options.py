"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from autotuner.cli.state import keep

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smh])")


class Duration(click.ParamType[float]):
    """``90s``, ``30m``, ``2h``: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; a usage error for anything else."""
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        if found is None or float(found[1]) <= 0:
            self.fail(f"{value!r} is no duration: write 90s, 30m or 2h.", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


def set_option(function: Decorated) -> Decorated:
    """--set KEY=VALUE, any number of times."""
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a key of the task, such as optimization.max_iterations=5; the value is YAML. Repeatable.",
    )(function)


def profile_option(function: Decorated) -> Decorated:
    """--profile NAME, any number of times."""
    return click.option(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        help="Take a profile; in a task file, in place of those that it names (`autotuner profile list`). Repeatable.",
    )(function)


def detach_option(function: Decorated) -> Decorated:
    """--detach."""
    return click.option(
        "--detach",
        is_flag=True,
        help="Run it in a process of its own; return once it runs. `autotuner attach` shows it.",
    )(function)


def run_options(function: Decorated) -> Decorated:
    """What every command that runs a task takes."""
    options = [
        set_option,
        click.option(
            "--budget",
            type=Duration(),
            metavar="TIME",
            help="Limit of the running time: 90s, 30m, 2h (with the stored time of earlier runs of the task).",
        ),
        click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of search and traffic."),
        click.option("--new", is_flag=True, help="Make another task (NAME-2, …) instead of going on with this one."),
        click.option(
            "--grid",
            metavar="FILE",
            help="Place the winner in a fully measured grid (`autotuner report --format grid` makes one).",
        ),
        click.option(
            "--executor",
            metavar="NAME",
            expose_value=False,
            is_eager=True,
            callback=keep,
            help="Where server starts are run from: inline (this process, the default) or subprocess (one of its own, "
            "whose death ends a start and not the task) (AUTOTUNER_EXECUTOR).",
        ),
        click.option("--report", "report_file", metavar="FILE.html", help="Write the report here too."),
        detach_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def all_sets(sets: tuple[str, ...], *, budget: float | None, seed: int | None) -> list[str]:
    """The changes of --set, then those that have options of their own."""
    changes = list(sets)
    if budget is not None:
        changes.append(f"optimization.budget.wall_clock_s={budget:g}")
    if seed is not None:
        changes.append(f"optimization.seed={seed}")
    return changes

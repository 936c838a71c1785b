"""``autotuner profile``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, show, table
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.services.profiles import ProfileBook


@click.group(short_help="List profiles, and show what they set.")
def profile() -> None:
    """Profiles say what to search for a purpose: chat, batch work, a small budget, a launch.

    `profiles: [low-latency]` in a task, or --profile of `run`, `plan` and `quick`, takes one or several.
    """


@profile.command(name="list")
@shared_options()
@pass_state
def list_(state: State) -> None:
    """List all profiles, and when to take which.

    \b
    Example, then the second command:
      autotuner profile list
      autotuner quick tiny --profile quick-test

    Files of your own lie in the folder `profiles` of AUTOTUNER_CONFIG_DIR.

    Exit codes: 0.
    """
    book = _book(state)
    found = book.profiles.summaries()
    if state.json:
        say_json([summary.model_dump(mode="json") for summary in found])
        return
    rows = ((one.name, one.use_case, one.description, ", ".join(one.tags)) for one in found)
    show(table(("profile", "for", "what it does", "tags"), rows))


@profile.command(name="show")
@click.argument("name")
@click.option("--engine", "engine", metavar="NAME", help="What it sets for this engine; default: for each engine.")
@shared_options()
@pass_state
def show_(state: State, name: str, engine: str | None) -> None:
    """Show what the profile NAME is for, its layers, and the keys that it sets.

    \b
    Examples:
      autotuner profile show low-latency
      autotuner profile show balanced --json

    Exit codes: 0, or 2 for an unknown name.
    """
    from autotuner.cli.render.profile import profile_view
    from autotuner.services.profiles import show_profile

    shown = show_profile(name, _book(state), engine=engine)
    if state.json:
        say_json(shown.model_dump(mode="json"))
        return
    show(*profile_view(shown))


def _book(state: State) -> ProfileBook:
    """All profiles; what cannot be read is said on stderr."""
    from autotuner.services.profiles import open_profiles

    book = open_profiles(state.settings())
    for problem in book.problems:
        say(f"Warning: {problem}", err=True)
    return book

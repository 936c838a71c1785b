"""``autotuner doctor``."""

from __future__ import annotations

import click

from autotuner.cli.failures import REFUSED
from autotuner.cli.output import say, say_json, show, table
from autotuner.cli.state import State, pass_state, shared_options


@click.command(short_help="Tell what this machine can run, and why not.")
@shared_options()
@pass_state
@click.pass_context
def doctor(ctx: click.Context, state: State) -> None:
    """Tell what this machine can run, and why not: Python, cores, memory, engines, data folder, database, GPUs,
    optional packages. Starts nothing and changes nothing.

    \b
    Examples:
      autotuner doctor
      autotuner doctor --json

    Exit codes: 0 (also with warnings), or 2 when a problem keeps every task from running.
    """
    from autotuner.services.doctor import run_checks

    checks = run_checks(state.settings())
    if state.json:
        say_json([check.model_dump(mode="json") for check in checks])
    else:
        rows = [(check.name, check.state, check.found, check.remedy) for check in checks]
        show(table(("", "", "found", "what to do"), rows))
        say()
        names = ", ".join(check.name for check in checks if check.state == "problem")
        say(f"Nothing can be run until this is mended: {names}." if names else "Tasks can be run here.")
    if any(check.state == "problem" for check in checks):
        ctx.exit(REFUSED)

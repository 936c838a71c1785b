"""``autotuner preset merge``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.services.preset_merging import MergeAnswer


@click.command(name="merge")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--strategy",
    default="union",
    show_default=True,
    metavar="NAME",
    help="union, intersection, last_wins or deep_merge (append: union in order of appearance; override: last_wins).",
)
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="PARAMETER=STRATEGY",
    help="Another strategy for one parameter. Repeatable.",
)
@click.option("--strict", is_flag=True, help="intersection: leave out what only some of the presets name.")
@click.option("--engine", metavar="ENGINE", help="Translate all of them to this engine first.")
@click.option("--save", metavar="NEW_NAME", help="Store the result as a preset of this name.")
@shared_options()
@pass_state
def merge(
    state: State,
    names: tuple[str, ...],
    strategy: str,
    overrides: tuple[str, ...],
    strict: bool,
    engine: str | None,
    save: str | None,
) -> None:
    """Show what several presets come to together, in the given order, and where they do not agree.

    \b
    Examples:
      autotuner preset merge high-throughput memory-efficient
      autotuner preset merge high-throughput memory-efficient --strategy last_wins
      autotuner preset merge high-throughput low-latency --engine ENGINE
      autotuner preset merge high-throughput balanced --override tp-size=last_wins --save 'Wide'

    Exit codes: 0, or 2 for an unknown preset or strategy.
    """
    chosen: dict[str, str] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"{text!r} is not PARAMETER=STRATEGY")
        chosen[name.strip()] = value
    wait_for(_merge(state, names, strategy, chosen, strict, engine, save))


async def _merge(
    state: State,
    names: tuple[str, ...],
    strategy: str,
    overrides: dict[str, str],
    strict: bool,
    engine: str | None,
    save: str | None,
) -> None:
    from autotuner.services.preset_merging import merge_presets
    from autotuner.services.presets import create_preset, open_presets

    async with open_presets(state.settings()) as store:
        found = await merge_presets(store, names, strategy, overrides=overrides, strict=strict, runtime=engine)
        saved = None
        if save is not None:
            data = {"name": save, "parameters": found.parameters, "config": found.config, "runtime": found.runtime}
            saved = (await create_preset(store, data)).preset
    if state.json:
        say_json({**found.model_dump(mode="json"), **({"saved": saved.slug} if saved is not None else {})})
        return
    _show(found)
    if saved is not None:
        say(f"Stored the preset {saved.slug} (number {saved.id}).")


def _show(found: MergeAnswer) -> None:
    from autotuner.services.report.wording import plain

    rows = [(name, plain(values)) for name, values in found.parameters.items()]
    rows += [(f"{block}.{key}", plain(value)) for block, keys in found.config.items() for key, value in keys.items()]
    show(table((" + ".join(found.applied_presets), "values"), rows))
    if found.conflicts:
        say()
        conflicts = [
            (
                one.parameter,
                "; ".join(f"{preset}: {plain(values)}" for preset, values in one.values.items()),
                "left out" if one.result is None else plain(one.result),
                one.rule,
            )
            for one in found.conflicts
        ]
        show(table(("not agreed on", "values", "result", "rule"), conflicts))
    for warning in found.warnings:
        say(f"Warning: {warning}", err=True)

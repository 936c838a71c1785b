"""``autotuner preset``: list, show, create, edit, duplicate, delete.

What is done with several, with files and with their history is in ``preset_merging``, ``preset_files``,
``preset_history``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autotuner.cli.commands.preset_files import export, import_
from autotuner.cli.commands.preset_history import analytics, diff, history, rollback, suggest
from autotuner.cli.commands.preset_merging import merge
from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.contracts.presets import Preset
    from autotuner.services.presets import SavedPreset

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@click.group(short_help="Keep sets of parameter values, and merge them.")
def preset() -> None:
    """Presets are stored sets of parameter values. `presets: [NAME, …]` in a task merges them below what the task says
    itself.

    \b
    Examples:
      autotuner preset list
      autotuner preset show high-throughput
      autotuner preset create 'Team A' -p 'tp-size=[4, 8]' -p 'mem-fraction-static=[0.85]'
      autotuner preset merge high-throughput memory-efficient --strategy union
    """


for _command in (merge, import_, export, history, diff, rollback, analytics, suggest):
    preset.add_command(_command)


@preset.command(name="list")
@click.option("--category", metavar="NAME", help="Only presets of this category.")
@click.option("--tag", metavar="TAG", help="Only those with this tag.")
@click.option("--name", metavar="TEXT", help="Only those with this text in their name or description.")
@click.option("--runtime", metavar="ENGINE", help="Only those made for this engine, or for any.")
@shared_options()
@pass_state
def list_presets(state: State, category: str | None, tag: str | None, name: str | None, runtime: str | None) -> None:
    """List the presets by number: those that come with the program, then those that were made here.

    \b
    Examples:
      autotuner preset list
      autotuner preset list --category performance --tag latency

    Exit codes: 0, or 2 for an unknown engine or when the database cannot be read.
    """
    wait_for(_list(state, category, tag, name, runtime))


async def _list(state: State, category: str | None, tag: str | None, name: str | None, runtime: str | None) -> None:
    from autotuner.presets.search import PresetQuery
    from autotuner.services.presets import find_presets, open_presets
    from autotuner.services.report.wording import plain

    query = PresetQuery(category=category, tag=tag, name=name, runtime=runtime)
    async with open_presets(state.settings()) as store:
        found = await find_presets(store, query)
    if state.json:
        say_json([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (
            one.id,
            one.slug,
            one.name,
            one.category,
            one.runtime,
            "; ".join([*(f"{key} {plain(list(values))}" for key, values in one.parameters.items()), *one.config]),
            "comes with the program" if one.is_system else f"revision {one.revision}",
        )
        for one in found
    ]
    show(table(("#", "preset", "name", "category", "engine", "parameters", ""), rows))


@preset.command(name="show")
@click.argument("name")
@click.option("--engine", "engine", metavar="ENGINE", help="What this engine takes of it, and what is left out.")
@shared_options()
@pass_state
def show_preset(state: State, name: str, engine: str | None) -> None:
    """Show the preset NAME (name, slug or number), or what another engine takes of it.

    \b
    Examples:
      autotuner preset show low-latency
      autotuner preset show low-latency --engine ENGINE

    Exit codes: 0, or 2 for an unknown preset or engine.
    """
    wait_for(_show(state, name, engine))


async def _show(state: State, name: str, engine: str | None) -> None:
    from autotuner.services.presets import for_engine, named_preset, open_presets

    async with open_presets(state.settings()) as store:
        found = await named_preset(store, name)
    if engine is None:
        if state.json:
            say_json(found.model_dump(mode="json"))
        else:
            show(table(("", ""), _rows(found)))
        return
    made = for_engine(found, engine)
    if state.json:
        say_json(
            {
                "preset": found.slug,
                "engine": engine,
                "parameters": {key: list(values) for key, values in made.parameters.items()},
                "config": made.config,
                "renamed": made.renamed,
                "left_out": made.left_out,
            }
        )
        return
    rows = [(key, ", ".join(map(str, values))) for key, values in made.parameters.items()]
    rows += [(f"{block}.{key}", str(value)) for block, keys in made.config.items() for key, value in keys.items()]
    show(table((f"for {engine}", "values"), rows))
    for sentence in made.left_out:
        say(sentence)
    if made.empty and made.left_out:
        say("Nothing is left of it: a task that names it is refused.")


def _rows(found: Preset) -> list[tuple[str, object]]:
    from autotuner.services.report.wording import plain

    rows: list[tuple[str, object]] = [
        ("preset", f"{found.slug} (number {found.id})"),
        ("name", found.name),
        ("description", found.description),
        ("category", found.category),
        ("engine", found.runtime),
        *((key, plain(list(values))) for key, values in found.parameters.items()),
        *((f"{block}.{key}", plain(value)) for block, keys in found.config.items() for key, value in keys.items()),
        *(
            ("rule", f"{f'when {rule.when}: ' if rule.when else ''}{rule.require}, else: {rule.message}")
            for rule in found.rules
        ),
        ("requires", ", ".join(found.requires)),
        ("tags", ", ".join(found.metadata.tags)),
        ("recommended for", ", ".join(found.metadata.recommended_for)),
        ("author", found.metadata.author or ""),
        ("visible to", found.visibility),
        ("revision", f"{found.revision}, {found.updated_at.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("", "comes with the program: it can be duplicated, not changed" if found.is_system else ""),
    ]
    return [row for row in rows if row[1] != ""]


def content_options(function: Decorated) -> Decorated:
    """What `create` and `edit` take."""
    options = [
        click.option(
            "-p",
            "--parameter",
            "parameters",
            multiple=True,
            metavar="NAME=[VALUES]",
            help="Values of a parameter, as YAML. Repeatable.",
        ),
        click.option("--category", metavar="NAME", help="performance, memory, general, custom, or any other text."),
        click.option("--description", metavar="TEXT", help="What it is for."),
        click.option("--runtime", metavar="ENGINE", help="The engine whose parameters these are; default: any."),
        click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag to be found by. Repeatable."),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any field: config.parallel_config.tp=[1, 2], requires=[balanced], rules=[…]; null takes it out. "
            "Repeatable.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@preset.command(name="create")
@click.argument("name")
@content_options
@shared_options()
@pass_state
def create(state: State, /, name: str, **given: Any) -> None:
    """Store a preset under NAME.

    \b
    Examples:
      autotuner preset create 'Team A' -p 'tp-size=[4, 8]' -p 'mem-fraction-static=[0.85]' --runtime ENGINE
      autotuner preset create 'Two GPUs' --set 'config.parallel_config.tp=[1, 2]'

    Exit codes: 0, or 2 when it is not valid or there is already one of that name.
    """
    wait_for(_create(state, name, given))


async def _create(state: State, name: str, given: dict[str, Any]) -> None:
    from autotuner.services.presets import create_preset, open_presets, with_changes

    async with open_presets(state.settings()) as store:
        saved = await create_preset(store, with_changes({"name": name}, _changes(given)))
    _say_saved(state, saved, "Stored")


@preset.command(name="edit")
@click.argument("name")
@content_options
@click.option("--rename", "new_name", metavar="NAME", help="Another name; the slug stays.")
@shared_options()
@pass_state
def edit(state: State, /, name: str, new_name: str | None, **given: Any) -> None:
    """Change the preset NAME. What it was stays as a revision, and tasks that used it keep what it gave them.

    \b
    Examples:
      autotuner preset edit team-a -p 'tp-size=[4]'
      autotuner preset edit team-a --set parameters.tp-size=null --set 'requires=[balanced]'

    Exit codes: 0, or 2 when it would not be valid, or comes with the program.
    """
    wait_for(_edit(state, name, new_name, given))


async def _edit(state: State, name: str, new_name: str | None, given: dict[str, Any]) -> None:
    from autotuner.presets.content import to_data
    from autotuner.services.presets import edit_preset, named_preset, open_presets, with_changes

    async with open_presets(state.settings()) as store:
        found = await named_preset(store, name)
        data = {**to_data(found), "visibility": found.visibility, **({"name": new_name} if new_name else {})}
        saved = await edit_preset(store, found, with_changes(data, _changes(given)))
    _say_saved(state, saved, "Changed" if saved.preset.revision != found.revision else "Nothing changed in")


def _changes(given: dict[str, Any]) -> list[str]:
    """The options as changes of fields; those of --set come last."""
    import json

    made = [f"parameters.{text}" if text.split("=", 1)[0] else text for text in given["parameters"]]
    texts = {key: given[key] for key in ("category", "description", "runtime") if given[key] is not None}
    made += [f"{key}={json.dumps(text)}" for key, text in texts.items()]
    if given["tags"]:
        made.append(f"metadata.tags={json.dumps(list(given['tags']))}")
    return [*made, *given["sets"]]


def _say_saved(state: State, saved: SavedPreset, did: str) -> None:
    if state.json:
        say_json({**saved.preset.model_dump(mode="json"), "warnings": list(saved.warnings)})
        return
    for warning in saved.warnings:
        say(f"Warning: {warning}", err=True)
    say(f"{did} the preset {saved.preset.slug} (number {saved.preset.id}, revision {saved.preset.revision}).")


@preset.command(name="duplicate")
@click.argument("name")
@click.argument("new_name", required=False)
@shared_options()
@pass_state
def duplicate(state: State, name: str, new_name: str | None) -> None:
    """Copy the preset NAME under NEW_NAME (default: NAME (copy)). The copy can be changed.

    \b
    Example:
      autotuner preset duplicate balanced 'My balanced'

    Exit codes: 0, or 2 for an unknown preset or a name that there is.
    """
    wait_for(_duplicate(state, name, new_name))


async def _duplicate(state: State, name: str, new_name: str | None) -> None:
    from autotuner.services.presets import SavedPreset, duplicate_preset, named_preset, open_presets

    async with open_presets(state.settings()) as store:
        made = await duplicate_preset(store, await named_preset(store, name), new_name)
    _say_saved(state, SavedPreset(preset=made), "Stored")


@preset.command(name="delete")
@click.argument("name")
@shared_options()
@pass_state
def delete(state: State, name: str) -> None:
    """Delete the preset NAME with its history. Tasks that used it keep what it gave them.

    \b
    Example:
      autotuner preset delete team-a

    Exit codes: 0, or 2 for an unknown preset, one that comes with the program, or one that another requires.
    """
    wait_for(_delete(state, name))


async def _delete(state: State, name: str) -> None:
    from autotuner.services.presets import delete_preset, named_preset, open_presets

    async with open_presets(state.settings()) as store:
        found = await named_preset(store, name)
        await delete_preset(store, found)
    if state.json:
        say_json({"deleted": found.slug, "id": found.id})
    else:
        say(f"Deleted the preset {found.slug}.")

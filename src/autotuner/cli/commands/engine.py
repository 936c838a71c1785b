"""``autotuner engine``: list, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, show, table
from autotuner.cli.render.parameter import allowed_values, default_value, value_text
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from autotuner.contracts.engine import CatalogueParameter


@click.group(short_help="List the engines and their parameters.")
def engine() -> None:
    """List the engines and their parameters.

    \b
    Examples:
      autotuner engine list
      autotuner engine show NAME
    """


@engine.command(name="list")
@shared_options()
@pass_state
def list_engines(state: State) -> None:
    """List the engines: name, other names, whether they can be started here, and if not, what to do.

    The first one is the default. Exit code: 0.
    """
    from autotuner.contracts.engine import Runtime
    from autotuner.contracts.errors import AutotunerError
    from autotuner.engines.registry import ENGINES
    from autotuner.engines.registry import engine as load

    listed: list[dict[str, object]] = []
    for name in ENGINES.names():
        entry: dict[str, object] = {"name": name}
        try:
            found = load(name)
            entry |= {"aliases": list(found.aliases), "parameters": len(found.catalogue.parameters)}
            entry |= {"predicted": found.predicted, "version": found.check_runtime(Runtime()).version, "remedy": None}
        except AutotunerError as error:
            entry |= {"version": None, "remedy": f"{error.what}: {error.remedy}"}
        listed.append(entry)
    if state.json:
        say_json(listed)
        return
    rows = [
        (
            entry["name"],
            ", ".join(map(str, aliases)) if isinstance(aliases := entry.get("aliases"), list) else "",
            entry.get("parameters"),
            entry["version"] or "cannot be started here",
            "predicted figures" if entry.get("predicted") else entry["remedy"],
        )
        for entry in listed
    ]
    show(table(("engine", "also", "parameters", "version", ""), rows))


@engine.command(name="show")
@click.argument("name")
@click.argument("parameter", required=False)
@click.option("--tuned", is_flag=True, help="Only the parameters that are commonly tuned.")
@shared_options()
@pass_state
def show_engine(state: State, name: str, parameter: str | None, tuned: bool) -> None:
    """Show the parameters of the engine NAME, or all about one PARAMETER (name, flag or alias).

    \b
    Examples:
      autotuner engine show NAME --tuned
      autotuner engine show NAME threads

    Exit codes: 0, or 2 for an unknown engine or parameter (the message has the nearest name).
    """
    from autotuner.engines.registry import engine as load
    from autotuner.planning.resolve import find_parameter

    catalogue = load(name).catalogue
    if parameter is not None:
        found = find_parameter(catalogue, parameter, place=parameter, allow_unknown=False)
        if found is not None:
            _show_one(state, found)
        return
    listed = [entry for entry in catalogue.parameters if entry.commonly_tuned or not tuned]
    if state.json:
        parameters = [entry.model_dump(mode="json") for entry in listed]
        say_json({"engine": catalogue.engine, "version": catalogue.version, "parameters": parameters})
        return
    say(f"{catalogue.engine} {catalogue.version}: {len(listed)} parameters")
    show(
        table(
            ("parameter", "flag", "values", "default", "worth trying"),
            [
                (
                    entry.name,
                    entry.flag,
                    allowed_values(entry),
                    default_value(entry),
                    ", ".join(map(value_text, entry.commonly_tuned)),
                )
                for entry in listed
            ],
        )
    )


def _show_one(state: State, entry: CatalogueParameter) -> None:
    if state.json:
        say_json(entry.model_dump(mode="json"))
        return
    rows = [
        ("parameter", entry.name),
        ("flag", entry.flag),
        ("also", ", ".join(entry.aliases)),
        ("values", allowed_values(entry)),
        ("default", default_value(entry)),
        ("unit", entry.unit),
        ("worth trying", ", ".join(map(value_text, entry.commonly_tuned))),
        ("meaning", entry.help),
        ("caution", "it loads code, opens the network or reads files" if entry.dangerous else ""),
    ]
    show(table(("", ""), [row for row in rows if row[1]]))

"""``autotuner engine``: list, show, diff, check, learn."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autotuner.cli.output import say, say_json, show, table, wait_for
from autotuner.cli.render.parameter import allowed_values, default_value, shortened, value_text
from autotuner.cli.state import State, pass_state, shared_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from autotuner.contracts.engine import Catalogue, CatalogueParameter
    from autotuner.planning.argv import ArgvProblem
    from autotuner.services.catalogues import Change

REFUSED = 2


@click.group(short_help="List the engines and their parameters.")
def engine() -> None:
    """List the engines and their parameters, and check command lines against them.

    \b
    Examples:
      autotuner engine list
      autotuner engine show NAME --tuned
      autotuner engine check NAME 'PROGRAM --flag value'
    """


@engine.command(name="list")
@shared_options()
@pass_state
def list_engines(state: State) -> None:
    """List the engines: name, other names, whether they can be started here, and if not, what to do.

    The first one is the default. Then the catalogues of parameters that this program has, by engine and version.

    Exit code: 0.
    """
    from autotuner.services.engine_listing import list_engines as known_engines

    listed = known_engines(state.settings())
    if state.json:
        say_json([entry.model_dump(mode="json") for entry in listed])
        return
    rows = [
        (
            entry.name,
            ", ".join(entry.aliases),
            entry.parameters,
            entry.version or "cannot be started here",
            "predicted figures" if entry.predicted else entry.remedy,
        )
        for entry in listed
    ]
    show(table(("engine", "also", "parameters", "version", ""), rows))
    catalogues = [
        (entry.name, one.version, one.flags, one.commonly_tuned, "learned" if one.learned else "", one.source)
        for entry in sorted(listed, key=lambda entry: entry.name)
        for one in entry.catalogues
    ]
    say()
    headers = ("engine", "catalogue of", "parameters", "commonly tuned", "", "from")
    show(table(headers, catalogues, title="Catalogues"))


@engine.command(name="show")
@click.argument("name")
@click.argument("parameter", required=False)
@click.option("--version", metavar="VERSION", help="Of that version, instead of the newest known.")
@click.option("--tuned", is_flag=True, help="Only the parameters that are commonly tuned.")
@click.option("--search", metavar="TEXT", help="Only those with this text in a name, a flag or the meaning.")
@click.option("--dangerous", is_flag=True, help="Only those that load code, open the network or read files.")
@shared_options()
@pass_state
def show_engine(
    state: State,
    name: str,
    parameter: str | None,
    version: str | None,
    tuned: bool,
    search: str | None,
    dangerous: bool,
) -> None:
    """Show the parameters of the engine NAME, or all about one PARAMETER (name, flag or alias).

    A flag is written after two dashes of its own, so that it is not taken for an option of this command.

    \b
    Examples:
      autotuner engine show NAME --tuned
      autotuner engine show NAME threads
      autotuner engine show NAME --search cache
      autotuner engine show NAME -- --threads

    Exit codes: 0, or 2 for an unknown engine, version or parameter (the message has the nearest name).
    """
    from autotuner.planning.resolve import find_parameter
    from autotuner.services.catalogues import catalogue
    from autotuner.services.engine_listing import ParameterQuery, matches

    found = catalogue(name, version, state.settings())
    if parameter is not None:
        one = find_parameter(found, parameter, place=parameter, allow_unknown=False)
        if one is not None:
            _show_one(state, one)
        return
    query = ParameterQuery(search=search, commonly_tuned=tuned, dangerous=dangerous or None)
    listed = [entry for entry in found.parameters if matches(entry, query)]
    if state.json:
        data = found.model_dump(mode="json", exclude={"parameters", "reserved", "gone"})
        say_json({**data, "parameters": [entry.model_dump(mode="json") for entry in listed]})
        return
    say(f"{found.engine} {found.version}: {len(listed)} parameters")
    show(_parameters(listed))


def _parameters(listed: Iterable[CatalogueParameter]) -> RenderableType:
    return table(
        ("parameter", "flag", "values", "default", "worth trying"),
        [
            (
                entry.name,
                entry.flag or f"{entry.key} (file)",
                shortened(allowed_values(entry)),
                shortened(default_value(entry)),
                ", ".join(map(value_text, entry.commonly_tuned)),
            )
            for entry in listed
        ],
    )


def _show_one(state: State, entry: CatalogueParameter) -> None:
    if state.json:
        say_json(entry.model_dump(mode="json"))
        return
    rule = "" if entry.danger_rule in ("", "list") else f" (as all {entry.danger_rule})"
    rows = [
        ("parameter", entry.name),
        ("flag", entry.flag),
        ("key in the file", entry.key),
        ("also", ", ".join((*entry.flags, *entry.aliases))),
        ("for false", ", ".join(entry.off_flags)),
        ("values", allowed_values(entry)),
        ("default", default_value(entry)),
        ("unit", entry.unit),
        ("worth trying", ", ".join(map(value_text, entry.commonly_tuned))),
        ("meaning", entry.help),
        ("caution", f"it {entry.danger}{rule}" if entry.dangerous else ""),
        ("deprecated", entry.deprecated),
        ("since", entry.since),
        ("while it runs", "" if entry.restart_needed else "it can be changed without a new start"),
    ]
    show(table(("", ""), [row for row in rows if row[1]]))


@engine.command()
@click.argument("name")
@click.argument("old")
@click.argument("new")
@shared_options()
@pass_state
def diff(state: State, name: str, old: str, new: str) -> None:
    """Show what changed in the command line of the engine NAME from version OLD to version NEW.

    New, gone and renamed parameters, those with another default or other values, and in one line those that can be
    spelt otherwise (--json has all of them).

    \b
    Example:
      autotuner engine diff NAME 1.0 1.1

    Exit codes: 0, or 2 for an unknown engine or version.
    """
    from autotuner.services.catalogues import catalogue, changes

    settings = state.settings()
    before, after = catalogue(name, old, settings), catalogue(name, new, settings)
    found = changes(before, after)
    if state.json:
        listed = [change.model_dump(mode="json") for change in found]
        say_json({"engine": after.engine, "old": before.version, "new": after.version, "changes": listed})
        return
    say(f"{after.engine} {before.version} → {after.version}: {len(found)} changes")
    rows: list[tuple[str, str, str]] = [
        (change.kind, change.flag, _told(change)) for change in found if change.kind != "spelling"
    ]
    spelt = [change for change in found if change.kind == "spelling"]
    if spelt:
        rows.append(("spelling", f"{len(spelt)} flags", f"such as {spelt[0].flag}: {_told(spelt[0])}"))
    if rows:
        show(table(("", "flag", "what"), rows))


def _told(change: Change) -> str:
    parts = [f"was {change.was}"] if change.was else []
    for field, (old, new) in change.fields.items():
        if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
            more = [f"+{value_text(value)}" for value in new if value not in old]
            less = [f"−{value_text(value)}" for value in old if value not in new]
            parts.append(f"{field}: {' '.join((*more, *less)) or 'another order'}")
        else:
            parts.append(f"{field}: {_shown(old)} → {_shown(new)}")
    return "; ".join([*parts, *([change.hint] if change.hint else [])])


def _shown(value: object) -> str:
    return (
        "engine's choice"
        if value is None
        else "none"
        if value == ""
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


@engine.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--version", metavar="VERSION", help="Against that version, instead of the newest known.")
@shared_options()
@pass_state
def check(state: State, name: str, command: tuple[str, ...], version: str | None) -> None:
    """Check a COMMAND that starts the engine NAME, or its arguments alone, without starting it.

    COMMAND is one quoted word, as for a shell, or several words after `--`. A flag counts only in full, and a value
    only if it is in the flag's list: an engine's own parser takes unique beginnings of flags, and some take any
    value. Flags that load code, open the network or read files are named.

    \b
    Examples:
      autotuner engine check NAME 'PROGRAM --flag value'
      autotuner engine check NAME --version 1.0 -- PROGRAM --flag value

    Exit codes: 0, or 2 when the engine would refuse something.
    """
    from autotuner.planning.argv import arguments_from, check_argv
    from autotuner.services.catalogues import catalogue

    found = catalogue(name, version, state.settings())
    words = _words(command)
    start = arguments_from(found, words)
    problems = check_argv(found, words[start:], whole=start > 0)
    refused = [problem for problem in problems if problem.error]
    if state.json:
        listed = [{**problem.model_dump(mode="json"), "error": problem.error} for problem in problems]
        say_json({"engine": found.engine, "version": found.version, "accepted": not refused, "problems": listed})
    else:
        _show_problems(found, problems)
    if refused:
        sys.exit(REFUSED)


def _words(command: tuple[str, ...]) -> list[str]:
    import shlex

    from autotuner.contracts.errors import AutotunerError, ErrorCode

    if len(command) > 1:
        return list(command)
    try:
        return shlex.split(command[0])
    except ValueError as error:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "the command cannot be read",
            why=str(error).lower(),
            remedy="Close every quotation mark",
            place="COMMAND",
        ) from error


def _show_problems(found: Catalogue, problems: Iterable[ArgvProblem]) -> None:
    rows = [
        (
            "refused" if problem.error else "caution",
            problem.message,
            f"Did you mean {problem.nearest}?" if problem.nearest and problem.kind != "missing flag" else "",
        )
        for problem in problems
    ]
    refused = sum(row[0] == "refused" for row in rows)
    verdict = "nothing is refused" if not refused else f"{refused} refused"
    say(f"{found.engine} {found.version}: {verdict}")
    if rows:
        show(table(("", "what", ""), rows))


@engine.command()
@click.argument("name")
@click.option(
    "--python",
    required=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Environment or interpreter that has the engine.",
)
@shared_options()
@pass_state
def learn(state: State, name: str, python: Path) -> None:
    """Learn the parameters of an installed engine NAME from its own parser.

    Its interpreter is asked, which may take a minute; no model is loaded and no server is started. What it says is
    stored below catalogues in the data folder, and used instead of this program's catalogue of the same version.

    \b
    Example:
      autotuner engine learn NAME --python /path/to/environment

    Prints the file that was written. Exit codes: 0, or 2 when the parser cannot be asked.
    """
    from autotuner.services.learn_engine import learn_engine

    found, place = wait_for(learn_engine(name, python, state.settings()))
    if state.json:
        summary = {"engine": found.engine, "version": found.version, "parameters": len(found.parameters)}
        say_json({**summary, "file": str(place)})
        return
    say(f"{found.engine} {found.version}: {len(found.parameters)} parameters", err=True)
    say(str(place))

"""Asks an installed engine's own argparse parser what it takes, and writes that as JSON.

Run as a file by the interpreter that has the engine; imports nothing but the standard library and the engine.
Arguments: a JSON object with ``parsers`` (``module:attribute`` of functions that add arguments to a parser or return
one, tried in order), ``classes`` (parser classes, likewise), ``distributions`` (names that may carry the version), and
the file to write to. Exit codes: 0, 3 when none of the parsers is there (the reasons are on stderr).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

NOT_THERE = 3


def main(asked: dict[str, Any], output: str) -> int:
    """Write what the first parser that can be made takes."""
    # Some engines only collect their help texts when help is asked for.
    sys.argv = ["probe", "--help"]
    refused: list[str] = []
    for place in asked["parsers"]:
        try:
            parser = _made(_object(place), _parser_class(asked["classes"]))
        except Exception as error:  # noqa: BLE001 - whatever an engine's import raises, the next place is tried
            refused.append(f"{place}: {type(error).__name__}: {error}")
            continue
        found = {
            "version": _version(asked["distributions"]),
            "parser": place,
            "options": [_option(action, _spellings(parser, action)) for action in parser._actions],
        }
        Path(output).write_text(json.dumps(found), encoding="utf-8")
        return 0
    print("\n".join(refused), file=sys.stderr)  # noqa: T201
    return NOT_THERE


def _object(place: str) -> Any:
    module, _, attribute = place.partition(":")
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


def _parser_class(places: list[str]) -> Any:
    for place in places:
        try:
            return _object(place)
        except (ImportError, AttributeError):
            continue
    return argparse.ArgumentParser


def _made(function: Any, parser_class: Any) -> argparse.ArgumentParser:
    if isinstance(function, argparse.ArgumentParser):
        return function
    parser = parser_class()
    try:
        made = function(parser)
    except TypeError:
        made = function()
    return made if isinstance(made, argparse.ArgumentParser) else parser


def _version(distributions: list[str]) -> str | None:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _spellings(parser: argparse.ArgumentParser, action: argparse.Action) -> list[str]:
    """All option strings that lead to the action, those too that it does not show."""
    hidden = [name for name, one in parser._option_string_actions.items() if one is action]
    return list(dict.fromkeys([*action.option_strings, *hidden]))


def _option(action: argparse.Action, names: list[str]) -> dict[str, Any]:
    kind = _kind(action)
    off = _opposites(action, names) if kind == "switch" else []
    type_name, suffixes, words = _type(action.type)
    # Where a parser takes any text but knows the usual values, it names them as the metavar.
    listed = action.choices or (action.metavar if isinstance(action.metavar, (list, tuple)) else None)
    return {
        "options": [name for name in names if name not in off],
        "off": off,
        "dest": action.dest,
        "kind": kind,
        "type": type_name,
        "suffixes": suffixes,
        "words": words,
        "choices": [_plain(choice) for choice in listed] if listed and action.nargs != 0 else [],
        "nargs": action.nargs if kind in ("store", "append") else None,
        "default": None if action.default is argparse.SUPPRESS else _plain(action.default),
        "help": action.help if action.help and action.help is not argparse.SUPPRESS else "",
        "required": bool(action.required and names),
        "deprecated": _deprecated(action),
    }


def _opposites(action: argparse.Action, names: list[str]) -> list[str]:
    """Those that mean false, the --no-… ones first."""
    told = getattr(action, "negative_option_strings", None)
    made = {f"--no-{name[2:]}" for name in names if name.startswith("--")}
    return sorted((name for name in names if name in (told or made)), key=lambda name: not name.startswith("--no-"))


def _kind(action: argparse.Action) -> str:
    kinds = (
        (argparse._HelpAction, "help"),
        (argparse._VersionAction, "help"),
        (argparse.BooleanOptionalAction, "switch"),
        (argparse._StoreTrueAction, "true"),
        (argparse._StoreFalseAction, "false"),
        (argparse._AppendAction, "append"),
    )
    for cls, kind in kinds:
        if isinstance(action, cls):
            return kind
    return "const" if action.nargs == 0 else "store"


def _type(converter: Any) -> tuple[str, bool, list[str]]:
    """The kind of value, whether numbers may have a suffix, and the words beside numbers."""
    if converter in (int, float, str, None):
        return (converter or str).__name__, False, []
    name = getattr(converter, "__name__", "")
    for cell in getattr(converter, "__closure__", None) or ():
        inner = cell.cell_contents
        if callable(inner):
            return _type(inner)
    words = ["auto"] if name.endswith("_or_auto") else []
    if name.startswith("human_readable_int"):
        return "int", True, words
    if name in ("loads", "parse_dataclass") or "json" in name:
        return "json", False, []
    return "str", False, words


def _deprecated(action: argparse.Action) -> str:
    marked = getattr(action, "deprecated", False) or "deprecat" in type(action).__name__.lower()
    return "the engine's own parser marks it as deprecated" if marked else ""


def _plain(value: Any) -> Any:
    """The value if JSON can hold it; of an enumeration its value; else its text."""
    value = getattr(value, "value", value) if type(type(value)).__name__ in ("EnumMeta", "EnumType") else value
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
    return value


if __name__ == "__main__":
    # This file's neighbours are no modules of the engine's.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2]))

"""Lets an engine's own parser parse argument lists. Run as a file by the interpreter that has the engine.

Arguments: a JSON object with ``parsers`` and ``classes`` (``module:attribute``, tried in order, as in the knowledge of
the engine) and ``commands`` (lists of arguments); the file to write to. Written are, for each command, the parsed
values or the parser's refusal. Unique beginnings of flags do not count as flags.
"""

import argparse
import contextlib
import importlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def found(places: list[str], usual: Any = None) -> Any:
    """The first of the objects that can be imported."""
    refused = []
    for place in places:
        module, _, attribute = place.partition(":")
        try:
            thing: Any = importlib.import_module(module)
            for name in attribute.split("."):
                thing = getattr(thing, name)
        except (ImportError, AttributeError) as error:
            refused.append(f"{place}: {error}")
        else:
            return thing
    if usual is None:
        sys.exit("\n".join(refused))
    return usual


def parsed(parser: argparse.ArgumentParser, command: list[str]) -> dict[str, Any]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            values = vars(parser.parse_args(command))
    except SystemExit:
        return {"refused": said.getvalue().strip().splitlines()[-1]}
    except Exception as error:  # noqa: BLE001 - whatever a parser raises is a refusal
        return {"refused": f"{type(error).__name__}: {error}"}
    plain = (str, int, float, bool, dict, list, type(None))
    return {"values": {name: v if isinstance(v, plain) else str(v) for name, v in values.items()}}


def main(asked: dict[str, Any], output: Path) -> None:
    make = found(asked["parsers"])
    parser = found(asked["classes"], argparse.ArgumentParser)()
    made = make(parser)
    parser = made if isinstance(made, argparse.ArgumentParser) else parser
    parser.allow_abbrev = False
    told = [parsed(parser, command) for command in asked["commands"]]
    output.write_text(json.dumps(told, default=str), encoding="utf-8")


if __name__ == "__main__":
    # Neighbours of this file are no modules of the engine's.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))

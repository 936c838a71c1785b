"""From the options of an engine's argparse parser to the parameters of a catalogue.

The options come from the engine's source, read without running it, or from its parser, asked where it is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import Field

from autotuner.contracts.engine import CatalogueParameter, GoneFlag
from autotuner.contracts.values import Frozen, Scalar

HELP_LENGTH = 160
SILENT = "the engine's own help says nothing of it"

Kind = Literal["store", "true", "false", "switch", "const", "append", "help", "refused"]
"""``switch``: argparse.BooleanOptionalAction, which makes a --no-… of each flag. ``refused``: it only tells why not."""

ValueType = Literal["int", "float", "bool", "choice", "str", "list", "json"]
Arity = Literal["one", "optional", "some", "any", "repeat"]
_SWITCHES = ("true", "false", "switch", "const")


class ParserOption(Frozen):
    """One option as argparse has it."""

    options: tuple[str, ...] = Field(description="option strings in order of declaration; empty: a positional")
    off: tuple[str, ...] = Field((), description="option strings of a switch that mean false")
    dest: str
    kind: Kind = "store"
    type: Literal["int", "float", "str", "json", "bool"] = "str"
    suffixes: bool = False
    words: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    nargs: str | int | None = None
    default: Any = None
    help: str = ""
    required: bool = False
    deprecated: str = Field("", description="what to use instead; of a refused one what it says")
    low: float | None = None
    high: float | None = None

    @property
    def opposites(self) -> tuple[str, ...]:
        """Flags that mean false: those that are named, else what argparse makes of a switch's flags."""
        if self.off or self.kind != "switch":
            return self.off
        return tuple(f"--no-{flag[2:]}" for flag in self.options if flag.startswith("--"))

    @property
    def main(self) -> str:
        """The flag to write: the first long one, since that is what engines' own documents use."""
        return next((flag for flag in self.options if flag.startswith("--")), self.options[0])


def parameters_of(options: Iterable[ParserOption]) -> tuple[CatalogueParameter, ...]:
    """The parameters, by name. A flag and the ``store_false`` that is its opposite are one parameter.

    A deprecated flag that writes what another one writes is a parameter of its own, named after itself. ValueError when
    two others would have one name.
    """
    listed = [option for option in options if option.options and option.kind not in ("help", "refused")]
    on = {option.dest for option in listed if option.kind in ("true", "switch") and not option.deprecated}
    off = [option for option in listed if option.kind == "false" and option.dest in on]
    made: dict[str, CatalogueParameter] = {}
    for option in sorted(listed, key=lambda one: bool(one.deprecated)):
        if option in off:
            continue
        more = tuple(flag for one in off if one.dest == option.dest and not option.deprecated for flag in one.options)
        parameter = _parameter(option, more)
        if parameter.name in made and option.deprecated:
            parameter = parameter.model_copy(update={"name": _snake(option.main)})
        if parameter.name in made:
            raise ValueError(
                f"two parameters are called {parameter.name}: {made[parameter.name].flag}, {parameter.flag}"
            )
        made[parameter.name] = parameter
    return tuple(made[name] for name in sorted(made))


def gone_of(options: Iterable[ParserOption]) -> list[GoneFlag]:
    """Flags that the parser knows only to refuse them."""
    return [
        GoneFlag(flag=flag, instead=_named_flags(option), hint=first_sentence(option.deprecated))
        for option in options
        if option.kind == "refused"
        for flag in option.options
    ]


def _named_flags(option: ParserOption) -> tuple[str, ...]:
    """Other flags that the refusal names."""
    named = re.findall(r"--[a-z][a-z0-9-]+", option.deprecated)
    return tuple(dict.fromkeys(flag for flag in named if flag not in option.options))


def first_sentence(text: str, limit: int = HELP_LENGTH) -> str:
    """The first sentence of a help text in one line, cut at a word when it is longer than ``limit`` characters."""
    paragraph = re.split(r"\n\s*\n|\n\s*[-*] ", text.strip().replace("%%", "%"))[0]
    line = " ".join(paragraph.split())
    end = re.search(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)[.!?:](?=\s|$)", line)
    line = line[: end.start()] if end else line
    if len(line) > limit:
        line = line[:limit].rpartition(" ")[0].rstrip(",;:(") + " …"
    return line.strip()


def _parameter(option: ParserOption, more_opposites: Sequence[str]) -> CatalogueParameter:
    choices = tuple(choice for choice in option.choices if choice is not None and choice != "None")
    kind, arity = _shape(option, choices)
    number = kind in ("int", "float") or (kind == "list" and option.type in ("int", "float"))
    low, high = (option.low, option.high) if number and not choices else (None, None)
    return CatalogueParameter(
        name=_snake(option.dest),
        flag=option.main,
        flags=tuple(other for other in option.options if other != option.main),
        off_flags=(*option.opposites, *more_opposites),
        type=kind,
        arity=arity,
        items=_items(option) if kind == "list" else "",
        choices=choices if kind in ("choice", "list") else (),
        words=tuple(word for word in option.words if word != "None") if number else (),
        suffixes=option.suffixes and number,
        low=low,
        high=high,
        default=_default(option, kind, choices),
        help=first_sentence(option.help) or SILENT,
        required=option.required,
        deprecated=option.deprecated or _said_deprecated(option.help),
    )


def _said_deprecated(text: str) -> str:
    """What a help text says that begins with its being deprecated, or with ``… is deprecated``."""
    begun = re.match(r"\s*[\[(]?deprecated[\])]?[:.,]?\s*(.*)", text, re.IGNORECASE | re.DOTALL)
    if begun is None:
        begun = re.match(r"\s*--\S+ is deprecated(?: and)?\s*(.*)", text, re.DOTALL)
    if begun is None:
        return ""
    return first_sentence(begun[1].partition(")")[0]).strip("(), ") or "the engine's own help says so"


def _snake(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _shape(option: ParserOption, choices: Sequence[Any]) -> tuple[ValueType, Arity]:
    if option.kind in _SWITCHES:
        return "bool", "one"
    if option.kind == "append":
        return "list", "repeat"
    if option.nargs in ("+", "*") or (isinstance(option.nargs, int) and option.nargs > 1):
        return "list", "any" if option.nargs == "*" else "some"
    arity: Arity = "optional" if option.nargs == "?" else "one"
    if choices:
        return "choice", arity
    return ("str" if option.type == "bool" else option.type), arity


def _items(option: ParserOption) -> Literal["int", "float", "str"]:
    return option.type if option.type in ("int", "float") else "str"


def _default(option: ParserOption, kind: ValueType, choices: Sequence[Any]) -> Scalar:
    value = option.default
    if kind == "choice":
        return value if value in choices else None
    if kind == "bool":
        usual = {"true": False, "const": False, "false": True}.get(option.kind)
        value = usual if value is None else value
        return value if isinstance(value, bool) else None
    if value is None or value in ("", [], {}, ()):
        return None
    if kind in ("list", "json"):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "str":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, (str, int, float)) else None

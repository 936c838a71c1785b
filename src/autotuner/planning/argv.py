"""Whether a catalogue knows an argument list: exact flags, exact values.

Stricter than the engines' own parsers, which take unique beginnings of flags and do not look at every value. A
beginning may not be unique in the next version, and a value that nobody looked at ends the start minutes later.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from autotuner.contracts.attempt import HOST, PORT
from autotuner.contracts.engine import Catalogue, CatalogueParameter, GoneFlag
from autotuner.contracts.values import Frozen

_NUMBER = re.compile(r"-(\d+|\d*\.\d+)")
"""What a parser takes for a negative number and not for a flag."""
_WHOLE = re.compile(r"[+-]?\d+")
_WITH_SUFFIX = re.compile(r"\d+(\.\d+)?[kKmMgGtT]")

Kind = Literal[
    "unknown flag",
    "gone flag",
    "bad value",
    "missing value",
    "unexpected value",
    "missing flag",
    "given twice",
    "dangerous",
    "deprecated",
]
_CAUTIONS = frozenset({"given twice", "dangerous", "deprecated"})


class ArgvProblem(Frozen):
    """Something about one word of an argument list."""

    position: int = Field(description="index of the word; for a missing flag the number of words")
    word: str
    kind: Kind
    message: str = Field(description="one sentence without a final full stop")
    nearest: str | None = Field(None, description="the flag or value that was probably meant")

    @property
    def error(self) -> bool:
        """Whether the engine would refuse or misread it; else it is a caution."""
        return self.kind not in _CAUTIONS


def check_argv(catalogue: Catalogue, argv: Sequence[str], *, whole: bool = True) -> tuple[ArgvProblem, ...]:
    """What is wrong with the arguments of a server (without the program), and what is to be careful with.

    A flag counts only as the catalogue spells it, and a value only if it is of the flag's type and in its list. Errors
    and cautions in the order of the words. ``whole``: whether flags that the engine cannot start without must be there.
    """
    return tuple(_problems(catalogue, argv, whole))


def arguments_from(catalogue: Catalogue, words: Sequence[str]) -> int:
    """Index of the first argument in a whole command: after the words that start the engine, 0 when none of them do."""
    for program in catalogue.programs:
        size = len(program)
        for start in range(len(words) - size + 1):
            if tuple(word.rpartition("/")[2] for word in words[start : start + size]) == program:
                return start + size
    return 0


@dataclass(frozen=True)
class _Flag:
    """A word that is a flag, and what stands after its equals sign (None: there is none)."""

    position: int
    word: str
    name: str
    value: str | None


def _problems(catalogue: Catalogue, argv: Sequence[str], whole: bool) -> Iterator[ArgvProblem]:
    seen: dict[str, str] = {}
    free = list(catalogue.positionals)
    position = 0
    while position < len(argv):
        word = argv[position]
        if not _is_flag(word):
            if not free:
                yield _stray(argv, position)
            else:
                free.pop(0)
            position += 1
            continue
        name, equals, value = word.partition("=")
        flag = _Flag(position, word, name, value if equals else None)
        following = _following(argv, position + 1)
        parameter, single_key = _parameter(catalogue, name)
        position += 1
        if parameter is None:
            yield _unknown(catalogue, flag)
            # Nobody knows how many values it takes; most take one, and a word that stands alone is no model here.
            position += 0 if flag.value is not None else min(1, len(following))
            continue
        taken, problems = _values(parameter, flag, following, single_key)
        yield from problems
        position += taken
        yield from _cautions(parameter, flag, seen, single_key)
    if whole and len(free) == len(catalogue.positionals):
        for parameter in (*catalogue.reserved, *catalogue.parameters):
            if parameter.required and parameter.name not in seen:
                yield ArgvProblem(
                    position=len(argv),
                    word=parameter.flag,
                    kind="missing flag",
                    message=f"the engine does not start without {parameter.flag}",
                    nearest=parameter.flag,
                )


def _is_flag(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and _NUMBER.fullmatch(word) is None


def _following(argv: Sequence[str], start: int) -> list[str]:
    """The words up to the next flag."""
    end = start
    while end < len(argv) and not _is_flag(argv[end]):
        end += 1
    return list(argv[start:end])


def _parameter(catalogue: Catalogue, name: str) -> tuple[CatalogueParameter | None, bool]:
    """The parameter of an exact flag, and whether the flag sets only one key of its JSON value."""
    found = catalogue.by_flag.get(name)
    if found is None and catalogue.dotted_json:
        base, dot, _ = name.partition(".")
        whole = catalogue.by_flag.get(base)
        if dot and whole is not None and whole.type == "json":
            return whole, True
    return found, False


def _values(
    parameter: CatalogueParameter, flag: _Flag, following: Sequence[str], single_key: bool
) -> tuple[int, list[ArgvProblem]]:
    """How many of the following words are values of the flag, and what is wrong with them."""
    if parameter.type == "bool":
        if flag.value is not None:
            return 0, [_about(flag, "unexpected value", f"{flag.name} is a switch and takes no value")]
        if following and following[0].lower() in ("true", "false"):
            how = _how_to_say(parameter, following[0].lower() == "true")
            text = f"{flag.name} is a switch and takes no value; {following[0]} is written {how}"
            return 1, [_about(flag, "unexpected value", text)]
        return 0, []
    several = parameter.arity in ("some", "any")
    given = [flag.value] if flag.value is not None else list(following if several else following[:1])
    taken = 0 if flag.value is not None else len(given)
    if not given:
        if parameter.arity in ("optional", "any"):
            return 0, []
        return 0, [_about(flag, "missing value", f"{flag.name} needs a value: {described(parameter)}")]
    if single_key:
        return taken, []
    problems: list[ArgvProblem] = []
    for number, text in enumerate(given):
        problem = value_problem(parameter, text)
        if problem is not None:
            position = flag.position + (0 if flag.value is not None else number + 1)
            problems.append(
                ArgvProblem(
                    position=position,
                    word=text,
                    kind="bad value",
                    message=f"{flag.name} cannot be {text!r}: {problem}",
                    nearest=_nearest_value(parameter, text),
                )
            )
    return taken, problems


def value_problem(parameter: CatalogueParameter, text: str) -> str | None:
    """Why a word of the command line is no value of the parameter (for a list: of one element), or None."""
    kind = parameter.items if parameter.type == "list" else parameter.type
    if text in parameter.words or text in (HOST, PORT):
        return None
    if parameter.choices:
        return None if text in {str(choice) for choice in parameter.choices} else f"it takes {described(parameter)}"
    if kind == "json":
        try:
            json.loads(text)
        except ValueError:
            return f"it takes {described(parameter)}"
        return None
    if kind not in ("int", "float"):
        return None
    value = _number(text, whole=kind == "int", suffixes=parameter.suffixes)
    if value is None:
        return f"it takes {described(parameter)}"
    if parameter.low is not None and value < parameter.low:
        return f"the least is {parameter.low:g}"
    if parameter.high is not None and value > parameter.high:
        return f"the most is {parameter.high:g}"
    return None


def _number(text: str, *, whole: bool, suffixes: bool) -> float | None:
    if suffixes and _WITH_SUFFIX.fullmatch(text):
        thousand = 1024.0 if text[-1].isupper() else 1000.0
        return float(text[:-1]) * math.pow(thousand, "KMGT".index(text[-1].upper()) + 1)
    if whole:
        return float(text) if _WHOLE.fullmatch(text) else None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def described(parameter: CatalogueParameter) -> str:
    """What the parameter takes on a command line, in words."""
    if parameter.type == "bool":
        return "nothing"
    if parameter.choices:
        one = f"one of {', '.join(str(choice) for choice in parameter.choices)}"
        return f"any of {one.removeprefix('one of ')}" if parameter.type == "list" else one
    kind = parameter.items or "str" if parameter.type == "list" else parameter.type
    plain = {"int": "a whole number", "float": "a number", "json": "JSON"}.get(kind, "text")
    if parameter.type == "list":
        return {"text": "texts"}.get(plain, plain.replace("a ", "").replace("number", "numbers"))
    if parameter.suffixes:
        plain += " (k, M … may follow)"
    return " or ".join((plain, *parameter.words))


def _nearest_value(parameter: CatalogueParameter, text: str) -> str | None:
    """The listed value that differs in case, else one that begins so, else the most similar one."""
    listed = {str(choice).lower(): str(choice) for choice in reversed(parameter.choices)}
    wanted = text.lower()
    longer = [known for known in sorted(listed) if wanted and known.startswith(wanted)]
    near = [wanted] if wanted in listed else longer or difflib.get_close_matches(wanted, list(listed), n=1)
    return listed[near[0]] if near else None


def _how_to_say(parameter: CatalogueParameter, value: bool) -> str:
    if value:
        return "by the flag alone"
    return f"as {parameter.off_flags[0]}" if parameter.off_flags else "by leaving the flag out"


def _cautions(
    parameter: CatalogueParameter, flag: _Flag, seen: dict[str, str], single_key: bool
) -> Iterator[ArgvProblem]:
    before = seen.get(parameter.name)
    if before is not None and not single_key and parameter.arity != "repeat":
        also = "" if before == flag.name else f" (as {before})"
        yield _about(flag, "given twice", f"{flag.name} was given before{also}; the engine takes the last one")
    seen[parameter.name] = flag.name
    if parameter.dangerous and flag.name not in parameter.off_flags:
        yield _about(flag, "dangerous", f"{flag.name} {parameter.danger}")
    if parameter.deprecated:
        yield _about(flag, "deprecated", f"{flag.name} is deprecated: {parameter.deprecated}")


def _unknown(catalogue: Catalogue, flag: _Flag) -> ArgvProblem:
    version = f"{catalogue.engine} {catalogue.version}"
    gone = next((entry for entry in catalogue.gone if entry.flag == flag.name), None)
    if gone is not None:
        return _about(flag, "gone flag", f"{version} has no {flag.name} any more{_told(gone)}", *gone.instead[:1])
    longer = sorted(known for known in catalogue.by_flag if known.startswith(flag.name)) if len(flag.name) > 2 else []
    if longer:
        text = f"{version} has no {flag.name}; it only begins {', '.join(longer[:3])}{' …' if len(longer) > 3 else ''}"
        return _about(flag, "unknown flag", text, longer[0])
    near = nearest_flag(catalogue, flag.name)
    return _about(flag, "unknown flag", f"{version} has no {flag.name}", *((near,) if near else ()))


def nearest_flag(catalogue: Catalogue, word: str) -> str | None:
    """The flag that was probably meant: another spelling or name of a parameter, else the most similar flag."""
    meant = catalogue.find(word)
    if meant is not None and meant.flag:
        return meant.flag
    near = difflib.get_close_matches(word.lower(), list(catalogue.by_flag), n=1)
    return near[0] if near else None


def _told(gone: GoneFlag) -> str:
    since = f" since {gone.gone}" if gone.gone else ""
    return since + (f": {gone.hint}" if gone.hint else "")


def _stray(argv: Sequence[str], position: int) -> ArgvProblem:
    word = argv[position]
    return ArgvProblem(position=position, word=word, kind="unexpected value", message=f"{word!r} belongs to no flag")


def _about(flag: _Flag, kind: Kind, message: str, nearest: str | None = None) -> ArgvProblem:
    return ArgvProblem(position=flag.position, word=flag.word, kind=kind, message=message, nearest=nearest)

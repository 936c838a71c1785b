"""Plain data to the content of a preset and back, with every refusal in words; slugs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autotuner.config.comparison import parse_comparison
from autotuner.config.load import validate
from autotuner.config.problems import DocumentError, nearest
from autotuner.config.structured import STRUCTURED
from autotuner.config.text import unreadable
from autotuner.contracts.engine import canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import ANY_RUNTIME, CUSTOM_CATEGORY, PresetContent, PresetMetadata, PresetRule
from autotuner.contracts.values import Scalar

LONGEST_NAME = 255
LONGEST_SLUG = 200
CONFIG_BLOCKS = ("system_config", *STRUCTURED)
"""Blocks of a task document that a preset may hold."""

FIELDS = ("name", "description", "category", "parameters", "metadata", "runtime", "config", "rules", "requires")
"""Keys of a preset in a file, in the order in which they are written."""

INVALID = "The preset is not valid"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a preset."""

    place: str
    why: str
    remedy: str


class Faults:
    """Collects what is wrong and raises it all at once. ``what`` is the error's sentence."""

    def __init__(self, what: str, prefix: str = "") -> None:
        self._what = what
        self._prefix = prefix
        self.found: list[Fault] = []

    def add(self, place: str, why: str, remedy: str) -> None:
        """One more."""
        self.found.append(Fault(".".join(part for part in (self._prefix, place) if part), why, remedy))

    def raise_if_any(self) -> None:
        """AutotunerError(INVALID_VALUE): the fault, or all of them with their places; ``place`` is the first's."""
        if not self.found:
            return
        first = self.found[0]
        why, remedy = first.why, first.remedy
        if len(self.found) > 1:
            why = "; ".join(f"{fault.place or 'preset'}: {fault.why} - {fault.remedy}" for fault in self.found[:20])
            remedy = "Correct them all"
        raise AutotunerError(ErrorCode.INVALID_VALUE, self._what, why=why, remedy=remedy, place=first.place or None)


def read_content(data: object, *, what: str = INVALID, prefix: str = "", further: Iterable[str] = ()) -> PresetContent:
    """The content that plain data describe.

    ``what``: the sentence of the error. ``prefix``: key path of the data in a larger document. ``further``: keys beside
    ``FIELDS`` (only visibility can be one). AutotunerError(INVALID_VALUE) that names every wrong field.
    """
    faults = Faults(what, prefix)
    for problem in unreadable(data):
        faults.add(problem.place, problem.why, problem.remedy)
    if not faults.found and not isinstance(data, Mapping):
        faults.add("", f"it is {kind_of(data)} and not an object", "Write its fields with their values")
    faults.raise_if_any()
    given: Mapping[str, Any] = {key: value for key, value in _mapping(data).items() if value is not None}
    known = (*FIELDS, *further)
    for key in given:
        if key not in known:
            near = nearest(key, known)
            faults.add(key, "it is not a field of a preset", f"Did you mean {near}?" if near else _one_of(known))
    content = PresetContent(
        name=_name(given, faults),
        description=_text(given, "description", "", faults),
        category=_text(given, "category", CUSTOM_CATEGORY, faults).strip() or CUSTOM_CATEGORY,
        runtime=_text(given, "runtime", ANY_RUNTIME, faults).strip() or ANY_RUNTIME,
        parameters=_parameters(given.get("parameters", {}), faults),
        config=_config(given.get("config", {}), faults),
        metadata=_metadata(given.get("metadata", {}), faults),
        rules=_rules(given.get("rules", []), faults),
        requires=tuple(_texts(given.get("requires", []), "requires", faults)),
        visibility=_visibility(given.get("visibility", "team"), faults),
    )
    if not faults.found and not (content.parameters or content.config or content.requires):
        faults.add("parameters", "it holds no parameter", 'Give some, such as {"tp-size": [1, 2]}')
    faults.raise_if_any()
    return content


def to_data(content: PresetContent) -> dict[str, Any]:
    """What ``read_content`` makes equal content of: the fields that a file always has, and the others if they say
    something.
    """
    whole = content.model_dump(mode="json")
    known = PresetMetadata.model_fields
    metadata = {key: value for key, value in whole["metadata"].items() if key not in known or value not in (None, [])}
    always = {key: whole[key] for key in ("name", "description", "category", "parameters")}
    rules = [{key: value for key, value in rule.items() if value is not None} for rule in whole["rules"]]
    sometimes = {
        "runtime": None if content.runtime == ANY_RUNTIME else content.runtime,
        "config": whole["config"],
        "rules": rules,
        "requires": whole["requires"],
    }
    return {**always, "metadata": metadata, **{key: value for key, value in sometimes.items() if value}}


def slug_of(name: str) -> str:
    """``High Throughput`` is ``high-throughput``: letters and digits of ASCII with single dashes between.

    Never empty, and never a number, since presets may be asked for by number.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].strip("-")
    if not slug or slug.isdigit():
        return f"preset-{slug}".rstrip("-")
    return slug


def free_slug(slug: str, taken: Callable[[str], bool]) -> str:
    """The slug, or the first of slug-2, slug-3, … that is not taken."""
    return _free(slug, taken, lambda number: f"{slug}-{number}")


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """The name, or the first of ``name (2)``, ``name (3)``, … that is not taken."""

    def numbered(number: int) -> str:
        suffix = f" ({number})"
        return name[: LONGEST_NAME - len(suffix)].rstrip() + suffix

    return _free(name, taken, numbered)


def _free(first: str, taken: Callable[[str], bool], numbered: Callable[[int], str]) -> str:
    if not taken(first):
        return first
    number = 2
    while taken(numbered(number)):
        number += 1
    return numbered(number)


# ---- fields


def _name(given: Mapping[str, Any], faults: Faults) -> str:
    name = given.get("name")
    if name is None:
        faults.add("name", "it is required", "Give the preset a name")
    elif not isinstance(name, str) or not name.strip():
        faults.add("name", "it is not a name", "Write it as text")
    elif len(name.strip()) > LONGEST_NAME:
        faults.add("name", f"it has {len(name.strip())} characters, and {LONGEST_NAME} are the limit", "Shorten it")
    elif any(unicodedata.category(letter) == "Cc" for letter in name):
        faults.add("name", "it holds a control character", "Leave it out")
    else:
        return name.strip()
    return "?"


def _text(given: Mapping[str, Any], field: str, default: str, faults: Faults) -> str:
    value = given.get(field, default)
    if not isinstance(value, str):
        faults.add(field, f"it is {kind_of(value)} and not text", "Write it as text")
        return default
    if field != "description" and len(value) > LONGEST_NAME:
        faults.add(field, f"it has {len(value)} characters, and {LONGEST_NAME} are the limit", "Shorten it")
    return value


def _parameters(given: object, faults: Faults) -> dict[str, tuple[Scalar, ...]]:
    if not isinstance(given, Mapping):
        faults.add("parameters", f"it is {kind_of(given)} and not an object", 'Write it like {"tp-size": [1, 2]}')
        return {}
    found: dict[str, tuple[Scalar, ...]] = {}
    first: dict[str, str] = {}
    for name, values in given.items():
        place = f"parameters.{name}"
        other = first.setdefault(canonical(name), name)
        if not canonical(name):
            faults.add(place, f"{name!r} is not a parameter's name", "Write the flag's name")
        elif other != name:
            faults.add(place, f"{other} and {name} are one parameter", "Keep one of the spellings")
        elif not isinstance(values, list | tuple):
            faults.add(place, f"it is {kind_of(values)} and not an array", f"Write [{_shown(values)}]")
        elif not values:
            faults.add(place, "the array is empty", "Give at least one value, or leave the parameter out")
        elif (bad := next((v for v in values if isinstance(v, list | tuple | Mapping)), None)) is not None:
            faults.add(place, f"it holds {kind_of(bad)}", "Write text, numbers, true, false or null")
        else:
            found[name] = tuple(values)
    return found


def _config(given: object, faults: Faults) -> dict[str, dict[str, Any]]:
    if not isinstance(given, Mapping):
        faults.add("config", f"it is {kind_of(given)} and not an object", "Write blocks such as parallel_config")
        return {}
    blocks: dict[str, dict[str, Any]] = {}
    for block, fields in given.items():
        if block not in CONFIG_BLOCKS:
            near = nearest(block, CONFIG_BLOCKS)
            remedy = f"Did you mean {near}?" if near else _one_of(CONFIG_BLOCKS)
            faults.add(f"config.{block}", "it is not a structured block", remedy)
        elif fields is None:
            continue
        elif not isinstance(fields, Mapping):
            faults.add(
                f"config.{block}", f"it is {kind_of(fields)} and not an object", "Write fields with their values"
            )
        else:
            blocks[block] = dict(fields)
    try:
        validate({"model": {"id_or_path": "model"}, **blocks}, name="config")
    except DocumentError as error:
        for problem in error.problems:
            faults.add(f"config.{problem.place}", problem.why, problem.remedy)
    return blocks


def _metadata(given: object, faults: Faults) -> PresetMetadata:
    if not isinstance(given, Mapping):
        faults.add("metadata", f"it is {kind_of(given)} and not an object", 'Write it like {"tags": ["chat"]}')
        return PresetMetadata()
    found = {key: value for key, value in given.items() if value is not None}
    author = found.pop("author", None)
    if author is not None and not isinstance(author, str):
        faults.add("metadata.author", f"it is {kind_of(author)} and not text", "Write it as text")
        author = None
    tags, purposes = (_texts(found.pop(k, []), f"metadata.{k}", faults) for k in ("tags", "recommended_for"))
    known = {"author": author, "tags": tuple(tags), "recommended_for": tuple(purposes)}
    return PresetMetadata.model_validate({**found, **known})


def _rules(given: object, faults: Faults) -> tuple[PresetRule, ...]:
    if not isinstance(given, list | tuple):
        faults.add("rules", f"it is {kind_of(given)} and not an array", "Write a list of {when, require, message}")
        return ()
    made: list[PresetRule] = []
    for number, rule in enumerate(given):
        place = f"rules.{number}"
        if not isinstance(rule, Mapping):
            faults.add(place, f"it is {kind_of(rule)} and not an object", "Write {when, require, message}")
            continue
        before = len(faults.found)
        for key in rule:
            if key not in PresetRule.model_fields:
                faults.add(f"{place}.{key}", "it is not a field of a rule", _one_of(PresetRule.model_fields))
        for key in ("when", "require", "message"):
            text = rule.get(key)
            if text is None and key == "when":
                continue
            if not isinstance(text, str) or not text.strip():
                faults.add(f"{place}.{key}", "it is required, as text", "Write it")
            elif key != "message":
                _parsed(text, f"{place}.{key}", faults)
        if len(faults.found) == before:
            made.append(PresetRule(**rule))
    return tuple(made)


def _parsed(text: str, place: str, faults: Faults) -> None:
    try:
        parse_comparison(text)
    except AutotunerError as error:
        faults.add(place, f"{error.what}: {error.why}", error.remedy)


def _texts(given: object, place: str, faults: Faults) -> list[str]:
    if not isinstance(given, list | tuple):
        faults.add(place, f"it is {kind_of(given)} and not an array", "Write a list of texts")
        return []
    found: list[str] = []
    for number, text in enumerate(given):
        if not isinstance(text, str) or not text.strip():
            faults.add(f"{place}.{number}", f"it is {kind_of(text)} and not text", "Write it as text")
        elif text.strip() not in found:
            found.append(text.strip())
    return found


def _visibility(given: object, faults: Faults) -> Any:
    if given in ("private", "team", "public"):
        return given
    faults.add("visibility", f"{_shown(given)} is not a visibility", "Use private, team or public")
    return "team"


def _mapping(data: object) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def _one_of(known: Iterable[str]) -> str:
    return f"Use {', '.join(known)}"


def _shown(value: object) -> str:
    return f"{value!r:.40}"


def kind_of(value: object) -> str:
    """A value of JSON in words, for errors."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "an array"
        case _:
            return "an object"

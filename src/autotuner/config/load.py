"""Text or data to a checked task document, and back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from autotuner.config.block import Block
from autotuner.config.checks import contradictions
from autotuner.config.document import TaskDocument
from autotuner.config.keys import block_at, unknown_key
from autotuner.config.problems import CUSTOM, DocumentError, Problem
from autotuner.config.text import Data, read, unreadable, write
from autotuner.contracts.errors import ErrorCode

DEFAULT_NAME = "the task document"
MAX_PROBLEMS = 50
"""No more problems are reported at once."""


def parse(text: str, *, name: str = DEFAULT_NAME, sets: Sequence[str] = ()) -> TaskDocument:
    """The document of a YAML or JSON text, with ``--set`` changes. ``name`` (of the file) stands for it in errors.

    Raises DocumentError with every problem of the first stage that has one: text, changes, keys and values,
    contradictions.
    """
    data = read_mapping(text, name=name)
    return validate(apply_sets(data, sets, name=name) if sets else data, name=name)


def read_mapping(text: str, *, name: str = DEFAULT_NAME) -> dict[str, Data]:
    """The plain data of a document's text, unchecked but for being a mapping. DocumentError (INVALID_DOCUMENT)."""
    data = read(text, name=name)
    if isinstance(data, dict):
        return data
    why = "it is empty" if data is None else f"it is a {type(data).__name__} and not a mapping"
    remedy = "Write keys and values, such as `model: {id_or_path: …}`"
    raise DocumentError(name, [Problem(ErrorCode.INVALID_DOCUMENT, "", why, remedy)])


def validate(data: object, *, name: str = DEFAULT_NAME) -> TaskDocument:
    """The document that plain data describe. DocumentError with all unknown keys and values, else contradictions."""
    document = check_part(data, name=name)
    problems = contradictions(document)
    if problems:
        raise DocumentError(name, problems)
    return document


def check_part(data: object, *, name: str = DEFAULT_NAME) -> TaskDocument:
    """A part of a document as one: its keys and values are sound, and it may lack what another part has.

    DocumentError with all unknown keys and values.
    """
    problems = unreadable(data)
    if not problems and not isinstance(data, dict):
        why = f"it is a {type(data).__name__} and not a mapping"
        problems = [Problem(ErrorCode.INVALID_DOCUMENT, "", why, "Write keys and values")]
    if problems:
        raise DocumentError(name, problems)
    try:
        return TaskDocument.model_validate(data)
    except ValidationError as error:
        raise DocumentError(name, problems_of(error, data, unknown=unknown_key)) from None


def apply_sets(data: dict[str, Data], sets: Sequence[str], *, name: str = DEFAULT_NAME) -> dict[str, Data]:
    """A copy of the data with each ``a.b.0.c=value`` applied in order; values are YAML, an empty one is null.

    DocumentError (INVALID_VALUE, UNKNOWN_KEY) lists every change that has no ``=``, leads through something that is
    no mapping or list, names an unknown key, or an index that the list lacks.
    """
    changed = copy.deepcopy(data)
    problems: list[Problem] = []
    for change in sets:
        path, equals, text = change.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            why, remedy = f"{change!r:.80} is not a change", "Write --set KEY=VALUE, such as optimization.seed=1"
            problems.append(Problem(ErrorCode.INVALID_VALUE, "--set", why, remedy))
            continue
        problem = _known(keys) or _set(changed, keys, read(text, name=f"--set {path}"))
        if problem is not None:
            problems.append(problem)
    if problems:
        raise DocumentError(name, problems)
    return changed


def to_data(document: TaskDocument) -> dict[str, Any]:
    """The whole document as plain data, defaults included; what is not given and has no default is left out."""
    return _without_absent(document, document.model_dump(mode="json"))


def dump(document: TaskDocument) -> str:
    """The whole document as YAML; ``parse`` turns it into an equal document."""
    return write(to_data(document))


def dump_json(document: TaskDocument) -> str:
    """The whole document as JSON; ``parse`` turns it into an equal document."""
    return json.dumps(to_data(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _without_absent(model: Block, data: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if value is None and field.default is None:
            continue
        shown = data[name]
        if isinstance(value, tuple):
            pairs = zip(value, shown, strict=True)
            kept[name] = [_without_absent(one, plain) if isinstance(one, Block) else plain for one, plain in pairs]
        else:
            kept[name] = _without_absent(value, shown) if isinstance(value, Block) else shown
    return kept


def _known(keys: Sequence[str]) -> Problem | None:
    for end in range(1, len(keys) + 1):
        block = block_at(keys[: end - 1])
        if block is None:
            return None
        if keys[end - 1] not in block.known_keys() and not (end > 1 and keys[end - 1].isdigit()):
            return unknown_key(keys[:end])
    return None


def _set(data: dict[str, Data], keys: Sequence[str], value: Data) -> Problem | None:
    here: Data = data
    for depth, key in enumerate(keys):
        place = ".".join(keys[: depth + 1])
        last = depth == len(keys) - 1
        if isinstance(here, list):
            if not (key.isascii() and key.isdigit() and int(key[:9]) < len(here)):
                why = f"the list has the indices 0 to {len(here) - 1}" if here else "the list is empty"
                return Problem(ErrorCode.INVALID_VALUE, place, why, "Set the whole list instead")
            if last:
                here[int(key)] = value
            else:
                here = here[int(key)]
        elif isinstance(here, dict):
            if last:
                here[key] = value
            else:
                if here.get(key) is None:
                    here[key] = {}
                here = here[key]
        else:
            above = ".".join(keys[:depth])
            why = f"{above} is {here!r:.40}, which has no keys"
            return Problem(ErrorCode.INVALID_VALUE, place, why, f"Set {above} as a whole instead")
    return None


_WORDING = {
    "missing": "it is required",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "none_required": "must be null",
}


def problems_of(error: ValidationError, data: object, *, unknown: Callable[[list[str]], Problem]) -> list[Problem]:
    """What is wrong with data, one problem per place; the branches of a union are joined by "or".

    ``unknown``: what to say of a key that nothing has.
    """
    found: dict[str, Problem] = {}
    for details in error.errors(include_url=False)[:MAX_PROBLEMS]:
        path = _path(details, data)
        problem = _problem(details, path, unknown)
        other = found.get(problem.place)
        if other is not None and other.why != problem.why:
            alternatives = f"{other.why.rsplit(', not ', 1)[0]} or {problem.why}"
            problem = Problem(other.code, other.place, alternatives, other.remedy)
        found[problem.place] = problem
    # One branch of a union may refuse the whole of what another refuses an item of; the item says more.
    return [p for p in found.values() if not any(place.startswith(f"{p.place}.") for place in found)]


def _problem(details: ErrorDetails, path: list[str], unknown: Callable[[list[str]], Problem]) -> Problem:
    place = ".".join(path)
    if details["type"] == "extra_forbidden":
        return unknown(path)
    context = details.get("ctx", {})
    if details["type"] == CUSTOM:
        return Problem(ErrorCode(context["code"]), place, context["why"], context["remedy"])
    why = _WORDING.get(details["type"], details["msg"].replace("Input should be", "must be"))
    if details["type"] == "missing":
        return Problem(ErrorCode.INVALID_VALUE, place, why, "Add it")
    given = json.dumps(details["input"], ensure_ascii=False, default=str)
    shown = given if len(given) <= 60 else given[:57] + "…"
    return Problem(ErrorCode.INVALID_VALUE, place, f"{why}, not {shown}", "Correct the value")


def _path(details: ErrorDetails, data: object) -> list[str]:
    """The key path of an error: what pydantic names besides (branches of unions, inserted keys) is left out."""
    path: list[str] = []
    here = data
    for part in details["loc"]:
        match here:
            case list() | tuple() if isinstance(part, int) and part < len(here):
                here = here[part]
            case dict() if part in here:
                here = here[part]
            case _:
                continue
        path.append(str(part))
    if details["type"] == "missing":
        path.append(str(details["loc"][-1]))
    return path

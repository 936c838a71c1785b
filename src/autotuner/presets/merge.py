"""Several presets as one: values per parameter by a strategy, and a report of everything that did not agree.

Two spellings of one parameter meet if the caller says so (``identify``). Values are equal as everywhere in documents:
1 is 1.0, and True is not 1.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.config.merging import APPEND, DEEP_MERGE, INTERSECTION, LAST_WINS, UNION, MergeRules, strategy_named
from autotuner.config.parameters import same_value
from autotuner.contracts.engine import canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar, canonical_json

NO_COMMON_VALUES = "No common values in intersection"
ALL_VALUES = "all values"
"""What a union does with values that do not agree."""
PARAMETERS = "parameters"

SINGLE_BLOCKS = frozenset({"system_config"})
"""Blocks whose fields take one value."""
SINGLE_FIELDS = frozenset({("parallel_config", "strict_dp")})

Place = tuple[str, str]
"""Block (``parameters`` or a structured one) and key in it."""

Identify = Callable[[Place], str]
"""What a key means: places with the same text are one parameter."""


def by_spelling(place: Place) -> str:
    """``tp-size`` and ``tp_size`` are one parameter; keys of structured blocks are what they are."""
    block, key = place
    return canonical(key) if block == PARAMETERS else f"{block}.{key}"


@dataclass(frozen=True)
class Contribution:
    """What one preset brings."""

    preset: str
    """Its slug."""
    parameters: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Conflict:
    """A parameter of which presets say different things, or which only some of them name."""

    parameter: str
    """As it is called in the result; of a structured block with the block's name in front."""
    values: Mapping[str, Any]
    """By preset, in the order of the merge."""
    result: Any
    """What came of it; None: it was left out."""
    rule: str
    """The strategy, and what it did."""


@dataclass(frozen=True)
class Merged:
    """What several presets come to."""

    parameters: Mapping[str, tuple[Scalar, ...]]
    config: Mapping[str, Mapping[str, Any]]
    applied: tuple[str, ...]
    """Slugs in the order of the merge, each once."""
    conflicts: tuple[Conflict, ...]
    warnings: tuple[str, ...]
    sources: Mapping[Place, tuple[str, ...]]
    """The presets whose values each key of the result has."""


def merge(
    contributions: Sequence[Contribution],
    strategy: str = UNION,
    *,
    overrides: Mapping[str, str] | None = None,
    strict: bool = False,
    identify: Identify = by_spelling,
) -> Merged:
    """Merge presets in the given order.

    ``overrides``: another strategy for single parameters, by any spelling (structured ones as ``block.field``).
    ``strict``: whether an intersection leaves out what only some presets name. Raises AutotunerError: INVALID_VALUE
    ("Invalid merge strategy") for a strategy that does not exist, CONTRADICTION for a preset that says two things of
    one parameter.
    """
    usual = strategy_named(strategy)
    special = {
        identify(_place(name)): strategy_named(chosen, place=f"merge_strategy.parameters.{name}")
        for name, chosen in (overrides or {}).items()
    }
    applied = tuple(dict.fromkeys(one.preset for one in contributions))
    entries = _entries(contributions, identify)
    warnings = [
        f"no preset names {name}, for which another merge strategy is given"
        for name in overrides or {}
        if identify(_place(name)) not in entries
    ]
    last_blocks = _last_blocks(contributions) if usual == LAST_WINS else {}
    parameters: dict[str, tuple[Scalar, ...]] = {}
    config: dict[str, dict[str, Any]] = {}
    conflicts: list[Conflict] = []
    sources: dict[Place, tuple[str, ...]] = {}
    for identity, said in entries.items():
        chosen = special.get(identity, usual)
        counting = [one for one in said if identity in special or _in_last_block(one, last_blocks)]
        if counting:
            outcome = _settle(counting, chosen, strict=strict, everyone=len(applied))
        else:
            block = said[-1].place[0]
            outcome = _Outcome(said[-1].place, None, conflict=f"{block} of {last_blocks[block]} takes its place")
        name = _name(outcome.place)
        if outcome.conflict is not None:
            values = {one.preset: copy.deepcopy(one.value) for one in said}
            conflicts.append(Conflict(name, values, copy.deepcopy(outcome.value), f"{chosen}: {outcome.conflict}"))
        if outcome.value is None:
            if outcome.empty:
                warnings.append(f"{NO_COMMON_VALUES}: {name} is left out; use union or last_wins to keep its values")
            continue
        block, key = outcome.place
        if block == PARAMETERS:
            parameters[key] = tuple(outcome.value)
        else:
            config.setdefault(block, {})[key] = copy.deepcopy(outcome.value)
        sources[outcome.place] = outcome.sources
    return Merged(parameters, config, applied, tuple(conflicts), tuple(warnings), sources)


def merge_by(contributions: Sequence[Contribution], rules: MergeRules, *, identify: Identify = by_spelling) -> Merged:
    """The same, as a document asks for it."""
    return merge(contributions, rules.default, overrides=rules.parameters, strict=rules.strict, identify=identify)


def distinct(values: Sequence[Scalar]) -> list[Scalar]:
    """Each value once, in order of first appearance."""
    found: list[Scalar] = []
    for value in values:
        if not any(same_value(value, known) for known in found):
            found.append(value)
    return found


def in_order(values: Sequence[Scalar]) -> list[Scalar]:
    """Sorted if all are numbers, else as they are."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return [*sorted(numbers)] if len(numbers) == len(values) else list(values)


# ---- what is said of one parameter, and what becomes of it


@dataclass(frozen=True)
class _Said:
    preset: str
    place: Place
    value: Any
    """A list; of a structured field also a scalar or a range."""


@dataclass(frozen=True)
class _Outcome:
    place: Place
    value: Any
    """None: left out."""
    sources: tuple[str, ...] = ()
    conflict: str | None = None
    """What happened to values that do not agree; None: they do."""
    empty: bool = False
    """Whether it is left out for want of common values."""


def _settle(said: Sequence[_Said], strategy: str, *, strict: bool, everyone: int) -> _Outcome:
    named = tuple(dict.fromkeys(one.preset for one in said))
    agree = all(_same(said[0].value, one.value) for one in said[1:])
    only = f"only in {', '.join(named)}" if strategy == INTERSECTION and len(named) < everyone else None
    first, last = said[0], said[-1]
    if only is not None and strict:
        return _Outcome(first.place, None, conflict=f"{only}, left out")
    if strategy in (LAST_WINS, DEEP_MERGE):
        value = distinct(last.value) if isinstance(last.value, list) else last.value
        return _Outcome(last.place, value, (last.preset,), None if agree else f"{last.preset} is the last")
    if _takes_one(last.place) or any(isinstance(one.value, Mapping) for one in said):
        why = f"it has one value or range, and {last.preset} is the last"
        return _Outcome(last.place, last.value, (last.preset,), _notes(only, None if agree else why))
    lists = [one.value if isinstance(one.value, list) else [one.value] for one in said]
    if strategy == INTERSECTION:
        found = distinct([value for value in lists[0] if all(_has(other, value) for other in lists[1:])])
        if not found:
            return _Outcome(first.place, None, conflict="no common values", empty=True)
    else:
        found = distinct([value for values in lists for value in values])
    sources = tuple(one.preset for one, values in zip(said, lists, strict=True) if any(_has(found, v) for v in values))
    happened = None if agree else "the common values" if strategy == INTERSECTION else ALL_VALUES
    conflict = _notes(only, happened)
    if len(found) == 1 and not any(isinstance(one.value, list) for one in said):
        return _Outcome(first.place, found[0], tuple(dict.fromkeys(sources)), conflict)
    value = found if strategy == APPEND else in_order(found)
    return _Outcome(first.place, value, tuple(dict.fromkeys(sources)), conflict)


def _notes(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note is not None) or None


def _takes_one(place: Place) -> bool:
    return place[0] in SINGLE_BLOCKS or place in SINGLE_FIELDS


def _has(values: Sequence[Scalar], wanted: Scalar) -> bool:
    return any(same_value(value, wanted) for value in values)


def _same(one: Any, other: Any) -> bool:
    """Whether two presets say the same, whatever the order of their values."""
    if isinstance(one, list) and isinstance(other, list):
        return all(_has(other, value) for value in one) and all(_has(one, value) for value in other)
    if isinstance(one, list | Mapping) or isinstance(other, list | Mapping):
        return type(one) is type(other) and canonical_json(one) == canonical_json(other)
    return same_value(one, other)


def _entries(contributions: Sequence[Contribution], identify: Identify) -> dict[str, list[_Said]]:
    found: dict[str, list[_Said]] = {}
    for one in contributions:
        own: dict[str, _Said] = {}
        for said in _all_of(one):
            identity = identify(said.place)
            other = own.setdefault(identity, said)
            if other is said:
                found.setdefault(identity, []).append(said)
            elif not _same(other.value, said.value):
                raise AutotunerError(
                    ErrorCode.CONTRADICTION,
                    f"the preset {one.preset!r} says two things of one parameter",
                    why=f"{'.'.join(other.place)} is {canonical_json(other.value)} and {'.'.join(said.place)} is "
                    f"{canonical_json(said.value)}",
                    remedy="Keep one of them",
                    place=".".join(said.place),
                )
    return found


def _all_of(one: Contribution) -> Iterator[_Said]:
    for name, values in one.parameters.items():
        yield _Said(one.preset, (PARAMETERS, name), list(values))
    for block, keys in one.config.items():
        for key, value in keys.items():
            if value is None:  # null counts as not given
                continue
            yield _Said(one.preset, (block, key), list(value) if isinstance(value, tuple) else value)


def _last_blocks(contributions: Sequence[Contribution]) -> dict[str, str]:
    """Structured block → the last preset that has it."""
    return {block: one.preset for one in contributions for block in one.config}


def _in_last_block(said: _Said, last: Mapping[str, str]) -> bool:
    return last.get(said.place[0], said.preset) == said.preset


def _place(name: str) -> Place:
    block, point, key = name.partition(".")
    return (block, key) if point and block.endswith("_config") else (PARAMETERS, name)


def _name(place: Place) -> str:
    return place[1] if place[0] == PARAMETERS else ".".join(place)

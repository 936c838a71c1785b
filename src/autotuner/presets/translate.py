"""A preset in the words of another engine, and flat presets as structured ones: with a report of what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.config.structured import AGREEING, NEUTRAL_NAMES
from autotuner.contracts.engine import PlanContext
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import split_key
from autotuner.contracts.values import Scalar, canonical_json
from autotuner.planning.values import described, takes
from autotuner.presets.dialect import Dialect, said_in_block
from autotuner.presets.merge import PARAMETERS, Contribution, distinct


@dataclass(frozen=True)
class LeftOut:
    """A parameter, or some of its values, that another engine lacks."""

    parameter: str
    values: tuple[Any, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.parameter} {', '.join(canonical_json(value) for value in self.values)} is left out: {self.reason}"


@dataclass(frozen=True)
class Translation:
    """What a preset says to an engine."""

    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Name in the preset → name for the engine, where they differ."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the engine takes nothing of it."""
        return not self.parameters and not self.config


def translate(
    contribution: Contribution, source: Dialect | None, target: Dialect, context: PlanContext
) -> Translation:
    """The values of a preset for an engine.

    ``source``: the engine whose names the preset has; None: it is for any engine. Its own engine gets all of it as it
    is: what is wrong with it there is found when it is planned. To another one its flags go through the settings that
    every engine may have, or as the same flag; a parameter or value that it lacks is left out with the reason.
    """
    if source is not None and source.engine == target.engine:
        values = {name: tuple(values) for name, values in contribution.parameters.items()}
        return Translation(values, {block: dict(keys) for block, keys in contribution.config.items()})
    parameters: dict[str, tuple[Scalar, ...]] = {}
    renamed: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for name, values in contribution.parameters.items():
        new, taken, lost = _parameter(name, values, source, target, context)
        left_out += lost
        if taken:
            parameters[new] = tuple(distinct([*parameters.get(new, ()), *taken]))
            if new != name:
                renamed[name] = new
    config, lost_fields = _blocks(contribution.config, target, context)
    return Translation(parameters, config, renamed, (*left_out, *lost_fields))


def require_something(preset: str, translation: Translation, target: Dialect) -> None:
    """AutotunerError(UNSUPPORTED) for a preset of which an engine takes nothing though it says something."""
    if translation.empty and translation.left_out:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"{target.engine} can do nothing of the preset {preset!r}",
            why="; ".join(map(str, translation.left_out)),
            remedy="Leave the preset out, or make one for this engine",
            place="presets",
        )


def structured(contribution: Contribution, dialect: Dialect) -> Contribution:
    """The same with flags as fields of structured blocks, where a field says all of their values; the rest stays.

    A field that the preset's blocks have already is not touched.
    """
    config = {block: dict(keys) for block, keys in contribution.config.items()}
    known = {
        key for block, keys in config.items() for name in keys if (key := dialect.key((block, name))) is not None
    }
    rest: dict[str, Sequence[Scalar]] = {}
    for name, values in contribution.parameters.items():
        said = [dialect.said(name, value) for value in values]
        keys = {one.key for one in said if one is not None}
        place = dialect.document_field(next(iter(keys))) if len(keys) == 1 and None not in said else None
        if place is None or not keys.isdisjoint(known):
            rest[name] = values
            continue
        config.setdefault(place[0], {})[place[1]] = [one.value for one in said if one is not None]
        known |= keys
    return Contribution(contribution.preset, rest, config)


def flat(contribution: Contribution, dialect: Dialect) -> Contribution:
    """The same with fields of structured blocks as neutral names under ``parameters``, where these say the same.

    What has no neutral name (GPUs, named layouts, quantization_config), and ranges, stay where they are.
    """
    parameters: dict[str, Sequence[Scalar]] = dict(contribution.parameters)
    rest: dict[str, dict[str, Any]] = {}
    for block, keys in contribution.config.items():
        for name, value in keys.items():
            key = dialect.key((block, name))
            new = NEUTRAL_NAMES.get(name, name)
            whole = isinstance(value, list | tuple) and block != "quantization_config" and name != "presets"
            if key is not None and whole and new not in parameters and dialect.identify((PARAMETERS, new)) == key:
                parameters[new] = list(value)
            else:
                rest.setdefault(block, {})[name] = value
    return Contribution(contribution.preset, parameters, rest)


# ---- parts


def _parameter(
    name: str, values: Sequence[Scalar], source: Dialect | None, target: Dialect, context: PlanContext
) -> tuple[str, list[Scalar], list[LeftOut]]:
    """The parameter's name for the target, the values that it takes, and the others."""
    if source is None and target.catalogue.find(name) is not None:
        return name, *_within(name, values, target)
    said = [(value, (source or target).said(name, value)) for value in values]
    keys = Counter(one.key for _, one in said if one is not None)
    if not keys:
        return _same_flag(name, values, source, target)
    key = keys.most_common(1)[0][0]
    sense = "" if source is None else source.sense(key)
    taken: list[Scalar] = []
    lost: dict[str, list[Scalar]] = {}
    for value, one in said:
        if one is None:
            lost.setdefault(f"{target.engine} has nothing like it", []).append(value)
            continue
        if one.key != key:
            lost.setdefault(f"it is another setting ({one.name}) than its other values", []).append(value)
            continue
        why = f"{one.name}: {sense}" if sense else target.refusal(one, context)
        if why is None:
            taken.append(one.value)
        else:
            lost.setdefault(why, []).append(value)
    found = split_key(key)
    return found[1] if found else key, taken, [LeftOut(name, tuple(bad), why) for why, bad in lost.items()]


def _same_flag(
    name: str, values: Sequence[Scalar], source: Dialect | None, target: Dialect
) -> tuple[str, list[Scalar], list[LeftOut]]:
    known = None if source is None else source.catalogue.find(name)
    other = None if known is None else target.same_flag(known)
    if other is None:
        return name, [], [LeftOut(name, tuple(values), f"{target.engine} has no such parameter")]
    taken, lost = _within(other.name, values, target)
    return other.name, taken, [LeftOut(name, one.values, one.reason) for one in lost]


def _within(name: str, values: Sequence[Scalar], target: Dialect) -> tuple[list[Scalar], list[LeftOut]]:
    """The values that a parameter of the target takes."""
    parameter = target.catalogue.find(name)
    fits = [value is None or (parameter is not None and takes(parameter, value)) for value in values]
    good = [value for value, fine in zip(values, fits, strict=True) if fine]
    bad = tuple(value for value, fine in zip(values, fits, strict=True) if not fine)
    if not bad or parameter is None:
        return good, []
    return good, [LeftOut(name, bad, f"{parameter.flag or name} of {target.engine} takes {described(parameter)}")]


def _blocks(
    config: Mapping[str, Mapping[str, Any]], target: Dialect, context: PlanContext
) -> tuple[dict[str, dict[str, Any]], list[LeftOut]]:
    kept: dict[str, dict[str, Any]] = {}
    lost: list[LeftOut] = []
    for block, keys in config.items():
        for name, value in keys.items():
            if value is None:
                continue
            if block == "system_config" or (block == "quantization_config" and name in AGREEING):
                kept.setdefault(block, {})[name] = value
                continue
            new, bad, reason = _field_values(block, name, value, target, context)
            if bad:
                lost.append(LeftOut(f"{block}.{name}", tuple(bad), reason))
            if new is not None:
                kept.setdefault(block, {})[name] = new
    return kept, lost


def _field_values(
    block: str, name: str, value: Any, target: Dialect, context: PlanContext
) -> tuple[Any, list[Any], str]:
    """What the target takes of a field's value, the values that it does not, and why."""
    if target.key((block, name)) is None:
        return None, [value], f"{target.engine} has no setting for it"
    said = list(said_in_block(target, (block, name), value))
    reasons = [target.refusal(one, context) for one in said]
    if not isinstance(value, list | tuple):
        why = next((reason for reason in reasons if reason is not None), None)
        return (value, [], "") if why is None else (None, [value], why)
    pairs = list(zip(value, reasons, strict=True))
    good = [one for one, reason in pairs if reason is None]
    bad = [one for one, reason in pairs if reason is not None]
    return good or None, bad, next((reason for _, reason in pairs if reason is not None), "")

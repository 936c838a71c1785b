"""A preset in the words of another engine, with a report of what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Scalar, canonical_json
from autotuner.planning.translation import translate as to_engine
from autotuner.presets.dialect import Dialect, Said
from autotuner.presets.merge import PARAMETERS, Contribution, distinct


@dataclass(frozen=True)
class Translation:
    """What a preset says to an engine."""

    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Name in the preset → name for the engine, where they differ."""
    left_out: tuple[str, ...] = ()
    """One sentence for each parameter, or some of its values, that the engine lacks."""

    @property
    def empty(self) -> bool:
        """Whether the engine takes nothing of it."""
        return not self.parameters and not self.config


def translate(contribution: Contribution, source: Dialect | None, target: Dialect, *, model: str = "") -> Translation:
    """The values of a preset for an engine.

    ``source``: the engine whose names the preset has; None: it is for any engine. Its own engine gets all of it as it
    is: what is wrong with it there is found when it is planned. To another one its flags go through the settings that
    every engine may have; a parameter or value which that engine lacks is left out with the reason. ``model``: name of
    the checkpoint, which may tell how it is quantised.
    """
    if source is not None and source.engine.name == target.engine.name:
        values = {name: tuple(values) for name, values in contribution.parameters.items()}
        return Translation(values, {block: dict(keys) for block, keys in contribution.config.items()})
    parameters: dict[str, tuple[Scalar, ...]] = {}
    renamed: dict[str, str] = {}
    left_out: list[str] = []
    for name, said in contribution.parameters.items():
        neutral, kept, lost = _neutrally(name, said, source, target)
        left_out += lost
        if not kept:
            continue
        made = to_engine({PARAMETERS: {neutral: kept}}, target.engine, model=model)
        left_out += [_in_words_of(name, neutral, sentence) for sentence in made.left_out]
        for new, taken in made.data.get(PARAMETERS, {}).items():
            parameters[new] = tuple(distinct([*parameters.get(new, ()), *taken]))
            if new != name:
                renamed[name] = new
    config: dict[str, dict[str, Any]] = {}
    for block, keys in contribution.config.items():
        for name, value in keys.items():
            key = target.key((block, name))
            sense = "" if key is None else target.sense(key)
            if sense:
                left_out.append(f"{block}.{name} is left out: {sense}")
            elif value is not None:
                made = to_engine({block: {name: value}}, target.engine, model=model)
                left_out += made.left_out
                config.setdefault(block, {}).update(made.data.get(block, {}))
    return Translation(parameters, {k: v for k, v in config.items() if v}, renamed, tuple(left_out))


def require_something(preset: str, translation: Translation, engine: str) -> None:
    """AutotunerError(UNSUPPORTED) for a preset of which an engine takes nothing though it says something."""
    if translation.empty and translation.left_out:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"{engine} can do nothing of the preset {preset!r}",
            why="; ".join(translation.left_out),
            remedy="Leave the preset out, or make one for this engine",
            place="presets",
        )


# ---- parts


def _neutrally(
    name: str, values: Sequence[Scalar], source: Dialect | None, target: Dialect
) -> tuple[str, list[Scalar], list[str]]:
    """A flag of another engine as a setting that every engine may have: its name, its values, and what is lost."""
    if source is None:
        sense = "" if target.engine.catalogue.find(name) else target.sense(target.neutral.named(name) or "")
        return (name, [], [f"{name} is left out: {sense}"]) if sense else (name, list(values), [])
    said = [(value, source.said(name, value)) for value in values]
    keys = Counter(one.key for _, one in said if one is not None)
    if not keys:
        if source.engine.catalogue.find(name) is None:
            return name, list(values), []
        return name, [], [f"{name} is left out: it is a parameter of {source.engine.name} alone"]
    key = keys.most_common(1)[0][0]
    setting = Said(key, None).name
    sense = source.sense(key) or target.sense(key)
    if sense:
        return setting, [], [f"{name} is left out: {sense}"]
    kept = [one.value for _, one in said if one is not None and one.key == key]
    others = [value for value, one in said if one is None or one.key != key]
    lost = f"{name} {', '.join(map(canonical_json, others))} is left out: it does not say {setting}, as other values do"
    return setting, kept, [lost] if others else []


def _in_words_of(name: str, neutral: str, sentence: str) -> str:
    """What is said of a neutral name, said of the preset's."""
    said = sentence.removeprefix(f"{PARAMETERS}.{neutral}")
    return f"{name}{said.replace(': ', ' ', 1) if said.startswith(': ') else said}" if said != sentence else sentence

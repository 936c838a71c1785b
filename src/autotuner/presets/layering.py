"""Presets as layers of a task document for one engine, and the record of them that stays with the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.config.comparison import FACTS, parse_comparison, renamed
from autotuner.config.layers import Layer, place
from autotuner.config.merging import MergeRules
from autotuner.config.parameters import dump_spec, parse_spec, same_value
from autotuner.config.structured import ADAPTED
from autotuner.config.structured import renamed as in_other_words
from autotuner.contracts.presets import Preset, PresetRule
from autotuner.contracts.values import canonical_json
from autotuner.planning.preset_rules import parameter_of
from autotuner.presets.dialect import Dialect
from autotuner.presets.merge import ALL_VALUES, PARAMETERS, Conflict, Contribution, Merged, Place, merge_by
from autotuner.presets.translate import Translation, require_something, translate

LAYER = "preset:"
"""Stands before a preset's slug in the name of its layer."""


@dataclass(frozen=True)
class Chosen:
    """Stored presets in the order of their merge, required ones among them, and how they are merged."""

    presets: tuple[Preset, ...] = ()
    rules: MergeRules = field(default_factory=MergeRules)


NO_PRESETS = Chosen()


@dataclass(frozen=True)
class PresetLayers:
    """What chosen presets come to for one engine."""

    chosen: Chosen
    merged: Merged
    translations: Mapping[str, Translation]
    """By slug."""
    layers: tuple[Layer, ...]
    """Their keys are apart from each other; the name says which presets gave a key."""
    rules: tuple[dict[str, Any], ...]
    """As in ``assembled.rules``."""
    notes: tuple[str, ...]
    """Whole sentences on what was left out, what did not agree, and what was merged to nothing."""


def contribution_of(preset: Preset) -> Contribution:
    """What a stored preset brings."""
    return Contribution(preset.slug, preset.parameters, preset.config)


def preset_layers(chosen: Chosen, target: Dialect, sources: Mapping[str, Dialect], *, model: str = "") -> PresetLayers:
    """Translate presets to an engine and merge them.

    ``sources``: the engines whose names presets have, by name; one that is not there counts as any. ``model``: name of
    the checkpoint. AutotunerError: UNSUPPORTED for a preset of which the engine takes nothing, CONTRADICTION for one
    that says two things of one parameter.
    """
    translations: dict[str, Translation] = {}
    notes: list[str] = []
    rules: list[dict[str, Any]] = []
    for preset in chosen.presets:
        source = sources.get(preset.runtime)
        made = translate(contribution_of(preset), source, target, model=model)
        require_something(preset.name, made, target.engine.name)
        translations[preset.slug] = made
        notes += [f"preset {preset.slug}: {sentence}" for sentence in made.left_out]
        for rule in preset.rules:
            text = _translated_rule(rule, source, target)
            if text is None:
                notes.append(
                    f"preset {preset.slug}: its rule {rule.message!r} is not checked: it speaks of what "
                    f"{target.engine.name} does not have"
                )
            else:
                rules.append({"layer": LAYER + preset.slug, **text})
    contributions = [Contribution(slug, made.parameters, made.config) for slug, made in translations.items()]
    merged = merge_by(contributions, chosen.rules, identify=target.identify)
    notes += [
        *(_told(conflict) for conflict in merged.conflicts if not conflict.rule.endswith(ALL_VALUES)),
        *merged.warnings,
    ]
    return PresetLayers(chosen, merged, translations, tuple(_layers(merged)), tuple(rules), tuple(notes))


def records(found: PresetLayers, origins: Mapping[str, str], target: Dialect) -> list[dict[str, Any]]:
    """The presets as ``assembled.layers`` has them. ``origins``: the layer of each key path of the whole document; what
    a stronger layer has replaced was not given.
    """
    made: list[dict[str, Any]] = []
    for preset in found.chosen.presets:
        gives: dict[str, Any] = {}
        for key, presets in found.merged.sources.items():
            if preset.slug in presets and origins.get(place(key)) == _name(presets):
                gives[target.planned(key)] = _planned_values(key, _own_values(found, preset.slug, key, target))
        made.append({"name": LAYER + preset.slug, "number": preset.id, "revision": preset.revision, "gives": gives})
    return made


def replaced(found: PresetLayers, origins: Mapping[str, str]) -> list[str]:
    """One sentence for each key of presets that a stronger layer decides."""
    return [
        f"{place(key)} of {_name(presets)} is not used: a stronger layer decides it"
        for key, presets in found.merged.sources.items()
        if origins.get(place(key)) != _name(presets)
    ]


# ---- parts


def _layers(merged: Merged) -> list[Layer]:
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for key, presets in merged.sources.items():
        block, name = key
        value = merged.parameters[name] if block == PARAMETERS else merged.config[block][name]
        plain = list(value) if isinstance(value, tuple) else value
        by_name.setdefault(_name(presets), {}).setdefault(block, {})[name] = plain
    return [Layer(name, data) for name, data in by_name.items()]


def _told(conflict: Conflict) -> str:
    said = ", ".join(f"{preset} {canonical_json(value)}" for preset, value in conflict.values.items())
    result = "nothing" if conflict.result is None else canonical_json(conflict.result)
    return f"presets on {conflict.parameter}: {said}; it becomes {result} ({conflict.rule})"


def _name(presets: Sequence[str]) -> str:
    return LAYER + "+".join(presets)


def _planned_values(key: Place, values: Any) -> Any:
    """As experiments have them: the words of other tools become those of quant_config."""
    block, name = key
    if block != "quantization_config" or name not in ADAPTED:
        return values
    return dump_spec(in_other_words(parse_spec(values), ADAPTED[name][1]))


def _own_values(found: PresetLayers, slug: str, key: Place, target: Dialect) -> Any:
    """What a preset itself said of a key of the result: of a list those of its values that came into it."""
    made = found.translations[slug]
    said: list[Any] = [
        value for name, value in made.parameters.items() if target.identify((PARAMETERS, name)) == target.identify(key)
    ]
    said += [
        value
        for block, keys in made.config.items()
        for name, value in keys.items()
        if target.identify((block, name)) == target.identify(key)
    ]
    block, name = key
    result = found.merged.parameters[name] if block == PARAMETERS else found.merged.config[block][name]
    own = said[0]
    if not isinstance(own, list | tuple):
        return own
    among = list(result) if isinstance(result, list | tuple) else [result]
    return [value for value in own if any(same_value(value, one) for one in among)]


def _translated_rule(rule: PresetRule, source: Dialect | None, target: Dialect) -> dict[str, Any] | None:
    """A rule in names that the engine knows; None where it has none for something of which the rule speaks."""
    made: dict[str, Any] = {"message": rule.message}
    for part, text in (("when", rule.when), ("require", rule.require)):
        if text is None:
            continue
        names: dict[str, str] = {}
        for name in parse_comparison(text).names:
            new = _known_name(name, source, target)
            if new is None:
                return None
            names[name] = new
        made[part] = renamed(text, names)
    return made


def _known_name(name: str, source: Dialect | None, target: Dialect) -> str | None:
    if name in FACTS or parameter_of(name, target.engine.catalogue, target.neutral) is not None:
        return name
    key = None if source is None else source.key((PARAMETERS, name))
    found = None if key is None or target.neutral.known(key) is None else key.rpartition("__")[2]
    return found if found and target.neutral.named(found) == key else None

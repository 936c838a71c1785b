"""What a value in a layer decides on an engine, so that a stronger layer wins under whatever name it says it."""

from __future__ import annotations

from autotuner.config.layers import Claim, Claims, Path, plain_claims
from autotuner.config.structured import ADAPTED, GROUPS, NEUTRAL_NAMES, PRESETS_FIELD, UNSEARCHED, adapters_of
from autotuner.contracts.engine import Catalogue
from autotuner.contracts.neutral import PRESET, Block, split_key
from autotuner.planning.neutral import Neutral


def engine_claims(neutral: Neutral, catalogue: Catalogue) -> Claims:
    """Claims for ``config.layers.assemble``, by the engine's names of its parameters and of neutral settings."""

    def claims(path: Path, value: object) -> Claim | None:
        match path:
            case ("parameters", spelling):
                known = catalogue.find(spelling)
                if known is not None:
                    return Claim(known.name, frozenset(k for k in neutral.keys(known.name) if not _joint(k, neutral)))
                key = neutral.named(spelling)
                if key is not None:
                    return _of_parameter(key, neutral)
            case (place, field) if place in GROUPS and (block := neutral.block(GROUPS[place])) is not None:
                if field == PRESETS_FIELD:
                    return _of_presets(block, neutral)
                if neutral.known(block.key(NEUTRAL_NAMES.get(field, field))) is not None:
                    return _of_field(block, NEUTRAL_NAMES.get(field, field), neutral)
            case ("quantization_config", field) if field in ADAPTED and (block := neutral.block("quant")) is not None:
                adapted = _of_field(block, ADAPTED[field][0], neutral)
                return Claim(".".join(path), adapted.beats | {adapted.setting})
        return plain_claims(path, value)

    return claims


IN_PARAMETERS = "parameters."
"""Stands before the name of a joint setting that ``parameters`` gives: there it may differ from the block's."""


def _joint(key: str, neutral: Neutral) -> bool:
    found = split_key(key)
    block = neutral.block(found[0]) if found else None
    return block is not None and block.joint


def _of_parameter(key: str, neutral: Neutral) -> Claim:
    """A neutral name among ``parameters``."""
    direct = neutral.direct(key)
    if direct is not None:
        return Claim(direct.name, frozenset({key}))
    if _joint(key, neutral):
        return Claim(IN_PARAMETERS + key, neutral.writes(key) | {key})
    return Claim(key, neutral.writes(key))


def _of_field(block: Block, name: str, neutral: Neutral) -> Claim:
    """A field of a structured block."""
    key = block.key(name)
    direct = neutral.direct(key)
    beats = {key, *neutral.writes(key)}
    if block.joint:
        beats |= {IN_PARAMETERS + key, *(f"quantization_config.{field}" for field in adapters_of(name))}
        beats |= {block.key(PRESET)} if name not in UNSEARCHED else set()
    return Claim(direct.name if direct is not None else key, frozenset(beats))


def _of_presets(block: Block, neutral: Neutral) -> Claim:
    """Presets say something of every field of their block."""
    names = [one.name for one in block.fields if one.name not in UNSEARCHED]
    beats = {setting for name in names for setting in _of_field(block, name, neutral).beats}
    return Claim(block.key(PRESET), frozenset(beats))

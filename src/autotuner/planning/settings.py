"""The document's structured blocks as parameters: the engine's own where a field is one, else neutral settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotuner.config.document import TaskDocument
from autotuner.config.parameters import Choices, ParameterSpec, dump_spec, same_value
from autotuner.config.problems import nearest
from autotuner.config.structured import Setting, presets, settings
from autotuner.contracts.engine import Catalogue, PlanContext
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.neutral import PRESET, Block
from autotuner.contracts.values import canonical_json
from autotuner.planning.neutral import AUTO, Neutral
from autotuner.planning.parameters import Given
from autotuner.planning.values import check_values, standing_for


@dataclass(frozen=True)
class Structured:
    """What the blocks give beside ``parameters``."""

    given: Mapping[str, Given]
    """By the engine's canonical name, or by the neutral one."""
    notes: tuple[str, ...]
    """Whole sentences for the plan."""


def read_settings(
    document: TaskDocument,
    parameters: Mapping[str, Given],
    neutral: Neutral,
    catalogue: Catalogue,
    contexts: Sequence[PlanContext],
) -> Structured:
    """The settings of the document's blocks.

    ``parameters``: what ``parameters`` gives; it beats what parallel_config and quant_config derive, with a note, and
    must not contradict the other blocks. ``contexts``: one per model. AutotunerError: INVALID_VALUE, UNKNOWN_NAME,
    UNSUPPORTED, CONTRADICTION.
    """
    found: dict[str, Given] = {}
    notes: list[str] = []
    for setting in settings(document):
        block, key = _field(setting, neutral, catalogue)
        known = neutral.known(key)
        if known is None or key in found:
            continue
        check_values(known, setting.spec, setting.place)
        _check_possible(setting, key, neutral, catalogue, contexts)
        direct = neutral.direct(key)
        made = Given(key, setting.place, known, setting.spec, setting.place)
        if direct is not None:
            check_values(direct, setting.spec, setting.place)
            made = Given(direct.name, setting.place, direct, setting.spec, setting.place)
        if not block.joint:
            if not _same(made, parameters):
                _check_free(made, parameters, {made.name} if direct is not None else neutral.sets(key))
                found[made.name] = made
            continue
        notes += _beaten(made, parameters, neutral.sets(key))
        if key in parameters:
            continue
        found[key] = made
    for prefix, names in presets(document).items():
        block, made = _presets(prefix, names, neutral, catalogue)
        _check_agree(block, names, made, found)
        named = {block.key(name) for preset in names for name in block.presets[preset].fields}
        notes += _beaten(made, parameters, neutral.sets(made.name) | named)
        found[made.name] = made
    return Structured(found, tuple(dict.fromkeys(notes)))


def _field(setting: Setting, neutral: Neutral, catalogue: Catalogue) -> tuple[Block, str]:
    block = neutral.block(setting.group)
    if block is None or neutral.known(block.key(setting.name)) is None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"{catalogue.engine} has no setting for {setting.place}",
            why="its parameters do not say how it would be written",
            remedy="Leave it out, or set the engine's own flag under parameters",
            place=setting.place,
        )
    return block, block.key(setting.name)


def _check_possible(
    setting: Setting, key: str, neutral: Neutral, catalogue: Catalogue, contexts: Sequence[PlanContext]
) -> None:
    """AutotunerError(UNSUPPORTED) for a value that the engine cannot express for any of the models."""
    known = neutral.known(key)
    if known is None:
        return
    for value in standing_for(known, setting.spec):
        why = [neutral.refusal(key, value, context) for context in contexts]
        if why and all(why):
            raise AutotunerError(
                ErrorCode.UNSUPPORTED,
                f"{catalogue.engine} cannot do {setting.place} {canonical_json(value)}",
                why=why[0] or "",
                remedy="Leave this value out",
                place=setting.place,
            )


def _same(made: Given, parameters: Mapping[str, Given]) -> bool:
    other = parameters.get(made.name)
    return other is not None and dump_spec(other.spec) == dump_spec(made.spec)


def _check_free(made: Given, parameters: Mapping[str, Given], decided: frozenset[str] | set[str]) -> None:
    for name in sorted({made.name, *decided} & parameters.keys()):
        other = parameters[name]
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            f"{other.place} and {made.place} both decide {name}",
            why=f"{_text(other.spec)} and {_text(made.spec)} in one document",
            remedy="Keep one of them",
            place=made.place,
        )


def _beaten(made: Given, parameters: Mapping[str, Given], decided: frozenset[str]) -> list[str]:
    return [
        f"{parameters[name].place} ({_text(parameters[name].spec)}) beats what {made.place} makes of it"
        for name in sorted({made.name, *decided} & parameters.keys())
    ]


def _presets(prefix: str, names: Sequence[str], neutral: Neutral, catalogue: Catalogue) -> tuple[Block, Given]:
    """The presets as one parameter."""
    block = neutral.block(prefix)
    key = "" if block is None else block.key(PRESET)
    known = neutral.known(key)
    place = f"{prefix}_config.presets" if block is None else f"{block.place}.presets"
    if block is None or known is None:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"{catalogue.engine} has no presets of {prefix}_config",
            why="there is no table of them for this engine",
            remedy="Set the fields themselves",
            place=place,
        )
    for name in names:
        if name not in block.presets:
            near = nearest(name, block.presets)
            raise AutotunerError(
                ErrorCode.UNKNOWN_NAME,
                f"{catalogue.engine} has no preset {name!r} of {block.place}",
                why=f"there is {', '.join(block.presets)}",
                remedy=f"Did you mean {near!r}?" if near else "Use one of these names",
                place=place,
            )
    return block, Given(key, place, known, Choices(values=tuple(names)), place)


def _check_agree(block: Block, names: Sequence[str], made: Given, found: Mapping[str, Given]) -> None:
    """AutotunerError(CONTRADICTION) when a field of the block is given with a value that a preset beside it has not.

    Fields that no preset names, or for which it says ``auto``, hold for all of them.
    """
    for name in names:
        for field, value in block.presets[name].fields.items():
            given = found.get(block.key(field))
            if given is None or given.known is None or value == AUTO:
                continue
            if not all(same_value(value, other) for other in standing_for(given.known, given.spec)):
                raise AutotunerError(
                    ErrorCode.CONTRADICTION,
                    f"{made.place} and {given.place} both decide {field}",
                    why=f"the preset {name!r} has {canonical_json(value)}, and the field {_text(given.spec)}",
                    remedy="Leave one of them out; lists of the fields alone can name the same and more",
                    place=given.place,
                )


def _text(spec: ParameterSpec) -> str:
    return canonical_json(dump_spec(spec))

"""What is said when something cannot be done with a preset. The sentences are part of the interface."""

from __future__ import annotations

from collections.abc import Sequence

from autotuner.config.problems import nearest
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import Preset

NOT_FOUND = "Preset not found"
CANNOT_DELETE_SYSTEM = "Cannot delete system preset"
CANNOT_EDIT_SYSTEM = "Cannot edit system preset"
DUPLICATE_NAME = "There is already a preset of that name"


def not_found(asked: str | int, known: Sequence[Preset] = (), *, place: str = "preset") -> AutotunerError:
    """The error for a preset that does not exist."""
    names = [preset.slug for preset in known]
    near = nearest(str(asked), names)
    return AutotunerError(
        ErrorCode.NOT_FOUND,
        NOT_FOUND,
        why=f"there is none with the name, slug or number {str(asked)!r:.80}",
        remedy=f"Did you mean {near!r}?" if near else "`autotuner preset list` shows all",
        place=place,
    )


def system_preset(sentence: str, preset: Preset) -> AutotunerError:
    """The error for a change of a preset that comes with the program."""
    return AutotunerError(
        ErrorCode.FORBIDDEN,
        sentence,
        why=f"{preset.name} comes with the program and stays as it is",
        remedy=f"Duplicate it and change the copy: `autotuner preset duplicate {preset.slug}`",
        place=preset.slug,
    )


def duplicate_name(name: str) -> AutotunerError:
    """The error for a name that another preset has."""
    return AutotunerError(
        ErrorCode.CONFLICT,
        DUPLICATE_NAME,
        why=f"names are unique, and {name!r:.80} is taken",
        remedy="Choose another name; an import can rename or replace (on_conflict)",
        place="name",
    )


def changed_meanwhile(preset: Preset, expected: int) -> AutotunerError:
    """The error for a change of a revision that is not the newest any more."""
    return AutotunerError(
        ErrorCode.CONFLICT,
        f"the preset {preset.slug!r} has changed meanwhile",
        why=f"revision {expected} was changed, and the newest is {preset.revision}",
        remedy="Look at it again and repeat the change",
        place=preset.slug,
    )

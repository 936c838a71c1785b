"""What all blocks of the document have in common."""

from __future__ import annotations

from typing import ClassVar, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from autotuner.contracts.values import Frozen


class Block(Frozen):
    """A block: frozen, no unknown keys, strict types (``"8"`` is not 8); a known key with null counts as not given."""

    model_config = ConfigDict(strict=True, validate_default=False, allow_inf_nan=False)

    later: ClassVar[frozenset[str]] = frozenset()
    """Keys of the full document that this version does not have."""
    other_keys: ClassVar[frozenset[str]] = frozenset()
    """Accepted keys that are not fields."""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        # Strict types would refuse a list for a tuple, which is all that a file can give.
        return {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in given.items()
            if value is not None or key not in cls.model_fields
        }

    @classmethod
    def known_keys(cls) -> list[str]:
        """Every key that the block accepts."""
        return [*cls.model_fields, *sorted(cls.other_keys)]


def block_of(annotation: object) -> type[Block] | None:
    """The block type inside an annotation such as ``Slo`` or ``Simulation | None``; None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if issubclass(annotation, Block) else None
    for part in get_args(annotation):
        if found := block_of(part):
            return found
    return None

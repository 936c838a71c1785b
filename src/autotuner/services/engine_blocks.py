"""What an engine's structured blocks take: fields, the values that are allowed, and named presets."""

from __future__ import annotations

from pydantic import Field

from autotuner.contracts.engine import CatalogueParameter
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen, Scalar
from autotuner.engines.registry import ENGINES, engine


class BlockPreset(Frozen):
    """A named group of values."""

    name: str = Field(description="as in the block's presets")
    fields: dict[str, Scalar] = Field(description="field → value; fields that are not here keep their default")
    excluded: str = Field(description="why no server is started with it; empty: it may be")
    default: bool = Field(description="whether it changes nothing")


class EngineBlock(Frozen):
    """A structured block of a task document, as an engine takes it."""

    place: str = Field(description="key of the document, such as parallel_config")
    fields: tuple[CatalogueParameter, ...] = Field(description="fields with the values that are allowed")
    presets: tuple[BlockPreset, ...] = Field(description="named groups of values; empty: it has none")


class EngineBlocks(Frozen):
    """The structured blocks that an engine knows."""

    engine: str = Field(description="name of the engine")
    blocks: tuple[EngineBlock, ...] = Field(description="blocks; those that are not here it cannot be asked for")


def engine_blocks(name: str) -> EngineBlocks:
    """The blocks of an engine. AutotunerError(NOT_FOUND) for one that there is not."""
    try:
        found = engine(ENGINES.resolve(name))
    except AutotunerError as error:
        if error.code is not ErrorCode.UNKNOWN_NAME:
            raise
        raise AutotunerError(
            ErrorCode.NOT_FOUND, error.what, why=error.why, remedy=error.remedy, place=error.place
        ) from error
    return EngineBlocks(
        engine=found.name,
        blocks=tuple(
            EngineBlock(
                place=block.place,
                fields=block.fields,
                presets=tuple(
                    BlockPreset(
                        name=preset,
                        fields=dict(values.fields),
                        excluded=values.excluded,
                        default=preset == block.default_preset,
                    )
                    for preset, values in block.presets.items()
                ),
            )
            for block in found.neutral.blocks
        ),
    )

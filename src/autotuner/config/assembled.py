"""What a document was put together from: the record that stays with it when its layers change later.

``profiles`` and ``presets`` ask for layers. Whoever carries that out takes the request away, writes the values into the
document, and leaves this block behind: which layer gave what, in which revision. The planner reads it for the origin of
each value and for the rules of presets; nothing is merged again.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from autotuner.config.block import Block
from autotuner.config.comparison import parse_comparison
from autotuner.config.parameters import Spec
from autotuner.config.problems import refuse
from autotuner.contracts.errors import AutotunerError

Text = Annotated[str, Field(min_length=1)]


def _comparison(text: str) -> str:
    try:
        parse_comparison(text)
    except AutotunerError as error:
        raise refuse(f"{error.what}: {error.why}", error.remedy, error.code) from None
    return text


class AppliedLayer(Block):
    """A layer that the document was assembled from."""

    name: Text = Field(description="kind and name of the layer, such as preset:high-throughput")
    number: int | None = Field(None, ge=1, description="number of the stored preset")
    revision: int | None = Field(None, ge=1, description="number of its revision at that time")
    gives: dict[str, Spec] = Field(
        default_factory=dict, description="values that it gave, by the planner's name of the parameter"
    )


class AppliedRule(Block):
    """A rule of a preset: configurations that break it are left out."""

    layer: Text = Field(description="layer that it belongs to")
    when: Annotated[str, AfterValidator(_comparison)] | None = Field(
        None, description="comparison that makes it apply; default: always; such as tp-size >= 4"
    )
    require: Annotated[str, AfterValidator(_comparison)] = Field(
        description="comparison that must hold, such as mem-fraction-static <= 0.85"
    )
    message: Text = Field(description="sentence for people when it does not hold")


class Assembled(Block):
    """What the document was put together from; written by the program."""

    layers: tuple[AppliedLayer, ...] = Field((), description="layers in the order in which they were merged")
    origins: dict[str, str] = Field(
        default_factory=dict,
        description="key path of a value that is not the document's own, and the layer that gave it",
        examples=[{"parameters.tp": "preset:high-throughput"}],
    )
    rules: tuple[AppliedRule, ...] = Field((), description="rules of presets")
    notes: tuple[str, ...] = Field((), description="what was left out of the layers and why, for the plan")

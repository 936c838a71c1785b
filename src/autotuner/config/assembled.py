"""What a document was put together from: the record that stays with it when its layers change later.

``profiles`` and the like ask for layers. Whoever carries that out takes the request away, writes the values into the
document, and leaves this block behind: which layer gave what. The planner reads it for the origin of each value;
nothing is merged again.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from autotuner.config.block import Block
from autotuner.config.parameters import Spec

Text = Annotated[str, Field(min_length=1)]


class AppliedLayer(Block):
    """A layer that the document was assembled from."""

    name: Text = Field(description="kind and name of the layer, such as preset:high-throughput")
    number: int | None = Field(None, ge=1, description="number of the stored preset")
    revision: int | None = Field(None, ge=1, description="number of its revision at that time")
    gives: dict[str, Spec] = Field(
        default_factory=dict, description="values that it gave, by the planner's name of the parameter"
    )


class Assembled(Block):
    """What the document was put together from; written by the program."""

    layers: tuple[AppliedLayer, ...] = Field((), description="layers in the order in which they were merged")
    origins: dict[str, str] = Field(
        default_factory=dict,
        description="key path of a value that is not the document's own, and the layer that gave it",
        examples=[{"parameters.tp": "preset:high-throughput"}],
    )
    notes: tuple[str, ...] = Field((), description="what was left out of the layers and why, for the plan")

"""A profile as a YAML file.

    name: team-chat
    description: chat on two GPUs
    tags: [chat]
    layers:
      - name: team-chat-params
        when: {deployment_mode: local, total_gpus: {at_least: 2}}
        data:
          optimization: {objective: minimize_latency}
          parameters: {tp-size: [1, 2]}

``data`` may stand in place of ``layers``; it is then the one layer ``<name>-params``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, JsonValue, ValidationError

from autotuner.config.block import Block
from autotuner.config.layers import Layer, LayerContext
from autotuner.config.load import problems_of, read_mapping
from autotuner.config.problems import DocumentError, Problem, nearest
from autotuner.contracts.errors import ErrorCode
from autotuner.profiles.profile import ProfileMetadata

Name = Annotated[str, Field(min_length=1)]


class Bounds(Block):
    """A range of whole numbers."""

    at_least: int | None = Field(None, ge=0, description="least number")
    at_most: int | None = Field(None, ge=0, description="greatest number")

    def hold(self, value: int) -> bool:
        """Whether a number is in the range."""
        return (self.at_least or 0) <= value and (self.at_most is None or value <= self.at_most)


class Condition(Block):
    """When a layer counts: everything that it names must hold. What is not known holds nothing."""

    base_runtime: Name | tuple[Name, ...] | None = Field(None, description="engine, or one of several")
    deployment_mode: Name | tuple[Name, ...] | None = Field(None, description="how the server runs")
    gpu_type: Name | tuple[Name, ...] | None = Field(None, description="kind of GPU")
    total_gpus: Annotated[int, Field(ge=0)] | Bounds | None = Field(None, description="number of GPUs")

    def holds(self, context: LayerContext) -> bool:
        """Whether a layer with this condition counts for a task."""
        for name in ("base_runtime", "deployment_mode", "gpu_type"):
            wanted = getattr(self, name)
            allowed = (wanted,) if isinstance(wanted, str) else wanted
            if allowed is not None and getattr(context, name) not in allowed:
                return False
        if self.total_gpus is None:
            return True
        if context.total_gpus is None:
            return False
        if isinstance(self.total_gpus, Bounds):
            return self.total_gpus.hold(context.total_gpus)
        return self.total_gpus == context.total_gpus


class LayerBlock(Block):
    """One layer of a profile's file."""

    name: Name = Field(description="unique in the profile")
    when: Condition | None = Field(None, description="when it counts; default: always")
    data: dict[str, JsonValue] = Field(description="keys of a task document")


class ProfileBlock(Block):
    """The file as a whole."""

    name: Name = Field(description="unique name of the profile")
    description: str = Field("", description="what it does, in a few words")
    use_case: str = Field("", description="when to take it")
    tags: tuple[Name, ...] = Field((), description="words to find it by")
    recommended_for: tuple[Name, ...] = Field((), description="situations that it suits")
    layers: tuple[LayerBlock, ...] | None = Field(None, description="its layers, the weakest first")
    data: dict[str, JsonValue] | None = Field(None, description="keys of a task document, as its only layer")


@dataclass(frozen=True)
class FileProfile:
    """What a file holds, to be registered."""

    name: str
    layers: tuple[Layer, ...]
    metadata: ProfileMetadata


def read_profile(text: str, *, name: str) -> FileProfile:
    """The profile of a YAML or JSON text; ``name`` (of the file) stands for it in errors.

    DocumentError with every unknown key and wrong value of the file itself. The keys of its layers are looked at when
    it is registered.
    """
    data = read_mapping(text, name=name)
    try:
        block = ProfileBlock.model_validate(data)
    except ValidationError as error:
        raise DocumentError(name, problems_of(error, data, unknown=_unknown)) from None
    if (block.layers is None) == (block.data is None):
        why = "it has neither layers nor data" if block.layers is None else "layers and data are both given"
        raise DocumentError(name, [Problem(ErrorCode.INVALID_VALUE, "layers", why, "Give one of the two")])
    layers = block.layers or (LayerBlock(name=f"{block.name}-params", data=block.data or {}),)
    metadata = ProfileMetadata(
        description=block.description, use_case=block.use_case, tags=block.tags, recommended_for=block.recommended_for
    )
    return FileProfile(block.name, tuple(Layer(one.name, one.data, _when(one)) for one in layers), metadata)


def _when(layer: LayerBlock) -> Callable[[LayerContext], bool] | None:
    return None if layer.when is None else layer.when.holds


_BLOCKS: Mapping[str, type[Block]] = {"layers": LayerBlock, "when": Condition, "total_gpus": Bounds}


def _unknown(path: list[str]) -> Problem:
    """What to say of a key that the file's format does not have."""
    above = [part for part in path[:-1] if not part.isdigit()]
    known = list((_BLOCKS.get(above[-1], ProfileBlock) if above else ProfileBlock).model_fields)
    meant = nearest(path[-1], known)
    remedy = f"Did you mean {meant}? If not, leave it out" if meant else f"Use one of {', '.join(known)}"
    return Problem(ErrorCode.UNKNOWN_KEY, ".".join(path), f"{path[-1]!r:.80} is not a key of a profile", remedy)

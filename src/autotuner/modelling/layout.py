"""How a model is spread over GPUs, and which layouts its shape forbids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from autotuner.contracts.values import Frozen
from autotuner.modelling.facts import ModelFacts

FP8_BLOCK = 128
"""Rows and columns that share a scale in block-scaled checkpoints; a part of an expert must hold whole blocks."""


class Layout(Frozen):
    """Sizes of the parallel groups of one server."""

    tp: int = Field(1, ge=1, description="tensor parallel: GPUs that share each attention layer")
    pp: int = Field(1, ge=1, description="pipeline parallel: stages of layers")
    dp: int = Field(1, ge=1, description="data parallel: groups that serve different requests")
    cp: int = Field(1, ge=1, description="context parallel: GPUs that share a prompt; they do not save memory here")
    dcp: int = Field(
        1, ge=1, description="decode context parallel: GPUs of a tp group that share the KV cache of tokens"
    )
    moe_ep: int = Field(1, ge=1, description="groups of whole experts")
    moe_tp: int | None = Field(None, ge=1, description="GPUs that share each expert; None: what moe_ep leaves")
    experts_over_dp: bool = Field(
        True, description="data-parallel groups share the experts of a mixture; false: each has all of them"
    )

    experts_over_cp: bool = Field(
        False, description="so do the GPUs that share a prompt; false: each of them has what the tp group has"
    )

    @model_validator(mode="after")
    def _expert_width(self) -> Layout:
        if self.moe_tp is not None and self.moe_tp * self.moe_ep != self.expert_width:
            raise ValueError(f"moe_tp × moe_ep must be {self.expert_width}, the GPUs that share the experts")
        return self

    @property
    def gpus(self) -> int:
        """GPUs of the whole server; dcp adds none."""
        return self.tp * self.pp * self.dp * self.cp

    @property
    def expert_width(self) -> int:
        """GPUs that hold the experts of a layer together."""
        return self.tp * (self.dp if self.experts_over_dp else 1) * (self.cp if self.experts_over_cp else 1)

    @property
    def expert_tp(self) -> int:
        """GPUs that share each expert."""
        return self.moe_tp if self.moe_tp is not None else max(1, self.expert_width // self.moe_ep)

    def label(self, *, experts: bool) -> str:
        """``TP 4 · PP 2``, with the parts that are more than 1; ``experts``: the expert groups too."""
        named = [("TP", self.tp), ("PP", self.pp), ("DP", self.dp), ("CP", self.cp), ("DCP", self.dcp)]
        if experts:
            named.append(("EP", self.moe_ep))
        return " · ".join(f"{name} {size}" for name, size in named if size > 1) or "single GPU"

    def stages(self, layers: int) -> list[range]:
        """Layers of each pipeline stage. What does not divide goes to the later stages but the last.

        The last stage has the output head, so engines give it no more than its share.
        """
        share, extra = divmod(layers, self.pp)
        sizes = [share] * self.pp
        for step in range(extra):
            sizes[-(step + 2) % self.pp] += 1
        starts = [sum(sizes[:stage]) for stage in range(self.pp)]
        return [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]


class Remark(Frozen):
    """What the shape of a model says of a layout."""

    kind: Literal["error", "note"] = Field(description="error: the server would refuse it")
    name: str = Field(description="stable name of the rule")
    sentence: str = Field(description="for people")


def check_layout(facts: ModelFacts, layout: Layout) -> tuple[Remark, ...]:
    """Rules that follow from the model alone, errors first. What engines add (dp and tp, nodes) is theirs to say."""
    return tuple(sorted(_remarks(facts, layout), key=lambda remark: remark.kind))


def check_context(facts: ModelFacts, context: int) -> Remark | None:
    """Whether the model can have a context of that many tokens."""
    if facts.max_positions is None or context <= facts.max_positions:
        return None
    return Remark(
        kind="error",
        name="context",
        sentence=f"a context of {context} tokens is more than the {facts.max_positions} that {facts.name} was made for",
    )


def _remarks(facts: ModelFacts, layout: Layout) -> Iterable[Remark]:
    if facts.heads % layout.tp:
        yield _error(
            "heads",
            f"{facts.heads} attention heads cannot be shared evenly by tp {layout.tp}; "
            f"tp may be {_listed(_divisors(facts.heads))}",
        )
    elif facts.latent is None:
        yield from _kv_heads(facts, layout)
    if layout.pp > facts.layers:
        yield _error("layers", f"pp {layout.pp} needs at least {layout.pp} layers, and {facts.name} has {facts.layers}")
    if facts.experts is None:
        if layout.moe_ep > 1:
            yield _error("experts", f"expert parallelism needs a model with experts, and {facts.name} has none")
        return
    if facts.experts.count % layout.moe_ep:
        yield _error(
            "experts",
            f"{facts.experts.count} experts cannot be shared evenly by ep {layout.moe_ep}; "
            f"ep may be {_listed(_divisors(facts.experts.count))}",
        )
    if layout.expert_width % layout.moe_ep:
        yield _error(
            "expert groups", f"ep {layout.moe_ep} does not divide the {layout.expert_width} GPUs that share the experts"
        )
        return
    width, blocks = facts.experts.intermediate_size, _has_blocks(facts)
    if width % layout.expert_tp:
        yield _error(
            "expert width", f"the inner width {width} of an expert cannot be shared evenly by {layout.expert_tp} GPUs"
        )
    elif blocks and (width // layout.expert_tp) % FP8_BLOCK:
        yield _error(
            "expert blocks",
            f"{layout.expert_tp} GPUs would share the inner width {width} of an expert in parts that are not whole "
            f"blocks of {FP8_BLOCK}, which the scales of this checkpoint need; use expert parallelism",
        )


def _kv_heads(facts: ModelFacts, layout: Layout) -> Iterable[Remark]:
    more, fewer = max(facts.kv_heads, layout.tp), min(facts.kv_heads, layout.tp)
    if more % fewer:
        yield _error(
            "kv heads", f"{facts.kv_heads} heads of keys and values fit neither into nor over tp {layout.tp} evenly"
        )
    elif layout.tp > facts.kv_heads:
        copies = layout.tp // facts.kv_heads
        yield Remark(
            kind="note",
            name="kv heads",
            sentence=f"tp {layout.tp} is more than the {facts.kv_heads} heads of keys and values, "
            f"so the KV cache is kept {copies} times"
            + (f"; dcp {layout.dcp} shares it again" if layout.dcp > 1 else ""),
        )


def _has_blocks(facts: ModelFacts) -> bool:
    found = facts.quantisation
    return found is not None and found.method == "fp8" and found.scheme == "block"


def _divisors(number: int) -> list[int]:
    return [size for size in (1, 2, 4, 8, 16, 32, 64) if number % size == 0]


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes))


def _error(name: str, sentence: str) -> Remark:
    return Remark(kind="error", name=name, sentence=sentence)

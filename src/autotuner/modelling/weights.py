"""How many weights a model has, how many bytes they take, and how many of them one GPU holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from autotuner.modelling.facts import LINEAR, ModelFacts, Part
from autotuner.modelling.layout import Layout

Split = Literal["tp", "kv heads", "experts", "copies"]
"""What divides a matrix among GPUs: the tp group, the tp group but at most by the heads of keys and values, the GPUs
that share the experts, or nothing (each GPU has a copy)."""

FULL_BITS: Mapping[str, float] = {"float32": 32, "float16": 16, "bfloat16": 16}

QUANTISED_BITS: Mapping[str, float] = {
    "fp8": 8,
    "fp8_block": 8 + 32 / 128**2,  # a 4-byte scale for each block of 128 × 128
    "int8": 8,
    "w4afp8": 4 + 16 / 128,  # a 2-byte scale for each 128 weights
    "mxfp4": 4 + 8 / 32,  # a 1-byte scale for each 32 weights
}
"""Bits per weight of what an engine can make of a checkpoint that is not quantised, scales included."""


@dataclass(frozen=True)
class Tensors:
    """Matrices of one kind."""

    part: Part
    count: int
    """Weights, in the whole model or in one layer."""
    split: Split = "copies"


def first_tensors(facts: ModelFacts) -> tuple[Tensors, ...]:
    """What the first pipeline stage has besides its layers."""
    rows = facts.vocab_size + facts.learned_positions
    found = [Tensors(Part.EMBEDDING, rows * facts.hidden_size, "tp")]
    if facts.vision_parameters:
        found.append(Tensors(Part.VISION, facts.vision_parameters))
    return tuple(found)


def last_tensors(facts: ModelFacts) -> tuple[Tensors, ...]:
    """What the last stage has besides its layers. A tied output head is the embedding."""
    head = Tensors(Part.HEAD, facts.vocab_size * facts.hidden_size, "tp")
    norm = Tensors(Part.NORMS, facts.hidden_size)
    return (norm,) if facts.tied_embeddings else (head, norm)


def layer_tensors(facts: ModelFacts, *, experts: bool) -> tuple[Tensors, ...]:
    """The matrices of one layer, with experts or dense. Biases and head norms (< 0.1 %) are left out."""
    hidden = facts.hidden_size
    found = [*_attention(facts), Tensors(Part.NORMS, 2 * hidden)]
    matrices = 3 if facts.gated_mlp else 2
    if not experts or facts.experts is None:
        return (*found, Tensors(Part.MLP, matrices * hidden * facts.intermediate_size, "tp"))
    of = facts.experts
    found.append(Tensors(Part.ROUTER, hidden * of.count))
    found.append(Tensors(Part.EXPERTS, of.count * matrices * hidden * of.intermediate_size, "experts"))
    if of.shared_size:
        found.append(Tensors(Part.SHARED, matrices * hidden * of.shared_size, "tp"))
    return tuple(found)


def _attention(facts: ModelFacts) -> Iterable[Tensors]:
    hidden, heads = facts.hidden_size, facts.heads
    latent = facts.latent
    if latent is None:
        yield Tensors(Part.ATTENTION, 2 * hidden * heads * facts.head_dim, "tp")  # queries and output
        yield Tensors(Part.ATTENTION, 2 * hidden * facts.kv_heads * facts.head_dim, "kv heads")
        return
    query = heads * (latent.qk_nope_head_dim + latent.qk_rope_head_dim)
    if latent.q_lora_rank is None:
        yield Tensors(Part.ATTENTION, hidden * query, "tp")
    else:
        yield Tensors(Part.ATTENTION, hidden * latent.q_lora_rank)
        yield Tensors(Part.ATTENTION, latent.q_lora_rank * query, "tp")
    yield Tensors(Part.ATTENTION, hidden * (latent.kv_lora_rank + latent.qk_rope_head_dim))
    per_head = latent.qk_nope_head_dim + latent.v_head_dim
    yield Tensors(Part.ATTENTION, latent.kv_lora_rank * heads * per_head, "tp")
    yield Tensors(Part.ATTENTION, heads * latent.v_head_dim * hidden, "tp")


def counted(facts: ModelFacts) -> dict[Part, int]:
    """Weights of the whole model by part."""
    sparse = len(facts.experts.layers) if facts.experts else 0
    totals = dict.fromkeys(Part, 0)
    for tensors, times in (
        (first_tensors(facts), 1),
        (last_tensors(facts), 1),
        (layer_tensors(facts, experts=False), facts.layers - sparse),
        (layer_tensors(facts, experts=True), sparse),
    ):
        for entry in tensors:
            totals[entry.part] += entry.count * times
    return {part: count for part, count in totals.items() if count}


def parameter_count(facts: ModelFacts) -> int:
    """Weights of the whole model."""
    return sum(counted(facts).values())


def active_parameter_count(facts: ModelFacts) -> int:
    """Weights that one token meets: of the experts only those that it uses."""
    parts = counted(facts)
    if facts.experts is None:
        return sum(parts.values())
    unused = parts[Part.EXPERTS] * (facts.experts.count - facts.experts.per_token) // facts.experts.count
    return sum(parts.values()) - unused


def weight_bits(facts: ModelFacts, *, gemm: str = "auto", moe: str = "auto") -> dict[Part, float]:
    """Bits per weight of each part.

    ``gemm``: auto, float32, float16, bfloat16, or a key of ``QUANTISED_BITS``; ``moe``: the same for experts, auto is
    as ``gemm``. A quantised checkpoint keeps its bits, whatever is asked. With auto, engines load float32 as 16 bits.
    Raises ValueError for another name.
    """
    full = FULL_BITS.get(gemm, 16 if facts.dtype == "float32" else FULL_BITS[facts.dtype])
    bits = dict.fromkeys(Part, full)
    stored = facts.quantisation
    if stored is not None:
        return bits | dict.fromkeys(stored.parts, stored.bits)
    for asked, parts in ((gemm, LINEAR), (moe, (Part.EXPERTS,))):
        if asked == "auto":
            continue
        if asked not in FULL_BITS and asked not in QUANTISED_BITS:
            known = ", ".join(["auto", *FULL_BITS, *QUANTISED_BITS])
            raise ValueError(f"{asked!r} is no type of weights; known are {known}")
        bits |= dict.fromkeys(parts, QUANTISED_BITS.get(asked, FULL_BITS.get(asked, full)))
    return bits


def checkpoint_ratio(facts: ModelFacts) -> float | None:
    """Bytes of the weight files through the bytes that the count gives; None where no files are at hand."""
    if facts.checkpoint_bytes is None:
        return None
    bits = weight_bits(facts) | ({} if facts.dtype != "float32" or facts.quantisation else dict.fromkeys(Part, 32.0))
    return facts.checkpoint_bytes * 8 / sum(count * bits[part] for part, count in counted(facts).items())


def stage_weights(facts: ModelFacts, layout: Layout, bits: Mapping[Part, float], stage: int) -> dict[Part, float]:
    """Bytes that one GPU of a pipeline stage holds, by part.

    A family that is not known in detail is scaled to the size of its files where they are at hand.
    """
    layers = layout.stages(facts.layers)[stage]
    sparse = sum(facts.has_experts(layer) for layer in layers)
    groups = [
        (layer_tensors(facts, experts=False), len(layers) - sparse),
        (layer_tensors(facts, experts=True), sparse),
    ]
    last = stage == layout.pp - 1
    if stage == 0:
        groups.append((first_tensors(facts), 1))
    elif last and facts.tied_embeddings:  # its output head is a second copy of the embedding
        groups.append((first_tensors(facts)[:1], 1))
    if last:
        groups.append((last_tensors(facts), 1))
    scale = (checkpoint_ratio(facts) or 1) if facts.estimated else 1
    held = dict.fromkeys(Part, 0.0)
    for tensors, times in groups:
        for entry in tensors:
            share = entry.count / _ways(facts, layout, entry.split)
            held[entry.part] += times * share * bits[entry.part] / 8 * scale
    return {part: size for part, size in held.items() if size}


def _ways(facts: ModelFacts, layout: Layout, split: Split) -> float:
    """Through what a count is divided to give what one GPU holds."""
    match split:
        case "tp":
            return layout.tp
        case "kv heads":
            return facts.kv_heads / kv_heads_per_gpu(facts, layout)
        case "experts":
            return layout.expert_tp * layout.moe_ep
        case "copies":
            return 1


def kv_heads_per_gpu(facts: ModelFacts, layout: Layout) -> int:
    """Heads of keys and values on one GPU: at least one, whatever tp is."""
    return -(-facts.kv_heads // layout.tp)

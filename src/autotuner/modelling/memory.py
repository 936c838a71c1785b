"""What one GPU must hold to serve a model in a layout, and whether it can.

Weights and KV cache follow from the model's shape. Activations are the buffers of one forward pass over the token
budget. What CUDA, communication and graphs take is a constant; so a verdict is only as good as ``MARGIN``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import Field

from autotuner.contracts.values import Frozen
from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.gpus import GIB, GpuType
from autotuner.modelling.layout import Layout
from autotuner.modelling.weights import kv_heads_per_gpu, stage_weights, weight_bits

MARGIN = 0.1
"""What the estimate may be wrong by, as a share of the budget. Only beyond it a start is refused."""

PROCESS_BYTES = GIB
"""CUDA context, loaded kernels and the workspaces of libraries, on each GPU."""

COMMUNICATION_BYTES = GIB // 2
"""Buffers of collective operations, where more than one GPU works on a request."""

GRAPH_BYTES = GIB
"""Captured CUDA graphs."""

ACTIVATION_BYTES = 2
"""Bytes of one value of an activation: 16-bit floats, also with quantised weights."""

HIDDEN_BUFFERS = 4
"""Buffers as wide as the residual stream that live at once: residual, normed input, output of a part, all-reduce."""

LOGIT_BYTES = 2 + 4
"""Bytes of one logit: as computed, and as a 32-bit float for sampling."""

KV_BITS = {
    "float32": 32, "float16": 16, "fp16": 16, "bfloat16": 16, "bf16": 16, "fp8": 8, "fp8_e5m2": 8, "fp8_e4m3": 8,
    "int8": 8, "int4": 4, "nvfp4": 4.5,
}  # fmt: skip
"""Bits of one value in the KV cache by its type."""

Verdict = Literal["fits", "tight", "cannot fit"]


class MemoryPolicy(Frozen):
    """What an engine's memory fraction means."""

    parameter: str = Field(description="the engine's name of it")
    meaning: Literal["of_total", "static", "of_free"] = Field(
        description="of_total: share of the GPU for everything; static: share of it for weights and KV cache, the rest "
        "for activations; of_free: share of what weights and activations leave, for the KV cache"
    )
    fraction: float = Field(gt=0, le=1, description="the engine's own default")


class Load(Frozen):
    """What a server is told to be ready for."""

    context: int = Field(gt=0, description="tokens of the longest sequence, prompt and answer together")
    max_num_seqs: int = Field(256, gt=0, description="sequences computed at once, in each data-parallel group")
    max_num_batched_tokens: int = Field(8192, gt=0, description="tokens of one forward pass, at most")
    memory_fraction: float | None = Field(None, gt=0, le=1, description="None: the engine's default")
    enforce_eager: bool = Field(False, description="no CUDA graphs are captured")


class Precision(Frozen):
    """Types of weights and KV cache; auto leaves them to the checkpoint."""

    gemm: str = Field("auto", description="weights: auto, float16, bfloat16, float32, fp8, fp8_block, int8")
    moe: str = Field("auto", description="weights of experts; auto: as gemm")
    kv: str = Field("auto", description="KV cache: auto, fp16, bfloat16, fp8, fp8_e5m2, fp8_e4m3, int8, int4, nvfp4")


class MemoryParts(Frozen):
    """What one GPU holds, bytes. The sum of the parts is the whole."""

    weights: int = Field(description="weights")
    kv_sequence: int = Field(description="keys and values of one sequence of the longest length")
    activations: int = Field(description="buffers of a forward pass over the token budget, logits among them")
    overhead: int = Field(description="CUDA context, libraries, communication and CUDA graphs")

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_sequence + self.activations + self.overhead


class Fit(Frozen):
    """Whether the fullest GPU of a server can hold its share."""

    verdict: Verdict = Field(description="tight: the estimate cannot tell")
    need: int = Field(description="bytes that count against the budget")
    budget: int = Field(description="bytes that the memory fraction gives")
    parts: MemoryParts = Field(description="what the fullest GPU holds")
    kv_bytes_per_token: int = Field(description="KV cache of one more token on that GPU, before any window is full")
    kv_room: int = Field(description="bytes that are left for the KV cache")
    sequences: int = Field(description="sequences of the longest length that fit into it, in each data-parallel group")
    sentence: str = Field(description="the verdict for people, with its figures")

    @property
    def stops_start(self) -> bool:
        """Whether a start is refused: only when the need is more than the budget by more than the margin."""
        return self.verdict == "cannot fit"


@dataclass(frozen=True)
class KvCache:
    """Bytes of keys and values on one GPU."""

    per_token: float
    """Of a token in layers that look back without end."""
    window_per_token: float
    """Of a token in layers with a window."""
    window: int

    def sequence(self, tokens: int) -> float:
        """Bytes of a sequence of that length: layers with a window keep no more than it."""
        return self.per_token * tokens + self.window_per_token * min(tokens, self.window)


def kv_cache(facts: ModelFacts, layout: Layout, kv: str, stage: int = 0) -> KvCache:
    """The KV cache of a pipeline stage.

    Per layer and token ``2 · kv_heads_per_gpu · head_dim`` values; with latent attention ``kv_lora_rank +
    qk_rope_head_dim``, which tp does not divide. dcp divides both. Raises ValueError for an unknown type.
    """
    if facts.latent is None:
        values: float = 2 * kv_heads_per_gpu(facts, layout) * facts.head_dim
    else:
        values = facts.latent.kv_lora_rank + facts.latent.qk_rope_head_dim
    layer = values * _kv_bits(facts, kv) / 8 / layout.dcp
    # Layers with keys and values, and those with a window, are spread evenly over the stages.
    share = -(-facts.kv_layers * len(layout.stages(facts.layers)[stage]) // facts.layers)
    windowed = min(share, facts.window_layers * share // max(1, facts.kv_layers))
    return KvCache(layer * (share - windowed), layer * windowed, facts.sliding_window or 0)


def activation_bytes(facts: ModelFacts, layout: Layout, load: Load) -> float:
    """Buffers of one forward pass: those of the widest part, and the logits of the sequences that get a token.

    Of the parts of a layer only one is computed at a time. The experts of a mixture get the tokens of all
    data-parallel groups, each token ``per_token`` times, spread evenly over the expert groups.
    """
    return _activations(facts, _widest(facts, layout), load.max_num_seqs, load.max_num_batched_tokens)


def _activations(facts: ModelFacts, widest: float, requests: int, tokens: int) -> float:
    passing = tokens * ACTIVATION_BYTES * (HIDDEN_BUFFERS * facts.hidden_size + widest)
    return passing + min(requests, tokens) * facts.vocab_size * LOGIT_BYTES


def _widest(facts: ModelFacts, layout: Layout) -> float:
    """Values per token of the widest part of a layer."""
    return max(_attention_width(facts, layout), _dense_width(facts, layout), _experts_width(facts, layout))


def _attention_width(facts: ModelFacts, layout: Layout) -> float:
    """Values per token of queries, keys, values and output."""
    if facts.latent is None:
        return (2 * facts.heads + 2 * facts.kv_heads) * facts.head_dim / layout.tp
    # Keys and values are expanded to as many heads as queries have.
    return 4 * facts.heads * (facts.latent.qk_nope_head_dim + facts.latent.qk_rope_head_dim) / layout.tp


def _dense_width(facts: ModelFacts, layout: Layout) -> float:
    """Values per token of a feed-forward part: gate, up, and their product."""
    if facts.experts is not None and len(facts.experts.layers) == facts.layers:
        return 0
    return 3 * facts.intermediate_size / layout.tp


def _experts_width(facts: ModelFacts, layout: Layout) -> float:
    """Values per token of a group's own that its GPU holds for the experts: one row for each use of an expert."""
    of = facts.experts
    if of is None:
        return 0
    groups = layout.dp if layout.experts_over_dp else 1
    inner = of.intermediate_size / layout.expert_tp
    row = max(2 * inner, facts.hidden_size) + inner  # the output of a row takes the place of gate and up
    gathered = groups * facts.hidden_size if groups > 1 else 0
    return groups * of.per_token / layout.moe_ep * row + gathered + 3 * of.shared_size / layout.tp


def process_bytes(layout: Layout) -> int:
    """What a process takes before it loads a model."""
    return PROCESS_BYTES + (0 if layout.gpus == 1 else COMMUNICATION_BYTES)


def fit(
    facts: ModelFacts,
    gpu: GpuType,
    layout: Layout,
    load: Load,
    policy: MemoryPolicy,
    precision: Precision | None = None,
) -> Fit:
    """Whether a server of that layout starts on GPUs of that kind, and how many sequences its KV cache holds.

    See ``Estimator``.
    """
    return Estimator(facts, gpu, layout, policy, precision).fit(load)


class Estimator:
    """Estimates for one model in one layout and precision on one kind of GPU. What no load changes is computed once.

    A start needs the weights, the activations, the overhead and the KV cache of one sequence of ``Load.context``
    tokens on the fullest GPU. More sequences wait; they do not stop a start. A model whose figures are guesses is
    refused only when its files alone are too large. The layout must pass ``check_layout``. Raises ValueError for an
    unknown type of weights or KV cache.
    """

    def __init__(
        self,
        facts: ModelFacts,
        gpu: GpuType,
        layout: Layout,
        policy: MemoryPolicy,
        precision: Precision | None = None,
    ) -> None:
        self._facts = facts
        self._gpu = gpu
        self._policy = policy
        self._capacity = gpu.usable_bytes
        self._process = process_bytes(layout)
        self._widest = _widest(facts, layout)
        self._held = _held_by_stage(facts, layout, precision or Precision())

    def fit(self, load: Load) -> Fit:
        """The estimate with its figures."""
        fraction = self._policy.fraction if load.memory_fraction is None else load.memory_fraction
        stages = self._stages(
            load.context, load.max_num_seqs, load.max_num_batched_tokens, fraction, eager=load.enforce_eager
        )
        fullest = max(stages, key=_ratio)
        sequences = min(stage.sequences(load) for stage in stages)
        verdict = self._verdict(fullest)
        budget = _budget_text(self._policy, fraction, fullest.budget, self._gpu)
        cache = fullest.held.cache
        return Fit(
            verdict=verdict,
            need=fullest.need,
            budget=fullest.budget,
            parts=fullest.parts,
            kv_bytes_per_token=round(cache.per_token + cache.window_per_token),
            kv_room=max(0, fullest.room),
            sequences=sequences,
            sentence=_sentence(verdict, fullest, sequences, load, budget),
        )

    def stops_start(self, context: int, requests: int, tokens: int, fraction: float | None, *, eager: bool) -> bool:
        """Whether ``fit`` says that a start is refused: the same without figures and without a ``Load``, for very many
        of them. ``fraction``: None for the engine's default.
        """
        asked = self._policy.fraction if fraction is None else fraction
        return (
            self._verdict(max(self._stages(context, requests, tokens, asked, eager=eager), key=_ratio)) == "cannot fit"
        )

    def _verdict(self, fullest: _Stage) -> Verdict:
        # Of a guessed family only the size of its files is certain.
        files = self._facts.checkpoint_bytes is not None and fullest.held.weights > (1 + MARGIN) * fullest.budget
        return _verdict(_ratio(fullest), certain=files or not self._facts.estimated)

    def _stages(self, context: int, requests: int, tokens: int, fraction: float, *, eager: bool) -> list[_Stage]:
        activations = round(_activations(self._facts, self._widest, requests, tokens))
        overhead = self._process + (0 if eager else GRAPH_BYTES)
        return [
            _judge(held, context, activations, overhead, self._policy, fraction, self._capacity, process=self._process)
            for held in self._held
        ]


class _Held(NamedTuple):
    """What one GPU of a pipeline stage holds, whatever its load is."""

    weights: int
    cache: KvCache


def _held_by_stage(facts: ModelFacts, layout: Layout, precision: Precision) -> tuple[_Held, ...]:
    bits = weight_bits(facts, gemm=precision.gemm, moe=precision.moe)
    return tuple(
        _Held(
            round(sum(stage_weights(facts, layout, bits, stage).values())),
            kv_cache(facts, layout, precision.kv, stage),
        )
        for stage in range(layout.pp)
    )


class _Stage(NamedTuple):
    """One pipeline stage against the budget; bytes."""

    held: _Held
    kv_sequence: int
    activations: int
    overhead: int
    need: int
    budget: int
    room: int

    @property
    def parts(self) -> MemoryParts:
        return MemoryParts(
            weights=self.held.weights,
            kv_sequence=self.kv_sequence,
            activations=self.activations,
            overhead=self.overhead,
        )

    def sequences(self, load: Load) -> int:
        """Sequences that the room holds; without a KV cache as many as are computed at once."""
        if self.kv_sequence == 0:
            return load.max_num_seqs if self.room >= 0 else 0
        return max(0, self.room // self.kv_sequence)


def _ratio(stage: _Stage) -> float:
    return stage.need / stage.budget


def _judge(
    held: _Held,
    context: int,
    activations: int,
    overhead: int,
    policy: MemoryPolicy,
    fraction: float,
    capacity: int,
    *,
    process: int,
) -> _Stage:
    """Need and budget as the engine's memory fraction means them."""
    without_kv = held.weights + activations + overhead
    kv_sequence = round(held.cache.sequence(context))
    match policy.meaning:
        case "of_total":
            need, budget = without_kv + kv_sequence, int(fraction * capacity)
            room = budget - without_kv
        case "static":
            # The fraction is of what is free before the model is loaded. Activations and graphs have the rest, and
            # what they need beyond it is missing from the fraction.
            free = capacity - process
            budget = int(fraction * free)
            taken = held.weights + max(0, activations + overhead - process - (free - budget))
            need, room = taken + kv_sequence, budget - taken
        case "of_free":
            need, budget = without_kv + int(kv_sequence / fraction), capacity
            room = int(fraction * (capacity - without_kv))
    return _Stage(held, kv_sequence, activations, overhead, need, budget, room)


def _verdict(ratio: float, *, certain: bool) -> Verdict:
    if ratio <= 1 - MARGIN:
        return "fits"
    return "cannot fit" if ratio > 1 + MARGIN and certain else "tight"


def _budget_text(policy: MemoryPolicy, fraction: float, budget: int, gpu: GpuType) -> str:
    named = f"{policy.parameter} {fraction:g}"
    if policy.meaning == "of_free":
        return f"{gib(budget)} of {gpu.label}, with {named} of what is left for the KV cache"
    return f"{gib(budget)} that {named} gives on {gpu.label}"


def _sentence(verdict: Verdict, stage: _Stage, sequences: int, load: Load, budget: str) -> str:
    parts, ratio = stage.parts, _ratio(stage)
    figures = (
        f"{gib(stage.need)} of the {budget} (weights {gib(parts.weights)}, activations "
        f"{gib(parts.activations)}, overhead {gib(parts.overhead)}, one sequence of {load.context} tokens "
        f"{gib(parts.kv_sequence)})"
    )
    held = f"the KV cache holds {sequences} such sequences"
    if sequences < load.max_num_seqs:
        held += f" of max_num_seqs {load.max_num_seqs}; the others wait"
    match verdict:
        case "fits":
            return f"one GPU needs {figures}; {held}"
        case "tight":
            if ratio > 1 + MARGIN:
                return (
                    f"one GPU would need {figures}, but these figures are guesses, so the server may start all the same"
                )
            return f"one GPU needs {figures}, so it is not certain that the server starts; {held}"
        case "cannot fit":
            return (
                f"one GPU would need {figures}, {ratio:.2f} times that; more GPUs must share the model, or the "
                "weights, the context or the token budget must be smaller"
            )


def gib(size: float) -> str:
    """Bytes as ``12.3 GiB``, or as ``45 MiB`` when they are few."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.0f} MiB"


def _kv_bits(facts: ModelFacts, kv: str) -> float:
    if kv == "auto":
        stored = facts.quantisation.kv_dtype if facts.quantisation is not None else None
        return KV_BITS.get(stored or "bfloat16", 16)
    if kv not in KV_BITS:
        raise ValueError(f"{kv!r} is no type of the KV cache; known are {', '.join(['auto', *KV_BITS])}")
    return KV_BITS[kv]

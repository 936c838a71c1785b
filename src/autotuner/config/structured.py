"""Blocks that say what is wanted, whatever the engine: parallelism, precision, memory, scheduling.

Every field takes a value or a list (or range) of values that is searched. Two fields may mean one setting; ``settings``
gives each setting once, by its neutral name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from autotuner.config.block import Block
from autotuner.config.parameters import Choices, Fixed, FloatRange, IntRange, ParameterSpec, Spec, same_value
from autotuner.config.problems import nearest, refuse
from autotuner.contracts.values import Scalar, canonical_json

if TYPE_CHECKING:
    from autotuner.config.document import TaskDocument

GEMM_DTYPES = ("auto", "float16", "bfloat16", "float32", "fp8", "int8")
KVCACHE_DTYPES = ("auto", "fp16", "bfloat16", "fp8", "fp8_e5m2", "fp8_e4m3", "int8", "int4")
ATTENTION_DTYPES = ("auto", "float16", "bfloat16", "fp8", "fp8_e5m2", "fp8_e4m3", "fp8_block")
MOE_DTYPES = ("auto", "float16", "bfloat16", "fp8", "w4afp8", "mxfp4", "int8")


def _values(spec: ParameterSpec) -> tuple[Scalar, ...]:
    """Values that stand for all of a spec."""
    match spec:
        case Fixed():
            return (spec.value,)
        case Choices():
            return spec.values
        case IntRange() | FloatRange():
            return (spec.low, spec.high)


def _numbers(low: float, high: float | None, *, whole: bool) -> AfterValidator:
    wanted = "a whole number" if whole else "a number"
    span = f"{low:g} to {high:g}" if high is not None else f"at least {low:g}"

    def check(spec: ParameterSpec) -> ParameterSpec:
        for value in _values(spec):
            kind = int if whole else (int, float)
            right = value is None or (isinstance(value, kind) and not isinstance(value, bool))
            if not right or (isinstance(value, int | float) and not low <= value <= (high or float("inf"))):
                raise refuse(f"{canonical_json(value)} is not {wanted}, {span}", "Correct the value")
        return spec

    return AfterValidator(check)


def _one_of(*allowed: Scalar) -> AfterValidator:
    def check(spec: ParameterSpec) -> ParameterSpec:
        for value in _values(spec):
            if value is not None and not any(same_value(value, known) for known in allowed):
                meant = nearest(str(value), [str(known) for known in allowed])
                listed = ", ".join(map(str, allowed)) if not isinstance(allowed[0], bool) else "true, false"
                raise refuse(
                    f"{canonical_json(value)} is none of {listed}",
                    f"Did you mean {meant}?" if meant else "Use one of these",
                )
        return spec

    return AfterValidator(check)


def _is_text(spec: ParameterSpec) -> ParameterSpec:
    for value in _values(spec):
        if not isinstance(value, str) or not value:
            raise refuse(f"{canonical_json(value)} is not text", "Write a name")
    return spec


Size = Annotated[Spec, _numbers(1, None, whole=True)]
Share = Annotated[Spec, _numbers(0, 1, whole=False)]
Amount = Annotated[Spec, _numbers(0, None, whole=False)]
Switch = Annotated[Spec, _one_of(False, True)]
Word = Annotated[Spec, AfterValidator(_is_text)]
Presets = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class ParallelConfig(Block):
    """How the model is spread over GPUs."""

    tp: Size | None = Field(None, description="tensor parallel size, GPUs; default 1", examples=[[1, 2, 4]])
    pp: Size | None = Field(None, description="pipeline parallel size, GPUs; default 1", examples=[[1, 2]])
    dp: Size | None = Field(None, description="data parallel size, replicas inside one server; default 1", examples=[2])
    cp: Size | None = Field(None, description="context parallel size of the prefill, GPUs")
    dcp: Size | None = Field(None, description="decode context parallel size: shares the KV cache, adds no GPUs")
    ep: Size | None = Field(None, description="expert parallel size, GPUs", examples=[8])
    moe_ep: Size | None = Field(None, description="the same as ep")
    moe_tp: Size | None = Field(None, description="tensor parallel size of the experts, GPUs")
    moe_cluster: Size | None = Field(None, description="cluster parallel size of the experts, GPUs")
    moe_dense_tp: Size | None = Field(
        None, description="tensor parallel size of the dense layers of an MoE model, GPUs"
    )
    enable_expert_parallel: Switch | None = Field(None, description="whether experts are spread over GPUs as a whole")
    enable_dp_attention: Switch | None = Field(None, description="whether attention is data parallel with size dp")
    strict_dp: bool | None = Field(
        None, description="whether tp must be a multiple of dp where the engine is stricter with it; default true"
    )
    presets: Presets | None = Field(
        None,
        description="named layouts to search; another field of the block must not contradict them",
        examples=[["single-gpu", "balanced"]],
    )


class QuantConfig(Block):
    """Precision of weights, KV cache, attention and experts. auto leaves it to the engine and the checkpoint."""

    gemm_dtype: Annotated[Spec, _one_of(*GEMM_DTYPES)] | None = Field(
        None, description="weights and their products", examples=[["auto", "fp8"]]
    )
    kvcache_dtype: Annotated[Spec, _one_of(*KVCACHE_DTYPES)] | None = Field(
        None, description="KV cache", examples=[["auto", "fp8_e5m2"]]
    )
    attention_dtype: Annotated[Spec, _one_of(*ATTENTION_DTYPES)] | None = Field(None, description="attention")
    moe_dtype: Annotated[Spec, _one_of(*MOE_DTYPES)] | None = Field(None, description="experts of an MoE model")
    presets: Presets | None = Field(
        None,
        description="named precisions to search; another field of the block must not contradict them",
        examples=[["default", "kv-cache-fp8"]],
    )


class QuantizationConfig(Block):
    """The same as quant_config, in the words of other tools."""

    gemm_quant_mode: Annotated[Spec, _one_of("float16", "fp8", "int8", "int4")] | None = Field(
        None, description="gemm_dtype of quant_config; int4 only for a checkpoint that has it"
    )
    kvcache_quant_mode: Annotated[Spec, _one_of("float16", "fp8", "int8")] | None = Field(
        None, description="kvcache_dtype of quant_config"
    )
    fmha_quant_mode: Annotated[Spec, _one_of("float16", "fp8")] | None = Field(
        None, description="attention_dtype of quant_config"
    )
    activation_quant_mode: Annotated[Spec, _one_of("float16", "fp8", "int8", "int4")] | None = Field(
        None, description="must agree with gemm_quant_mode"
    )
    weight_quant_mode: Annotated[Spec, _one_of("float16", "fp8", "int8", "int4")] | None = Field(
        None, description="must agree with gemm_quant_mode"
    )


class MemoryConfig(Block):
    """Memory of one GPU."""

    gpu_memory_utilization: Share | None = Field(
        None, description="share of the memory that the engine may use, 0 to 1; what counts differs between engines"
    )
    mem_fraction_static: Share | None = Field(None, description="the same as gpu_memory_utilization, 0 to 1")
    kv_cache_bytes: Size | None = Field(None, description="size of the KV cache on one GPU, bytes")
    max_model_len: Size | None = Field(None, description="prompt and answer of the longest request, tokens")
    enforce_eager: Switch | None = Field(None, description="whether no CUDA graphs are captured")


class SchedulingConfig(Block):
    """What is computed together."""

    schedule_policy: Word | None = Field(None, description="order of waiting requests", examples=["fcfs"])
    max_num_batched_tokens: Size | None = Field(None, description="tokens of one step, at most")
    max_num_seqs: Size | None = Field(None, description="requests that are answered at once, at most")
    chunked_prefill_enabled: Switch | None = Field(None, description="whether long prompts are split over steps")


class AdvancedTuningConfig(Block):
    """Further settings of the scheduler and the caches."""

    enable_chunked_prefill: Switch | None = Field(None, description="the same as chunked_prefill_enabled")
    max_batch_size: Size | None = Field(None, description="the same as max_num_seqs")
    max_prefill_batch_size: Size | None = Field(None, description="prompts that are computed at once, at most")
    enable_prefix_caching: Switch | None = Field(None, description="whether common beginnings of prompts are kept")
    disable_sliding_window: Switch | None = Field(None, description="whether a model's attention window is not used")
    swap_space: Amount | None = Field(None, description="main memory for KV cache that was swapped out, GB")


NEUTRAL_NAMES: Mapping[str, str] = {
    "moe_ep": "ep",
    "gpu_memory_utilization": "memory_fraction",
    "mem_fraction_static": "memory_fraction",
    "chunked_prefill_enabled": "chunked_prefill",
    "enable_chunked_prefill": "chunked_prefill",
    "max_batch_size": "max_num_seqs",
    "enable_prefix_caching": "prefix_caching",
}
"""Field of a block → neutral name, where they differ."""

GROUPS: Mapping[str, str] = {
    "parallel_config": "parallel",
    "quant_config": "quant",
    "memory_config": "memory",
    "scheduling_config": "scheduling",
    "advanced_tuning_config": "scheduling",
}
"""Block → group of neutral fields."""

STRUCTURED = (*GROUPS, "quantization_config")
"""Keys of these blocks in the document."""

ADAPTED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "gemm_quant_mode": ("gemm_dtype", {}),
    "kvcache_quant_mode": ("kvcache_dtype", {"float16": "fp16"}),
    "fmha_quant_mode": ("attention_dtype", {}),
}
"""Field of quantization_config → field of quant_config, and the values that are called otherwise there."""

AGREEING = ("weight_quant_mode", "activation_quant_mode")
"""Fields of quantization_config that must say the same as gemm_quant_mode."""


PRESETS_FIELD = "presets"
"""Field of a block that names layouts or precisions."""

UNSEARCHED = frozenset({"strict_dp"})
"""Fields of a block that are no alternative to its presets."""


def adapters_of(name: str) -> list[str]:
    """Fields of quantization_config that say the same as a field of quant_config, or must agree with it."""
    fields = [field for field, (adapted, _) in ADAPTED.items() if adapted == name]
    return [*fields, *(AGREEING if name == "gemm_dtype" else ())]


@dataclass(frozen=True)
class Setting:
    """One neutral field as the document gives it."""

    group: str
    """parallel, quant, memory or scheduling."""
    name: str
    """Neutral name."""
    place: str
    """Key path in the document."""
    spec: ParameterSpec


def settings(document: TaskDocument) -> Iterator[Setting]:
    """Every field that the blocks of a document give, in its order; one setting may come more than once."""
    for place, group in GROUPS.items():
        block = getattr(document, place)
        if block is None:
            continue
        for field in type(block).model_fields:
            value = getattr(block, field)
            if field == PRESETS_FIELD:
                continue
            if value is not None:
                spec = Fixed(value=value) if isinstance(value, bool) else value
                yield Setting(group, NEUTRAL_NAMES.get(field, field), f"{place}.{field}", spec)
    adapter = document.quantization_config
    for field, (name, others) in ADAPTED.items():
        spec = getattr(adapter, field) if adapter is not None else None
        if spec is not None:
            yield Setting("quant", name, f"quantization_config.{field}", renamed(spec, others))


def presets(document: TaskDocument) -> dict[str, tuple[str, ...]]:
    """Group → the presets that its block names."""
    found: dict[str, tuple[str, ...]] = {}
    for place in ("parallel_config", "quant_config"):
        block = getattr(document, place)
        if block is not None and block.presets:
            found[GROUPS[place]] = tuple(dict.fromkeys(block.presets))
    return found


def renamed(spec: ParameterSpec, names: Mapping[str, str]) -> ParameterSpec:
    """A spec with other words for some of its values."""

    def one(value: Scalar) -> Scalar:
        return names.get(value, value) if isinstance(value, str) else value

    if isinstance(spec, Choices):
        return Choices(values=tuple(one(value) for value in spec.values))
    return Fixed(value=one(spec.value)) if isinstance(spec, Fixed) else spec

"""What the tables of all engines share: neutral fields, presets of precision, what is known of model and GPU."""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.config.structured import ATTENTION_DTYPES, GEMM_DTYPES, KVCACHE_DTYPES, MOE_DTYPES
from autotuner.contracts.engine import CatalogueParameter, PlanContext
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.neutral import Block, Fields, Preset, Row
from autotuner.contracts.values import Scalar
from autotuner.modelling.facts import ModelFacts, Quantisation
from autotuner.modelling.gpus import gpu_type
from autotuner.modelling.layout import Layout
from autotuner.modelling.memory import kv_cache
from autotuner.modelling.quantisation import from_name

PARALLEL, QUANT, MEMORY, SCHEDULING = "parallel", "quant", "memory", "scheduling"

# Facts that rows may ask for.
QUANTISED = "model.quantised"
"""Whether the checkpoint is; None: not known."""
METHOD = "model.method"
"""How it is quantised, such as awq; None: not known, or not at all."""
EXPERTS = "model.experts"
"""Whether it is a mixture of experts; None: not known."""
ARCHITECTURE = "gpu.architecture"
"""Such as hopper; None: not known."""
BY_PRESET = "preset.quant"
"""Name of the precision preset; None: the fields are the document's own."""

POWERS = (1, 2, 4, 8, 16)
GPUS_PER_NODE = 8


def _size(name: str, allowed: tuple[int, ...], *aliases: str) -> CatalogueParameter:
    return CatalogueParameter(
        name=name, flag="", aliases=aliases, type="choice", choices=allowed, default=1, unit="GPUs", ordered=True
    )


def _switch(name: str, *aliases: str, default: bool | None = False) -> CatalogueParameter:
    return CatalogueParameter(name=name, flag="", aliases=aliases, type="bool", default=default)


def _number(name: str, low: float, high: float | None = None, *aliases: str, unit: str = "") -> CatalogueParameter:
    kind = "float" if high is not None or unit == "GB" else "int"
    return CatalogueParameter(name=name, flag="", aliases=aliases, type=kind, low=low, high=high, unit=unit)


def _dtype(name: str, allowed: tuple[str, ...], *aliases: str) -> CatalogueParameter:
    return CatalogueParameter(
        name=name, flag="", aliases=aliases, type="choice", choices=allowed, default="auto", lossy=True
    )


def parallel_block(presets: Mapping[str, Preset], *, pp: tuple[int, ...] = (1, 2, 4)) -> Block:
    """``parallel_config``: the sizes that are allowed, and an engine's layouts."""
    return Block(
        prefix=PARALLEL,
        place="parallel_config",
        fields=(
            _size("tp", POWERS, "tensor_parallel_size", "tp_size", "tensor_parallel"),
            _size("pp", pp, "pipeline_parallel_size", "pp_size", "pipeline_parallel"),
            _size("dp", tuple(range(1, 17)), "data_parallel_size", "dp_size", "data_parallel"),
            _size("cp", (1, 2, 4, 8), "context_parallel_size", "cp_size", "prefill_context_parallel_size"),
            _size("dcp", (1, 2, 4, 8), "decode_context_parallel_size", "dcp_size"),
            _size("ep", POWERS, "moe_ep", "ep_size", "expert_parallel_size", "moe_expert_parallel_size"),
            _size("moe_tp", (1, 2, 4, 8), "moe_tensor_parallel_size"),
            _size("moe_cluster", (1, 2, 4), "moe_cluster_parallel_size"),
            CatalogueParameter(name="moe_dense_tp", flag="", aliases=("moe_dense_tp_size",), type="int", low=1),
            _switch("enable_expert_parallel"),
            _switch("enable_dp_attention"),
            _switch("strict_dp", default=True),
        ),
        presets=presets,
        default_preset="single-gpu",
    )


def layout(**sizes: int | bool) -> Preset:
    """A preset of parallel_config; one that is larger than a node is excluded."""
    gpus = 1
    # Attention that is data parallel shares the GPUs of the tp group.
    for name in ("tp", "pp", "cp", *(() if sizes.get("enable_dp_attention") else ("dp",))):
        gpus *= int(sizes.get(name, 1))
    fields: dict[str, Scalar] = dict(sizes)
    if gpus <= GPUS_PER_NODE:
        return Preset(fields)
    return Preset(
        fields,
        excluded=f"it needs {gpus} GPUs, more than one node has ({GPUS_PER_NODE}), and no server is spread over nodes",
    )


def quant_block() -> Block:
    """``quant_config``, with the presets that all engines have."""
    return Block(
        prefix=QUANT,
        place="quant_config",
        fields=(
            _dtype("gemm_dtype", (*GEMM_DTYPES, "int4"), "gemm_quant"),
            _dtype("kvcache_dtype", KVCACHE_DTYPES, "kv_cache_dtype"),
            _dtype("attention_dtype", ATTENTION_DTYPES),
            _dtype("moe_dtype", MOE_DTYPES),
        ),
        presets={
            "default": _precision(),
            "kv-cache-fp8": _precision(kvcache="fp8_e5m2"),
            "dynamic-fp8": _precision(gemm="fp8", kvcache="fp8_e5m2", attention="fp8", moe="fp8"),
            "bf16-stable": _precision(gemm="bfloat16", kvcache="fp8_e5m2"),
            "aggressive-moe": _precision(gemm="bfloat16", kvcache="fp8_e5m2", attention="fp8", moe="w4afp8"),
        },
        default_preset="default",
    )


def _precision(gemm: str = "auto", kvcache: str = "auto", attention: str = "auto", moe: str = "auto") -> Preset:
    return Preset({"gemm_dtype": gemm, "kvcache_dtype": kvcache, "attention_dtype": attention, "moe_dtype": moe})


MEMORY_BLOCK = Block(
    prefix=MEMORY,
    place="memory_config",
    fields=(
        _number("memory_fraction", 0, 1, "gpu_memory_utilization", "mem_fraction_static"),
        _number("kv_cache_bytes", 1, None, "kv_cache_memory_bytes", unit="bytes"),
        _number("max_model_len", 1, None, "context_length", "max_seq_len", unit="tokens"),
        _switch("enforce_eager"),
    ),
    joint=False,
)

SCHEDULING_BLOCK = Block(
    prefix=SCHEDULING,
    place="scheduling_config",
    fields=(
        CatalogueParameter(
            name="schedule_policy", flag="", aliases=("scheduling_policy", "capacity_scheduler_policy"), type="str"
        ),
        _number("max_num_batched_tokens", 1, None, "max_num_tokens", unit="tokens"),
        _number("max_num_seqs", 1, None, "max_batch_size", "max_running_requests", unit="requests"),
        _switch("chunked_prefill", "enable_chunked_prefill", "chunked_prefill_enabled", default=None),
        _number("max_prefill_batch_size", 1, None, "prefill_max_requests", unit="requests"),
        _switch("prefix_caching", "enable_prefix_caching", default=None),
        _switch("disable_sliding_window"),
        _number("swap_space", 0, None, unit="GB"),
        CatalogueParameter(name="threads", flag="", type="int", low=1, unit="threads"),
        CatalogueParameter(name="attention_backend", flag="", aliases=("attn_backend",), type="str"),
    ),
    joint=False,
)


def model_facts(context: PlanContext) -> ModelFacts | None:
    """What is known of the model from its config.json."""
    found = context.model_config.get("facts")
    return found if isinstance(found, ModelFacts) else None


def known_facts(context: PlanContext) -> Fields:
    """What rows may ask of model and GPU."""
    found: dict[str, Scalar] = {}
    facts = model_facts(context)
    quantised = facts.quantisation if facts is not None else quantised_by_name(context)
    if facts is not None:
        found[EXPERTS] = facts.experts is not None
    if facts is not None or quantised is not None:
        found[QUANTISED] = quantised is not None
        found[METHOD] = None if quantised is None else quantised.method
    architecture = _architecture(context.gpu_type)
    if architecture is not None:
        found[ARCHITECTURE] = architecture
    return found


def _architecture(name: str | None) -> str | None:
    """Of a kind of GPU; None for one that is not in the table."""
    if name is None:
        return None
    try:
        return gpu_type(name).architecture
    except AutotunerError:
        return None


def quantised_by_name(context: PlanContext) -> Quantisation | None:
    """What the name says of a checkpoint whose files are not at hand."""
    return from_name(context.model)


# ---- rows that several engines share

KV_PRESETS = ("kv-cache-fp8", "dynamic-fp8", "bf16-stable", "aggressive-moe")
"""Presets with a KV cache of 8-bit floats: fp8_e5m2 where GPU and checkpoint take it, else fp8_e4m3."""

HARMLESS = (
    Row("strict_dp"),
    Row("attention_dtype", note="no flag says it; attention follows the type of the KV cache and its back end"),
)

DROPPED = Row(
    "gemm_dtype",
    values=("fp8", "int8"),
    when={QUANTISED: (True,)},
    note="the checkpoint is already quantised ({method}), so quantisation at start is dropped",
)

OF_CHECKPOINT = (
    Row("gemm_dtype", values=("int4",), when={QUANTISED: (True, None)}, note="taken from the checkpoint"),
    Row("gemm_dtype", values=("int4",), error="only a checkpoint that is quantised so has it"),
)

EXPERTS_OF_CHECKPOINT = (
    Row("moe_dtype", when={EXPERTS: (False,)}, note="the model has no experts"),
    Row("moe_dtype", note="the checkpoint decides the precision of its experts"),
)


def preset_kv(flag: str, *, written: str = "fp8_e4m3") -> tuple[Row, ...]:
    """KV cache of the presets on engines that take fp8_e5m2 from some checkpoints on some GPUs."""
    preset: Mapping[str, tuple[Scalar, ...]] = {BY_PRESET: KV_PRESETS}
    return (
        Row(
            "kvcache_dtype",
            {flag: written},
            ("fp8_e5m2",),
            when={**preset, QUANTISED: (True,)},
            note=f"written as {written}, since a quantised checkpoint takes no fp8_e5m2",
        ),
        Row(
            "kvcache_dtype",
            {flag: written},
            ("fp8_e5m2",),
            when={**preset, ARCHITECTURE: ("hopper", "blackwell")},
            note=f"written as {written}, which this GPU computes with",
        ),
        Row(
            "kvcache_dtype",
            values=("fp8_e5m2",),
            when={QUANTISED: (True,)},
            error="a quantised checkpoint takes no fp8_e5m2; use fp8_e4m3",
        ),
    )


def kv_tokens(fields: Fields, context: PlanContext) -> int:
    """Tokens of a KV cache of ``kv_cache_bytes`` on one GPU. ValueError when the model's shape is not known."""
    facts = model_facts(context)
    if facts is None:
        raise ValueError("the model's config.json is needed to say how many tokens that is")
    spread = Layout(tp=_whole(fields, "tp"), pp=_whole(fields, "pp"), dcp=_whole(fields, "dcp"))
    cache = kv_cache(facts, spread, str(fields.get("kvcache_dtype") or "auto"))
    tokens = int(_whole(fields, "kv_cache_bytes") // (cache.per_token + cache.window_per_token))
    if tokens < 1:
        raise ValueError("it does not hold one token")
    return tokens


def _whole(fields: Fields, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 1

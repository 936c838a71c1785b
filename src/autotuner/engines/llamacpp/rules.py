"""What the engine refuses or aborts on, and what a workload needs of it.

Each rule was found by starting the engine (see tests/engines/llamacpp); the sentence is what a user reads.
"""

from __future__ import annotations

from collections.abc import Mapping

from autotuner.contracts.engine import PlanContext, Rule
from autotuner.contracts.values import Scalar
from autotuner.engines.llamacpp.catalogue import CATALOGUE, CONTEXT_STEP, QUANTISED_CACHE_TYPES
from autotuner.engines.llamacpp.model import number

Values = Mapping[str, Scalar]

REQUEST_MARGIN = 16
"""Tokens added to the longest request when the context is sized for it: special tokens that the engine adds."""
SIZED_STEP = 64
"""A context sized for the workload is a multiple of this, in tokens per slot."""
CACHE_BLOCK = 32
"""Values per block of the quantised cache types."""

_DEFAULTS = {parameter.name: parameter.default for parameter in CATALOGUE.parameters}


def whole(values: Values, name: str) -> int | None:
    """A parameter's value, or its default, as a whole number; None when the engine decides or it is no number."""
    value = values.get(name)
    if value is None:
        value = _DEFAULTS[name]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def slots(values: Values) -> int:
    """Requests that are decoded at the same time."""
    return whole(values, "n_parallel") or 1


def total_context(values: Values, context: PlanContext) -> int | None:
    """n_ctx that is asked of the engine; None: left to the engine, 0: the model's context length for each slot."""
    per_request = whole(values, "max_model_len")
    if per_request is not None:
        return slots(values) * per_request
    given = whole(values, "n_ctx")
    if given is not None:
        return given
    if context.longest_request <= 0:
        return None
    needed = _round_up(context.longest_request + REQUEST_MARGIN, SIZED_STEP)
    limit = number(context.model_config, "context_length")
    return slots(values) * (needed if limit is None else min(needed, limit))


def cache_types(values: Values) -> tuple[str, str]:
    """Types of the K and the V cache; cache_type holds where one of them is not set apart."""
    both = str(values.get("cache_type") or _DEFAULTS["cache_type"])
    k, v = (str(values.get(name) or _DEFAULTS[name]) for name in ("cache_type_k", "cache_type_v"))
    return (both if k == _DEFAULTS["cache_type_k"] else k, both if v == _DEFAULTS["cache_type_v"] else v)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _request_fits_model(values: Values, context: PlanContext) -> str | None:
    limit = number(context.model_config, "context_length")
    if limit is None or context.longest_request <= limit:
        return None
    return (
        f"the model's context holds {limit} tokens, but the longest request of the workload has "
        f"{context.longest_request}"
    )


def _request_fits_slot(values: Values, context: PlanContext) -> str | None:
    total = total_context(values, context)
    limit = number(context.model_config, "context_length")
    count = slots(values)
    unified = values.get("kv_unified") is True
    if total is None:
        return None
    if total == 0:
        if limit is None:
            return None
        room = limit // count if unified else limit
    elif unified:
        room = _round_up(total, CONTEXT_STEP) // count
    else:
        room = _round_up(total // count, CONTEXT_STEP)
    if limit is not None:
        room = min(room, limit)
    if room >= context.longest_request:
        return None
    longest = context.longest_request
    remedy = f"max_model_len to {longest}" if values.get("max_model_len") else f"n_ctx to {count} × {longest}"
    return (
        f"each of the {count} slots (n_parallel) has room for {room} tokens, but the longest request of the workload "
        f"has {longest}; raise {remedy} or leave it out"
    )


def _length_within_model(values: Values, context: PlanContext) -> str | None:
    asked, limit = whole(values, "max_model_len"), number(context.model_config, "context_length")
    if asked is None or limit is None or asked <= limit:
        return None
    return f"max_model_len {asked} is more than the model's context of {limit} tokens"


def _one_context(values: Values, context: PlanContext) -> str | None:
    per_request, total = whole(values, "max_model_len"), whole(values, "n_ctx")
    if per_request is None or total is None or total == per_request * slots(values):
        return None
    return (
        f"max_model_len {per_request} with n_parallel {slots(values)} means n_ctx {per_request * slots(values)}, but "
        f"n_ctx is {total}; give one of the two"
    )


DEFAULT_UBATCH = 512
"""The engine's own n_ubatch."""


def _ubatch_within_batch(values: Values, context: PlanContext) -> str | None:
    batch, ubatch = whole(values, "n_batch"), whole(values, "n_ubatch")
    # The default follows a smaller n_batch: that is what somebody who sets n_batch alone asks for.
    if batch is None or ubatch is None or ubatch <= batch or ubatch == DEFAULT_UBATCH:
        return None
    return f"n_ubatch {ubatch} is more than n_batch {batch}: the engine would lower it to {batch} without a word"


def _batch_holds_slots(values: Values, context: PlanContext) -> str | None:
    batch, count = whole(values, "n_batch"), slots(values)
    if batch is None or batch >= count:
        return None
    return (
        f"n_batch {batch} is less than n_parallel {count}: one step must hold a token of every slot; the engine aborts"
    )


def _quantised_v_needs_flash_attention(values: Values, context: PlanContext) -> str | None:
    _, v = cache_types(values)
    if v not in QUANTISED_CACHE_TYPES or values.get("flash_attn") != "off":
        return None
    return f"a V cache of type {v} needs flash attention, and flash_attn is off"


def _one_cache_type(values: Values, context: PlanContext) -> str | None:
    both = values.get("cache_type")
    if both is None or both == _DEFAULTS["cache_type"]:
        return None
    for name in ("cache_type_k", "cache_type_v"):
        other = values.get(name)
        if other is not None and other not in (both, _DEFAULTS[name]):
            return f"cache_type {both} sets both caches, but {name} is {other}; leave cache_type out to set them apart"
    return None


def _cache_blocks_fit_heads(values: Values, context: PlanContext) -> str | None:
    for letter, kind, fact in zip("KV", cache_types(values), ("head_dim", "head_dim_v"), strict=True):
        width = number(context.model_config, fact)
        if kind in QUANTISED_CACHE_TYPES and width is not None and width % CACHE_BLOCK:
            return (
                f"a {letter} cache of type {kind} needs attention heads whose width is a multiple of {CACHE_BLOCK}; "
                f"this model's is {width}"
            )
    return None


def _threads_within_cores(values: Values, context: PlanContext) -> str | None:
    if context.cores is None:
        return None
    for name in ("threads", "threads_batch"):
        asked = whole(values, name)
        if asked is not None and asked > context.cores:
            return (
                f"{name} {asked} is more than the {context.cores} cores of the server: its threads would spin in turn"
            )
    return None


RULES = (
    Rule("request_fits_model", frozenset({"model"}), _request_fits_model),
    Rule("request_fits_slot", frozenset({"n_ctx", "max_model_len", "n_parallel", "kv_unified"}), _request_fits_slot),
    Rule("length_within_model", frozenset({"max_model_len", "model"}), _length_within_model),
    Rule("one_context", frozenset({"n_ctx", "max_model_len", "n_parallel"}), _one_context),
    Rule("ubatch_within_batch", frozenset({"n_batch", "n_ubatch"}), _ubatch_within_batch),
    Rule("batch_holds_slots", frozenset({"n_batch", "n_parallel"}), _batch_holds_slots),
    Rule(
        "quantised_v_needs_flash_attention",
        frozenset({"cache_type", "cache_type_v", "flash_attn"}),
        _quantised_v_needs_flash_attention,
    ),
    Rule("one_cache_type", frozenset({"cache_type", "cache_type_k", "cache_type_v"}), _one_cache_type),
    Rule(
        "cache_blocks_fit_heads",
        frozenset({"cache_type", "cache_type_k", "cache_type_v", "model"}),
        _cache_blocks_fit_heads,
    ),
    Rule("threads_within_cores", frozenset({"threads", "threads_batch"}), _threads_within_cores),
)

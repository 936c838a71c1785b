"""Recognises checkpoints that are already quantised, and how many bits a weight of theirs takes.

Bits hold the share of scales and zero points, by the layout of each format: ``b + (s + z) / g`` for weights of ``b``
bits of which ``g`` share a scale of ``s`` bits and a zero point of ``z`` bits. What is smaller than 0.1 bits (lookup
tables, one scale for a whole row) is left out unless it is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeGuard

from autotuner.modelling.facts import LINEAR, Part, Quantisation

Config = Mapping[str, object]

CONFIG_FILE = "config.json"
QUANT_FILE = "hf_quant_config.json"

NVFP4_BITS = 4 + 8 / 16
MXFP4_BITS = 4 + 8 / 32
SCALE = 16
"""Bits of a scale or zero point where the format does not say otherwise."""

GGUF_BITS: Mapping[str, float] = {
    # One block layout for all matrices.
    "q4_0": 4.5, "q4_1": 5.0, "q5_0": 5.5, "q5_1": 6.0, "q8_0": 8.5, "q6_k": 6.5625, "iq4_nl": 4.5, "iq4_xs": 4.25,
    "f16": 16.0, "bf16": 16.0, "f32": 32.0, "mxfp4_moe": 4.25,
    # Mixtures of layouts, as they are chosen for a model of the Llama family.
    "q2_k": 3.35, "q3_k_s": 3.5, "q3_k_m": 3.91, "q3_k_l": 4.27, "q4_k_s": 4.58, "q4_k_m": 4.85, "q5_k_s": 5.54,
    "q5_k_m": 5.69,
}  # fmt: skip
"""Bits per weight of GGUF file types."""

GGUF_UNKNOWN = 8.5
_GGUF_TYPE = re.compile(r"(?<![a-z0-9])(i?q\d(?:_[a-z0-9]+)*|b?f16|f32|mxfp4_moe)(?![a-z0-9])")

_PLACES: Mapping[Part, tuple[str, ...]] = {
    Part.ATTENTION: ("self_attn", "attention", "attn"),
    Part.MLP: ("mlp",),
    Part.EXPERTS: ("experts", "block_sparse_moe"),
    Part.SHARED: ("shared_expert", "shared_experts"),
}
"""Words of a module's path that stand for a part."""


def detect(
    name: str, config: Config, quant_config: Config | None = None, *, layers: int | None = None
) -> Quantisation | None:
    """How a checkpoint is quantised; None for one that is not.

    Asked in turn: ``config`` (config.json), ``quant_config`` (hf_quant_config.json), the words of ``name``. A list of
    modules that were left out counts for a part when it names most of ``layers``.
    """
    block = config.get("quantization_config", config.get("compression_config"))
    found = None
    if isinstance(block, Mapping) and (block.get("quant_method") or block.get("quant_algo")):
        found = _from_config(name, block, layers)
    if found is None and quant_config is not None:
        found = _from_modelopt(quant_config, QUANT_FILE, layers)
    return found or from_name(name)


def dropped_note(name: str, found: Quantisation, asked: str) -> str:
    """The sentence of a plan in which a quantisation at start was asked of a quantised checkpoint."""
    return (
        f"{name} is already quantised ({found.label}, {found.bits:.3g} bits per weight, by its {found.source}), so the "
        f"quantisation at start ({asked}) is dropped"
    )


# ---- config.json


def _from_config(name: str, block: Config, layers: int | None) -> Quantisation | None:
    method = _method(str(block.get("quant_method") or "modelopt"))
    if method == "modelopt":
        return _from_modelopt(block, CONFIG_FILE, layers)
    if method == "compressed-tensors":
        return _compressed_tensors(block, layers)
    if method == "quark":
        return _quark(block, layers)
    left_out = block.get("modules_to_not_convert", block.get("ignored_layers"))
    parts = _parts_without(_strings(left_out), layers)
    scheme, bits = _scheme(method, name, block)
    return Quantisation(method=method, scheme=scheme, bits=bits, parts=parts, source=CONFIG_FILE)


def _method(said: str) -> str:
    """The name that this program uses for a method."""
    plain = said.lower().replace("_", "-")
    for known, others in {
        "awq": ("awq-marlin",),
        "gptq": ("gptq-marlin", "auto-round", "intel/auto-round", "autoround"),
        "fp8": ("fbgemm-fp8",),
        "mxfp4": ("gpt-oss-mxfp4",),
        "modelopt": ("modelopt-fp4", "modelopt-fp8", "modelopt-mixed", "modelopt-mxfp8"),
        "bitsandbytes": ("bnb",),
    }.items():
        if plain in others:
            return known
    return plain


def _scheme(method: str, name: str, block: Config) -> tuple[str, float]:
    """What a method did, and bits per weight."""
    match method:
        case "fp8":
            size = block.get("weight_block_size")
            if _is_list(size) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size):
                return "block", 8 + 32 / (int(str(size[0])) * int(str(size[1])))
            return "", 8.0
        case "mxfp4":
            return "", MXFP4_BITS
        case "nvfp4":
            return "", NVFP4_BITS
        case "bitsandbytes":
            if block.get("load_in_8bit") is True:
                return "int8", 8.0
            kind = str(block.get("bnb_4bit_quant_type") or "nf4")
            # A 4-byte scale for each 64 weights; with double quantisation those are 1 byte, and 256 of them share one.
            return kind, 4 + (8 / 64 + 32 / (64 * 256) if block.get("bnb_4bit_use_double_quant") else 32 / 64)
        case "hqq":
            inner = block.get("quant_config", block)
            inner = inner.get("weight_quant_params", inner) if isinstance(inner, Mapping) else block
            params = inner if isinstance(inner, Mapping) else block
            bits = _number(params, "nbits", 4)
            return f"w{bits}", bits + 2 * SCALE / _group(params, default=64)
        case "gguf":
            return _gguf(name)
        case "squeezellm":
            bits = _number(block, "wbits", 4)
            return f"w{bits}", bits + SCALE * 2**bits / 4096  # a table for each row of some 4,096 weights
        case "marlin":
            return "w4", 4 + SCALE / _group(block)
        case "awq" | "gptq":
            bits = _number(block, "bits", _number(block, "w_bit", 4))
            return f"w{bits}", bits + (SCALE + bits) / _group(block)
        case _:
            bits = _number(block, "bits", 8)
            return "", float(bits)


def _compressed_tensors(block: Config, layers: int | None) -> Quantisation:
    groups = block.get("config_groups")
    group = next((g for g in groups.values() if isinstance(g, Mapping)), {}) if isinstance(groups, Mapping) else {}
    weights = group.get("weights")
    weights = weights if isinstance(weights, Mapping) else {}
    inputs = group.get("input_activations")
    bits = _number(weights, "num_bits", 8)
    form = str(group.get("format") or block.get("format") or "")
    kind = "fp" if weights.get("type") == "float" else "w"
    if "nvfp4" in form:
        scheme, total = "nvfp4", NVFP4_BITS
    elif "mxfp4" in form:
        scheme, total = "mxfp4", MXFP4_BITS
    else:
        activations = _number(inputs, "num_bits", 16) if isinstance(inputs, Mapping) else 16
        scheme = f"fp{bits}" if kind == "fp" else f"w{bits}a{activations}"
        each = SCALE + (0 if weights.get("symmetric", True) else bits)
        grouped = isinstance(weights.get("group_size"), int) and _number(weights, "group_size", -1) > 0
        total = bits + (each / _group(weights) if grouped else 0)
    return Quantisation(
        method="compressed-tensors",
        scheme=scheme,
        bits=total,
        parts=_parts_without(_strings(block.get("ignore")), layers),
        kv_dtype=_kv_scheme(block.get("kv_cache_scheme")),
        source=CONFIG_FILE,
    )


def _kv_scheme(scheme: object) -> str | None:
    if not isinstance(scheme, Mapping):
        return None
    bits = _number(scheme, "num_bits", 8)
    return f"{'fp' if scheme.get('type', 'float') == 'float' else 'int'}{bits}"


def _quark(block: Config, layers: int | None) -> Quantisation:
    whole = block.get("global_quant_config")
    weight = whole.get("weight") if isinstance(whole, Mapping) else None
    if _is_list(weight):
        weight = weight[0] if weight else None
    spec = weight if isinstance(weight, Mapping) else {}
    kind = str(spec.get("dtype") or "fp8").lower()
    if kind.startswith(("fp4", "mxfp4")):
        scheme, bits = "mxfp4", MXFP4_BITS
    else:
        found = re.search(r"\d+", kind)
        width = int(found[0]) if found else 8
        grouped = isinstance(spec.get("group_size"), int) and _number(spec, "group_size", -1) > 0
        scheme, bits = kind.split("_")[0], width + (SCALE / _group(spec) if grouped else 0)
    return Quantisation(
        method="quark",
        scheme=scheme,
        bits=bits,
        parts=_parts_without(_strings(block.get("exclude")), layers),
        kv_dtype="fp8" if block.get("kv_cache_quant_config") else None,
        source=CONFIG_FILE,
    )


# ---- hf_quant_config.json, and the same in config.json


def _from_modelopt(config: Config, source: str, layers: int | None) -> Quantisation | None:
    block = config.get("quantization", config)
    if not isinstance(block, Mapping):
        return None
    algorithm = str(block.get("quant_algo") or "").upper()
    if not algorithm or algorithm == "NONE":
        return None
    group = _group(block)
    bits, scheme = next(
        (found for word, found in _MODELOPT.items() if algorithm.startswith(word)), (4 + SCALE / group, "")
    )
    if algorithm == "MIXED_PRECISION":
        bits, scheme = _mixed(block)
    kv = str(block.get("kv_cache_quant_algo") or "").lower()
    scheme_of_kv = block.get("kv_cache_scheme")
    return Quantisation(
        method="modelopt",
        scheme=scheme or algorithm.lower(),
        bits=bits,
        parts=_parts_without(_strings(block.get("exclude_modules", block.get("ignore"))), layers),
        kv_dtype=kv if kv not in ("", "none") else _kv_scheme(scheme_of_kv),
        source=source,
    )


_MODELOPT: Mapping[str, tuple[float, str]] = {
    "NVFP4": (NVFP4_BITS, "nvfp4"),
    "W4A16_NVFP4": (NVFP4_BITS, "nvfp4"),
    "FP8": (8.0, "fp8"),
    "MXFP8": (8 + 8 / 32, "mxfp8"),
    "INT8": (8.0, "int8"),
    "W8A8": (8.0, "int8"),
    "W8A16": (8.0, "int8"),
}
"""Bits and scheme by the first letters of quant_algo; the rest are 4-bit weights with group scales."""


def _mixed(block: Config) -> tuple[float, str]:
    """The mean of the layers' own algorithms; 8 bits when they are not listed."""
    listed = block.get("quantized_layers")
    algorithms = [
        str(layer.get("quant_algo", "")).upper()
        for layer in (listed.values() if isinstance(listed, Mapping) else ())
        if isinstance(layer, Mapping)
    ]
    bits = [next((b for word, (b, _) in _MODELOPT.items() if a.startswith(word)), 4 + SCALE / 128) for a in algorithms]
    return (sum(bits) / len(bits) if bits else 8.0), "mixed"


# ---- the name


def from_name(name: str) -> Quantisation | None:
    """What the words of a model's name say. A part of a word says nothing, and neither do words that begin the name
    when they are ordinary ones (a model may be called Marlin)."""
    last = _own_name(name)
    words = re.split(r"[^a-z0-9]+", last.lower())
    if "gguf" in words:
        scheme, bits = _gguf(last)
        return Quantisation(method="gguf", scheme=scheme, bits=bits, parts=tuple(Part), source="name")
    pairs = {f"{first}-{second}" for first, second in pairwise(words)}
    for method, said in _NAMED.items():
        if said & pairs or said & set(words[1:]) or (method not in _ORDINARY and words[0] in said):
            scheme, bits = _named_scheme(method, words)
            return Quantisation(method=method, scheme=scheme, bits=bits, source="name")
    return None


_NAMED: Mapping[str, frozenset[str]] = {
    "awq": frozenset({"awq"}),
    "gptq": frozenset({"gptq"}),
    "squeezellm": frozenset({"squeezellm"}),
    "marlin": frozenset({"marlin"}),
    "nvfp4": frozenset({"nvfp4", "fp4"}),
    "mxfp4": frozenset({"mxfp4"}),
    "hqq": frozenset({"hqq"}),
    "quark": frozenset({"quark"}),
    "modelopt": frozenset({"modelopt"}),
    "compressed-tensors": frozenset({"compressed-tensors", "w4a16", "w8a16", "w8a8", "w4a8"}),
    "bitsandbytes": frozenset({"bitsandbytes", "bnb"}),
    "fp8": frozenset({"fp8"}),
}
"""Words that name a method. The more special ones come first: FP8-NVFP4 is the latter."""

_ORDINARY = frozenset({"marlin", "quark"})


def _named_scheme(method: str, words: Sequence[str]) -> tuple[str, float]:
    eight = bool({"int8", "8bit", "w8a8", "w8a16"} & set(words)) or (method in ("quark", "modelopt") and "fp8" in words)
    match method:
        case "fp8":
            return "", 8.0
        case "nvfp4":
            return "", NVFP4_BITS
        case "mxfp4":
            return "", MXFP4_BITS
        case "hqq":
            return ("w8", 8.5) if eight else ("w4", 4.5)
        case "bitsandbytes":
            return ("int8", 8.0) if eight else ("nf4", 4.5)
        case _:
            return ("w8", 8.0) if eight else ("w4", 4 + (SCALE + 4) / 128)


def _own_name(name: str) -> str:
    """The last part of a path or hub id; in a folder of the hub's cache that of the model."""
    parts = [part for part in re.split(r"[/\\]", name) if part]
    cached = [part for part in parts if part.startswith("models--")]
    return cached[-1].rpartition("--")[2] if cached else (parts[-1] if parts else name)


def _gguf(name: str) -> tuple[str, float]:
    """Type and bits of a GGUF file by its name; 8.5 bits when that does not say."""
    found = [kind for kind in _GGUF_TYPE.findall(name.lower()) if kind in GGUF_BITS]
    return (found[-1].upper(), GGUF_BITS[found[-1]]) if found else ("", GGUF_UNKNOWN)


# ---- modules that were left out


def _parts_without(left_out: Iterable[str], layers: int | None) -> tuple[Part, ...]:
    """The linear parts without those that a list of modules leaves out as a whole.

    A pattern without a layer's number leaves out the part in all layers, unless it means one matrix of it. Names with
    numbers do when they name the part, or several of its matrices, in at least half of the layers. Otherwise the part
    counts as quantised, since most of it is.
    """
    whole: set[Part] = set()
    named: dict[Part, dict[str, set[str]]] = {part: {} for part in LINEAR}
    for entry in left_out:
        words = [word for word in re.split(r"[^a-z0-9_]+", entry.lower()) if word]
        part = _part_of(words)
        if part is None:
            continue
        number = next((word for word in words if word.isdigit()), None)
        matrix = words[-1] if "proj" in words[-1] else ""
        if number is not None:
            named[part].setdefault(number, set()).add(matrix)
        elif not matrix:
            whole.add(part)
    half = float("inf") if layers is None else layers / 2
    for part, by_layer in named.items():
        if sum("" in matrices or len(matrices) > 1 for matrices in by_layer.values()) >= half:
            whole.add(part)
    return tuple(part for part in LINEAR if part not in whole)


_NO_MATRIX = re.compile(r"norm|bias|indexer|router|^gate$|^shared_expert_gate$|^lm_head$")
"""Words of paths of small things, which are left out by nearly every checkpoint."""


def _part_of(words: Sequence[str]) -> Part | None:
    """The part that a module's path belongs to; None for what is no part of the large matrices."""
    if any(_NO_MATRIX.search(word) for word in words):
        return None
    for part in (Part.SHARED, Part.EXPERTS, Part.ATTENTION, Part.MLP):
        if any(word in _PLACES[part] for word in words):
            return part
    return None


# ---- reading


def _group(block: Config, *, default: int = 128) -> float:
    """Weights that share a scale; a whole row (-1) counts as so many that the scale does not matter."""
    for key in ("group_size", "q_group_size"):
        value = block.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value if value > 0 else float("inf")
    return default


def _number(block: Config, key: str, default: int) -> int:
    value = block.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _strings(value: object) -> list[str]:
    return [str(entry) for entry in value] if _is_list(value) else []


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)

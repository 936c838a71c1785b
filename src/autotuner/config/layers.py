"""Layers of a task document: what several sources say of one task, and which of them counts for each key.

Mappings are merged deeply and lists are replaced. Of two layers the later one is the stronger.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autotuner.config.block import Block
from autotuner.config.slo import Target, Targets
from autotuner.config.structured import (
    ADAPTED,
    GROUPS,
    NEUTRAL_NAMES,
    PRESETS_FIELD,
    UNSEARCHED,
    ParallelConfig,
    QuantConfig,
    adapters_of,
)
from autotuner.contracts.engine import canonical
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import canonical_json

Path = tuple[str, ...]
"""Keys from the document's top to a value."""

Data = Mapping[str, object]

DOCUMENT = "document"
"""Layer of what the task document itself says."""
USER_PATCH = "user_patch"
"""Layer of overrides that change some keys."""
USER_REPLACE = "user_replace"
"""Layer of overrides that stand for the whole configuration."""
SLO_CONFIG = "slo_config"
"""Layer of an SLO that is merged over what profiles set."""
GPU_CAP = "gpu_cap"
"""Layer of what the number of GPUs leaves of the parallel sizes."""


def _anything(name: str) -> bool:
    return True


@dataclass(frozen=True)
class LayerContext:
    """What a layer may ask of the task that it is made for."""

    base_runtime: str = ""
    """Registered name of the engine."""
    deployment_mode: str = "local"
    model_name: str = ""
    total_gpus: int | None = None
    """None: not known."""
    gpu_type: str | None = None
    has: Callable[[str], bool] = _anything
    """Whether the engine has a parameter of that name, neutral or its own; default: any."""


@dataclass(frozen=True)
class Layer:
    """A part of a task document under a name."""

    name: str
    data: Data | Callable[[LayerContext], Data]
    """The keys that it sets, or what makes them."""
    when: Callable[[LayerContext], bool] | None = None
    """Whether it counts; None: always."""


class Assembly(NamedTuple):
    """What layers come to."""

    data: dict[str, Any]
    """A task document as plain data, unchecked."""
    provenance: dict[str, str]
    """Place of each leaf of ``data`` → name of the one layer that set it."""


@dataclass(frozen=True)
class Claim:
    """What a value of a layer decides."""

    setting: str
    """Two values of one layer that decide the same setting must be equal."""
    beats: frozenset[str] = frozenset()
    """Further settings of weaker layers that it leaves no room for."""


Claims = Callable[[Path, object], Claim | None]
"""What the value at a path decides; None: its own key alone."""


def resolve(layers: Iterable[Layer], context: LayerContext) -> list[Layer]:
    """The layers that count, in order, with plain data. Those without a key are left out."""
    counting = (layer for layer in layers if layer.when is None or layer.when(context))
    made = (Layer(one.name, one.data(context) if callable(one.data) else one.data) for one in counting)
    return [layer for layer in made if layer.data]


def assemble(layers: Iterable[Layer], context: LayerContext | None = None, claims: Claims | None = None) -> Assembly:
    """Merge layers, the weakest first.

    A value of a stronger layer replaces the weaker one's, also where the same setting has another name there
    (``claims``; default: ``plain_claims``). Null counts as not given, except where any value is allowed (``metadata``)
    and where it asks for the engine's own choice (``parameters``, ``runtime.env``). AutotunerError (CONTRADICTION) for
    two different values of one setting in one layer, with both places.
    """
    decides = plain_claims if claims is None else claims
    leaves: dict[Path, tuple[object, str]] = {}
    claimed: dict[Path, str] = {}
    for layer in resolve(layers, context or LayerContext()):
        data = layer.data if isinstance(layer.data, Mapping) else {}
        added = dict(_leaves(_one_form(data)))
        found = {path: claim for path, value in added.items() if (claim := decides(path, value)) is not None}
        _check_agreement(layer.name, added, found)
        taken = {name for claim in found.values() for name in (claim.setting, *claim.beats)}
        for path in [path for path, setting in claimed.items() if setting in taken and path not in added]:
            del leaves[path], claimed[path]
        for path, value in added.items():
            _put(leaves, claimed, path, value, layer.name)
            if path in found:
                claimed[path] = found[path].setting
    return Assembly(_nested(leaves), {place(path): name for path, (_, name) in leaves.items()})


def values_by_place(data: Data) -> dict[str, object]:
    """Place of each leaf of plain data -> its value."""
    return {place(path): value for path, value in _leaves(data)}


def place(path: Path) -> str:
    """A path as errors write it; a key with a dot is quoted where it could be taken for two."""
    if _is_atom(path):
        return ".".join(path)
    return ".".join(json.dumps(key, ensure_ascii=False) if "." in key or '"' in key else key for key in path)


ALTERNATIVES = (
    frozenset(
        {
            ("benchmark", "num_concurrency"),
            ("benchmark", "request_rates"),
            ("benchmark", "dataset", "replay_speed"),
            ("benchmark", "profile"),
        }
    ),
    frozenset({("runtime", "python"), ("runtime", "command")}),
)
"""Keys of which a document has one: a stronger layer's takes the place of a weaker one's."""


def plain_claims(path: Path, value: object) -> Claim | None:
    """What can be told without the engine: spellings of a parameter, names of a setting, alternatives."""
    match path:
        case ("parameters", spelling):
            return Claim(canonical(spelling))
        case (block, field) if block in GROUPS:
            return Claim(_setting(block, field), frozenset(_otherwise(block, field)))
        case ("quantization_config", field) if field in ADAPTED:
            name, _ = ADAPTED[field]
            return Claim(place(path), frozenset({f"quant.{name}", "quant.presets", *_adapters(name)}))
        case ("quantization_config", _):
            return Claim(place(path))
    for keys in ALTERNATIVES:
        if path in keys:
            # The usual profile chooses no load: it goes with any.
            others = keys - {path} if (path, value) != (("benchmark", "profile"), "levels") else frozenset()
            return Claim(place(path), frozenset(map(place, others)))
    return None


def _setting(block: str, field: str) -> str:
    return f"{GROUPS[block]}.{NEUTRAL_NAMES.get(field, field)}"


def _otherwise(block: str, field: str) -> Iterator[str]:
    """Other ways to say what a field of a structured block says."""
    if block == "quant_config":
        yield from _adapters(field)
    if field == PRESETS_FIELD and block in _PRESET_BLOCKS:
        for other in _PRESET_BLOCKS[block].model_fields:
            if other not in UNSEARCHED:
                yield _setting(block, other)
                yield from _adapters(other)
    elif block in _PRESET_BLOCKS and field not in UNSEARCHED:
        yield _setting(block, PRESETS_FIELD)


def _adapters(name: str) -> list[str]:
    return [f"quantization_config.{field}" for field in adapters_of(name)]


_PRESET_BLOCKS: Mapping[str, type[Block]] = {"parallel_config": ParallelConfig, "quant_config": QuantConfig}

FREE = frozenset({("metadata",), ("benchmark", "additional_params"), ("parameters",), ("runtime", "env")})
"""Mappings with keys of their own, in which null is a value."""

_ATOMS = frozenset({("parameters",), ("runtime", "env"), *((block,) for block in GROUPS), ("quantization_config",)})
"""Mappings whose values are not merged: ``{type: int, low: 1, high: 8}`` is one value."""


def _is_atom(path: Path) -> bool:
    return path[:-1] in _ATOMS


def _leaves(data: Data, path: Path = ()) -> Iterator[tuple[Path, object]]:
    for key, value in data.items():
        here = (*path, str(key))
        if value is None and not any(here[: len(free)] == free for free in FREE if len(here) > len(free)):
            continue
        if isinstance(value, Mapping) and value and not _is_atom(here):
            yield from _leaves(value, here)
        else:
            yield here, value


def _put(
    leaves: dict[Path, tuple[object, str]], claimed: dict[Path, str], path: Path, value: object, layer: str
) -> None:
    """Set a leaf; what it stands in the place of goes. An empty mapping leaves the keys that are there."""
    inside = [other for other in leaves if len(other) > len(path) and other[: len(path)] == path]
    if inside and isinstance(value, Mapping) and not value:
        return
    above = [path[:length] for length in range(1, len(path)) if path[:length] in leaves]
    for other in (*inside, *above):
        del leaves[other]
        claimed.pop(other, None)
    leaves[path] = value, layer


def _nested(leaves: Mapping[Path, tuple[object, str]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for path, (value, _) in leaves.items():
        holder = data
        for key in path[:-1]:
            holder = holder.setdefault(key, {})
        holder[path[-1]] = copy.deepcopy(value)
    return data


def _check_agreement(layer: str, added: Mapping[Path, object], found: Mapping[Path, Claim]) -> None:
    first: dict[str, Path] = {}
    for path, claim in found.items():
        other = first.setdefault(claim.setting, path)
        if _text(added[other]) != _text(added[path]):
            raise AutotunerError(
                ErrorCode.CONTRADICTION,
                f"{place(other)} and {place(path)} are one setting",
                why=f"{_text(added[other])} and {_text(added[path])} in one layer, {layer}",
                remedy="Keep one of them",
                place=place(path),
            )


def _text(value: object) -> str:
    try:
        return canonical_json(value)
    except (TypeError, ValueError):  # what no document may hold is found when it is checked
        return repr(value)


def _one_form(data: Data) -> Data:
    """The same with one form for what may be written in two, so that layers meet in the same keys."""
    changed = dict(data)
    slo = changed.get("slo")
    if isinstance(slo, Mapping):
        changed["slo"] = {key: _by_statistic(key, value) for key, value in slo.items()}
    benchmark = changed.get("benchmark")
    if isinstance(benchmark, Mapping):
        made = dict(benchmark)
        if "benchmark_engine" in made and made.get("engine", made["benchmark_engine"]) == made["benchmark_engine"]:
            made["engine"] = made.pop("benchmark_engine")
        if isinstance(made.get("dataset"), str):
            made["dataset"] = {"path": made["dataset"]}
        changed["benchmark"] = made
    return changed


def _by_statistic(metric: str, given: object) -> object:
    """A limit that names no statistic as one on the mean; what mixes both is left for the check of the document."""
    if metric not in ("ttft", "tpot", "latency") or not isinstance(given, Mapping):
        return given
    flat = any(key in Target.model_fields for key in given)
    return {"mean": given} if flat and not any(key in Targets.model_fields for key in given) else given

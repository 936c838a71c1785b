"""Puts a task document together from its layers: profiles, presets, what it says itself, overrides, the GPUs.

The document that comes out has every value in its place, and in ``assembled`` which layer gave what is not its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotuner.config.document import ENDPOINT_MODE, TaskDocument
from autotuner.config.layers import (
    DOCUMENT,
    GPU_CAP,
    SLO_CONFIG,
    USER_PATCH,
    USER_REPLACE,
    Layer,
    LayerContext,
    assemble,
    resolve,
)
from autotuner.config.load import check_part, validate
from autotuner.config.structured import STRUCTURED
from autotuner.contracts.engine import Engine
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.planning.claims import engine_claims
from autotuner.planning.gpu_cap import cap_sizes
from autotuner.planning.neutral import Neutral
from autotuner.presets.dialect import Dialect
from autotuner.presets.layering import LAYER, NO_PRESETS, Chosen, preset_layers, records, replaced
from autotuner.services.host import host_facts
from autotuner.services.planning import installed_engine_of
from autotuner.services.preset_runtimes import dialects_of
from autotuner.services.profiles import ProfileBook, profile_layers
from autotuner.services.settings import Settings

KEPT_BY_REPLACE = ("task_name", "model", "base_runtime", "deployment_mode")
"""Keys that stay when overrides stand for the whole configuration."""

REQUESTS = ("profiles", "presets", "merge_strategy", "assembled")
"""Keys that ask for layers, and the record of them: they do not stay as they are."""

BASE = "base"


@dataclass(frozen=True)
class Parts:
    """What a document is made from."""

    document: Mapping[str, Any]
    """What the document itself says."""
    profiles: Sequence[str] = ()
    presets: Chosen = NO_PRESETS
    """Stored presets, stronger than profiles."""
    own: str = DOCUMENT
    """Name of the document's layer."""
    below: Sequence[Layer] = ()
    """Weaker than all of them: base, deployment mode, engine."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False
    """Whether the overrides stand for the whole configuration; else they change single keys."""
    slo_config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Assembled:
    """A document, and how it came about."""

    document: TaskDocument
    data: dict[str, Any]
    """What the layers give, as plain data."""
    applied_layers: tuple[str, ...]
    provenance: Mapping[str, str]
    """Key path → the one layer that set it."""
    warnings: tuple[str, ...]
    """Whole sentences: profiles that there are not, what an engine lacks, what the number of GPUs changed."""


def assemble_document(parts: Parts, book: ProfileBook, settings: Settings, *, name: str) -> Assembled:
    """Merge the layers of a document, the weakest first, and check the whole; ``name`` stands for it in errors.

    An unknown profile is left out with a warning. AutotunerError: everything that ``config.load.validate`` finds wrong
    (what the document itself says first), CONTRADICTION for two values of one setting in one layer, EMPTY_SPACE for
    profiles of which none says what is searched, and as of ``presets.layering.preset_layers``.
    """
    check_part(dict(parts.document), name=name)
    lower = assemble(parts.below)
    said = assemble([Layer(BASE, lower.data), Layer(parts.own, parts.document), Layer(USER_PATCH, parts.overrides)])
    part = check_part(said.data, name=name)
    engine, info = installed_engine_of(part, settings)
    gpus = part.system_config.total_gpus
    if gpus is None and not info.cpu_build and engine.own_deployment is None and not part.measures_endpoint:
        gpus = host_facts(gpus=engine.world_size({}) is not None).gpus or None
    context = LayerContext(
        base_runtime=engine.name,
        deployment_mode=part.deployment_mode,
        model_name=part.model.files[0] if part.model.files else "",
        total_gpus=gpus,
        gpu_type=part.system_config.gpu_type,
    )
    dialect = Dialect(engine)
    presets = preset_layers(
        NO_PRESETS if parts.replace else parts.presets, dialect, dialects_of(parts.presets), model=context.model_name
    )
    warnings: list[str] = list(presets.notes)
    layers: list[Layer]
    if parts.replace:
        layers = [_kept(layer) for layer in (*parts.below, Layer(parts.own, parts.document))]
        layers.append(Layer(USER_REPLACE, parts.overrides))
    else:
        profiles = _profile_layers(parts.profiles, book, context, engine, warnings)
        layers = [*parts.below, *profiles, *presets.layers, Layer(parts.own, parts.document)]
        layers.append(Layer(USER_PATCH, parts.overrides))
    layers.append(Layer(SLO_CONFIG, {"slo": parts.slo_config} if parts.slo_config else {}))
    layers = resolve(layers, context)
    claims = engine_claims(Neutral(engine.neutral, engine.catalogue), engine.catalogue)
    made = assemble(layers, context, claims)
    check_part(made.data, name=name)  # before the sizes are looked at
    if not info.cpu_build and not part.measures_endpoint:
        cap = cap_sizes(made.data, engine, gpus)
        warnings += cap.notes
        if cap.data:
            layers.append(Layer(GPU_CAP, cap.data))
            made = assemble(layers, context, claims)
    _check_searched(parts, book, made.data)
    warnings += replaced(presets, made.provenance)
    data = {key: value for key, value in made.data.items() if key not in REQUESTS}
    origins = {place: layer for place, layer in made.provenance.items() if place.partition(".")[0] in data}
    applied = _applied(layers, records(presets, origins, dialect), parts.own)
    record = _record(parts, applied, presets.rules, origins, warnings)
    return Assembled(
        document=validate({**data, **record}, name=name),
        data=data,
        applied_layers=tuple(layer["name"] for layer in applied),
        provenance=origins,
        warnings=tuple(warnings),
    )


def _kept(layer: Layer) -> Layer:
    """What overrides that stand for the whole configuration leave of a layer."""
    data = layer.data if isinstance(layer.data, Mapping) else {}
    return Layer(layer.name, {key: data[key] for key in KEPT_BY_REPLACE if key in data})


def _profile_layers(
    names: Sequence[str],
    book: ProfileBook,
    context: LayerContext,
    engine: Engine,
    warnings: list[str],
) -> list[Layer]:
    """The layers of the named profiles in the engine's names; what is not known or left out becomes a warning."""
    layers: list[Layer] = []
    for name in dict.fromkeys(names):
        profile = book.profiles.find(name)
        if profile is None:
            warnings.append(f"there is no profile {name!r}, so it is left out. {book.profiles.advice(name)}")
            continue
        made = profile_layers(profile, context, engine)
        layers += made.layers
        warnings += [f"profile {name}: {note}" for note in made.notes]
    if any(book.profiles.find(name) is None for name in names):
        warnings += [str(problem) for problem in book.problems]
    return layers


def _check_searched(parts: Parts, book: ProfileBook, data: Mapping[str, Any]) -> None:
    if data.get("deployment_mode") == ENDPOINT_MODE:
        return
    used = [name for name in parts.profiles if book.profiles.find(name) is not None]
    searched = ("parameters", *STRUCTURED)
    files = data.get("model", {}).get("id_or_path")
    environment = data.get("runtime", {}).get("env")
    if not used or parts.replace or any(data.get(key) for key in searched) or isinstance(files, list) or environment:
        return
    one = len(used) == 1
    raise AutotunerError(
        ErrorCode.EMPTY_SPACE,
        f"the profile{'' if one else 's'} {' and '.join(used)} say{'s' if one else ''} nothing of what is searched",
        why="no parameter is given, by the profile or by the document" if one else "no parameter is given",
        remedy=f"Combine it with another one, such as profiles: [balanced, {used[-1]}], or give parameters",
        place="profiles",
    )


def _applied(layers: Sequence[Layer], presets: Sequence[Mapping[str, Any]], own: str) -> list[Mapping[str, Any]]:
    """Every layer as it is recorded, the weakest first; presets one by one, though what several give is one layer."""
    made: list[Mapping[str, Any]] = []
    for layer in layers:
        made += presets if layer.name == own else ()
        made += [] if layer.name.startswith(LAYER) else [{"name": layer.name}]
    return made


def _record(
    parts: Parts,
    applied: Sequence[Mapping[str, Any]],
    rules: Sequence[Mapping[str, Any]],
    origins: Mapping[str, str],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The block that stays with the document: what an earlier record says goes on to hold for what is its own."""
    before = parts.document.get("assembled") or {}
    known = dict(before.get("origins") or {})
    given = {place: layer if layer != DOCUMENT else known.get(place, DOCUMENT) for place, layer in origins.items()}
    return {
        "assembled": {
            "layers": [*(before.get("layers") or []), *(layer for layer in applied if layer["name"] != DOCUMENT)],
            "rules": [*(before.get("rules") or []), *rules],
            "origins": {place: layer for place, layer in given.items() if layer != DOCUMENT},
            "notes": [*(before.get("notes") or []), *warnings],
        }
    }

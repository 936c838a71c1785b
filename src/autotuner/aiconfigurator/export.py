"""Task documents as files of aiconfigurator: generation A (one configuration) or D (a search space).

What was imported and not changed since is written as it was read: the file itself is in the document's metadata, and
only those of its values are replaced which the document now says otherwise.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from autotuner.aiconfigurator.content import Placement, Role
from autotuner.aiconfigurator.launching import Launching
from autotuner.aiconfigurator.servers import SHORT
from autotuner.aiconfigurator.vocabulary import FIELDS, word_there
from autotuner.config.document import TaskDocument
from autotuner.config.parameters import Choices, Fixed, ParameterSpec
from autotuner.config.problems import DocumentError, Problem
from autotuner.config.scenario import parse_traffic
from autotuner.config.structured import Setting, presets, settings
from autotuner.config.text import Data
from autotuner.contracts.errors import ErrorCode
from autotuner.contracts.values import Scalar, canonical_json

Format = Literal["A", "D"]

MAX_COMBINATIONS = 20_000

Path = tuple[str, ...]
Given = Mapping[tuple[str, str], Setting]
"""Settings of a document by group and neutral name."""

IN_ONE: Mapping[tuple[str, str], str] = {
    ("scheduling", "max_num_seqs"): "max_batch_size",
    ("memory", "memory_fraction"): "mem_fraction_static",
    ("scheduling", "chunked_prefill"): "enable_chunked_prefill",
    ("scheduling", "max_prefill_batch_size"): "max_prefill_batch_size",
}
"""Setting → key in advanced_tuning_config of A."""

IN_SPACE: Mapping[tuple[str, str], str] = {
    ("memory", "memory_fraction"): "free_gpu_memory_fraction",
    ("memory", "max_model_len"): "max_seq_len",
    ("scheduling", "chunked_prefill"): "enable_chunked_prefill",
}
"""Setting → key of D."""

PLACED = frozenset(
    {"tp", "pp", "dp", "cp", "ep", "moe_tp", "enable_expert_parallel", "enable_dp_attention", "strict_dp"}
)
"""Fields of parallel_config that make a layout."""

FIGURES = {"throughput": ("mean_output_throughput", 1.0), "ttft": ("mean_ttft", 1e3), "tpot": ("mean_tpot", 1e3)}
"""Predicted figure of A → our metric, and the factor from its unit."""


@dataclass(frozen=True)
class Exported:
    """A file's data, and what of the document does not stand in it."""

    data: dict[str, Data]
    left_out: tuple[str, ...]
    """Whole sentences."""


def export(
    document: TaskDocument, form: Format, launching: Launching, *, imported: TaskDocument | None = None
) -> Exported:
    """The document as a file of generation ``form``.

    ``imported``: what the file in the document's metadata becomes when it is imported now; None: it was imported from
    no file of that generation. DocumentError: UNSUPPORTED for what the file cannot hold (several values in A, a layout
    that aiconfigurator does not have).
    """
    role = role_of(document)
    wanted, left_out = _fields(document, form, role, launching)
    data: dict[str, Any] = {}
    if imported is None:
        _put_all(data, wanted)
    else:
        data = copy.deepcopy(dict(raw_of(document, form) or {}))
        before, derived = _fields(imported, form, role, launching)
        # What the import itself made of the file is no loss.
        left_out = [sentence for sentence in left_out if sentence not in derived]
        changed = [path for path in {**before, **wanted} if wanted.get(path) != before.get(path)]
        _put_all(data, {path: wanted.get(path) for path in changed})
    if form == "D":
        name = document.metadata.get("aiconfigurator_experiment")
        name = name if isinstance(name, str) and name not in ("", "exps") else "imported"
        data = {"exps": [name], name: data}
    return Exported(data, tuple(left_out))


def raw_of(document: TaskDocument, form: Format) -> Mapping[str, Data] | None:
    """The file that the document was imported from, if it was of that generation."""
    raw = document.metadata.get("aiconfigurator_source_raw")
    if document.metadata.get("aiconfigurator_generation") != form or not isinstance(raw, dict):
        return None
    found: dict[str, Any] = dict(raw)
    return found


def role_of(document: TaskDocument) -> Role:
    """What the document's servers do."""
    match document.metadata.get("aiconfigurator_role"):
        case "prefill":
            return "prefill"
        case "decode":
            return "decode"
        case _:
            return "agg"


def _fields(
    document: TaskDocument, form: Format, role: Role, launching: Launching
) -> tuple[dict[Path, Data], list[str]]:
    """Values by their key path, and what is left out."""
    left_out: list[str] = []
    given: Given = {(setting.group, setting.name): setting for setting in settings(document)}
    found: dict[Path, Data] = _one(document, given, role, launching, left_out) if form == "A" else {}
    if form == "D":
        found = {(key,): value for key, value in _space(document, given, role, launching, left_out).items()}
    return {path: value for path, value in found.items() if value is not None}, left_out


# ---- one configuration


def _one(
    document: TaskDocument, given: Given, role: Role, launching: Launching, left_out: list[str]
) -> dict[Path, Data]:
    several = next((setting.place for setting in given.values() if len(_values(setting)) != 1), None)
    if several is not None:
        raise _refused(
            several,
            "the file holds one configuration, and several values are searched",
            "Keep one value, or write a search space with --format exp",
        )
    placements, experts = _placements(document, given, launching)
    (one,) = placements
    workers = "worker_config" if role == "agg" else f"{role}_worker_config"
    sizes = ["tp", "pp", "dp", *(["cp"] if one.cp > 1 else []), *(["moe_tp", "moe_ep"] if experts else [])]
    found: dict[Path, Data] = {
        ("model_name",): _model(document),
        ("serving_mode",): "agg" if role == "agg" else "disagg",
        ("system_name",): document.system_config.gpu_type,
        **{(workers, size): getattr(one, size) for size in sizes},
    }
    for precision, word in _precisions(given, left_out).items():
        found[workers, f"{precision}_quant_mode"] = word
    for name, value in _predicted(document).items():
        found["predicted_metrics", name] = value
    for setting, key in IN_ONE.items():
        if setting in given:
            found["advanced_tuning_config", key] = _values(given[setting])[0]
    requests = found.get(("advanced_tuning_config", "max_batch_size"))
    if isinstance(requests, int):
        found["advanced_tuning_config", "max_batch_size"] = launching.batch(requests, one, experts=experts)
    found |= {(key,): value for key, value in _lengths(document, role, left_out).items()}
    left_out += _unsaid(document, given, IN_ONE)
    if _targets(document, []):
        left_out.append("slo: the file holds no limits")
    return found


def _predicted(document: TaskDocument) -> dict[str, float]:
    predicted = document.metadata.get("predicted")
    figures = predicted if isinstance(predicted, dict) else {}
    found: dict[str, float] = {}
    for name, (metric, factor) in FIGURES.items():
        value = figures.get(metric)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = _rounded(value * factor)
    return found


# ---- a search space


def _space(
    document: TaskDocument, given: Given, role: Role, launching: Launching, left_out: list[str]
) -> dict[str, Data]:
    prefix = "" if role == "agg" else f"{role}_"
    found: dict[str, Data] = {
        "serving_mode": "agg" if role == "agg" else "disagg",
        f"{prefix}model_path": _model(document),
        f"{prefix}system_name": document.system_config.gpu_type,
        f"{prefix}backend_name": launching.backend,
        "total_gpus": document.system_config.total_gpus,
        **_lengths(document, role, left_out),
        **_targets(document, left_out),
    }
    for precision, word in _precisions(given, left_out).items():
        found[f"{prefix}{precision}_quant_mode"] = word
    for setting, key in IN_SPACE.items():
        if setting in given:
            name = f"{prefix}{key}" if setting[0] == "scheduling" else key
            found[name] = _first(given[setting], left_out)
    placements, experts = _placements(document, given, launching)
    for size in SHORT:
        values = sorted({int(getattr(placement, size)) for placement in placements})
        if experts or size in ("tp", "pp", "dp") or values != [1]:
            found[f"{role}_{size}_candidates"] = [*values]
    found[f"{role}_num_gpu_candidates"] = [*sorted({placement.gpus for placement in placements})]
    left_out += _unsaid(document, given, IN_SPACE)
    return found


def _targets(document: TaskDocument, left_out: list[str]) -> dict[str, Data]:
    """Limits in ms."""
    found: dict[str, Data] = {}
    slo = {"ttft": document.slo.ttft, "tpot": document.slo.tpot, "request_latency": document.slo.latency}
    for key, targets in slo.items():
        limits = {} if targets is None else targets.given()
        mean = limits.pop("mean", None)
        if mean is not None:
            found[key] = _rounded(mean.threshold * 1000)
        if limits:
            left_out.append(f"slo, {key}: aiconfigurator limits means, and not {', '.join(limits)}")
    return found


# ---- what both have


def _placements(document: TaskDocument, given: Given, launching: Launching) -> tuple[list[Placement], bool]:
    """aiconfigurator's layouts for the document's, each once, and whether any spreads experts."""
    names = [name for group, name in given if group == "parallel"]
    lists = [_values(given["parallel", name]) for name in names]
    if math.prod(len(values) for values in lists) > MAX_COMBINATIONS:
        raise _refused("parallel_config", f"it has more than {MAX_COMBINATIONS} combinations", "Give shorter lists")
    gpus = document.system_config.total_gpus or math.inf
    found: dict[Placement, None] = {}
    experts, why = False, "each layout needs more GPUs than there are"
    for values in product(*lists):
        try:
            placement, spread = launching.placement(dict(zip(names, values, strict=True)))
        except ValueError as error:
            why = str(error)
            continue
        if placement.gpus <= gpus:
            found[placement] = None
            experts = experts or spread
    if not found:
        raise _refused("parallel_config", why, "Correct the sizes")
    return list(found), experts


def _precisions(given: Given, left_out: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for precision, field in FIELDS.items():
        setting = given.get(("quant", field))
        if setting is None:
            continue
        value = _first(setting, left_out)
        word = word_there(precision, value)
        if word is not None:
            found[precision] = word
        elif value != "auto":
            left_out.append(f"{setting.place} {canonical_json(value)}: aiconfigurator has no such precision")
    return found


def _lengths(document: TaskDocument, role: Role, left_out: list[str]) -> dict[str, Data]:
    """isl, osl and prefix of the workload; nothing where it is no single fixed length."""
    scenarios = document.benchmark.traffic_scenarios
    traffic = parse_traffic(scenarios[0])
    scenario = traffic.parts[0][1]
    fixed = scenario.prompt.kind == scenario.output.kind == "fixed" and not scenario.from_dataset
    if len(scenarios) > 1 or len(traffic.parts) > 1 or scenario.turns > 1 or not fixed:
        left_out.append("benchmark.traffic_scenarios: aiconfigurator knows one length of prompts and one of answers")
        return {}
    found: dict[str, Data] = {"isl": round(scenario.prompt.mean), "prefix": scenario.prefix or None}
    # The servers of prompts are asked for one token, which says nothing of the answers.
    return found if role == "prefill" else {**found, "osl": round(scenario.output.mean)}


def _unsaid(document: TaskDocument, given: Given, held: Mapping[tuple[str, str], str]) -> list[str]:
    """Settings that the file has no place for. ``held``: those of memory and scheduling that it has."""
    left = [
        setting.place
        for (group, name), setting in given.items()
        if (group == "parallel" and name not in PLACED)
        or (group in ("memory", "scheduling") and (group, name) not in held)
    ]
    left += [f"parameters.{name}" for name in document.parameters]
    left += [f"{prefix}_config.presets" for prefix in presets(document)]
    return [f"{place}: aiconfigurator has nothing of that kind" for place in left]


def _first(setting: Setting, left_out: list[str]) -> Scalar:
    """The value that the file gets where it holds one."""
    values = _values(setting)
    if len(values) > 1:
        left_out.append(f"{setting.place}: the file holds one value, {canonical_json(values[0])}")
    return values[0]


def _values(setting: Setting) -> tuple[Scalar, ...]:
    return values_of(setting.spec)


def values_of(spec: ParameterSpec) -> tuple[Scalar, ...]:
    """The values of a fixed value or a list; of a range its ends, which stand for it."""
    match spec:
        case Fixed():
            return (spec.value,)
        case Choices():
            return spec.values
        case _:
            return (spec.low, spec.high)


def _model(document: TaskDocument) -> str:
    files = document.model.files
    if not files:
        raise _refused("model.id_or_path", "no model is named", "Name it")
    return files[0]


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")


def _put_all(data: dict[str, Any], fields: Mapping[Path, Data]) -> None:
    """Set values by their key paths; None takes one out."""
    for path, value in fields.items():
        here = data
        for key in path[:-1]:
            inner = here.get(key)
            if not isinstance(inner, dict):
                inner = here[key] = {}
            here = inner
        if value is None:
            here.pop(path[-1], None)
        else:
            here[path[-1]] = value


def _refused(place: str, why: str, remedy: str) -> DocumentError:
    return DocumentError("the task", [Problem(ErrorCode.UNSUPPORTED, place, why, remedy)])

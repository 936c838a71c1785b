"""From what a file says to task documents, with a report of what came over otherwise, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from autotuner.aiconfigurator.content import GENERATIONS, MAX_PLACEMENTS, UNSEEN, Content, Placement, Role, Server
from autotuner.aiconfigurator.launching import Launching, Limits, Load, Possible
from autotuner.aiconfigurator.vocabulary import FIELDS, SYSTEMS, model_id, translate
from autotuner.aiconfigurator.workload import LIMITED, fill_in, rounded, slo
from autotuner.config.problems import DocumentError, Problem
from autotuner.config.text import Data
from autotuner.contracts.errors import ErrorCode
from autotuner.contracts.values import Scalar

PREDICTED = {
    "ttft": ("mean_ttft", 1e-3),
    "tpot": ("mean_tpot", 1e-3),
    "request_latency": ("mean_e2e_latency", 1e-3),
    "throughput": ("mean_output_throughput", 1.0),
    "throughput_per_gpu": ("mean_output_throughput_per_gpu", 1.0),
    "requests": ("requests_per_second", 1.0),
}
"""Predicted figure → our metric and the factor to its unit."""

MAX_NAME = 255


@dataclass(frozen=True)
class Loss:
    """Something that the file says and the document says otherwise, or not at all."""

    place: str
    """Key path in the file."""
    said: str
    became: str
    """What stands in the document instead."""
    why: str


@dataclass(frozen=True)
class Imported:
    """One task that a file becomes."""

    name: str
    role: Role
    document: dict[str, Data]
    """Plain data, not validated yet."""
    content: Content
    losses: tuple[Loss, ...]
    kept: tuple[str, ...]
    """Known keys of the file that have no counterpart."""
    remarks: tuple[str, ...]


def tasks(content: Content, launching: Launching, possible: Possible) -> list[Imported]:
    """One task, or two linked ones for a disaggregated deployment.

    DocumentError: UNSUPPORTED for a layout that the engine cannot do, CONTRADICTION for sizes that do not fit together.
    """
    return [_task(content, server, launching, possible) for server in content.servers]


def task_name(content: Content, server: Server) -> str:
    """``aiconfig-<model>-tp<tp>-pp<pp>``; several sizes are joined by dashes, and a role other than agg is added."""
    model = content.model.lower().replace("/", "-")
    tp, pp = ("-".join(map(str, sizes)) for sizes in (server.tp, server.pp))
    ending = f"-tp{tp}-pp{pp}" + ("" if server.role == "agg" else f"-{server.role}")
    return f"aiconfig-{model}"[: MAX_NAME - len(ending)] + ending


def _task(content: Content, server: Server, launching: Launching, possible: Possible) -> Imported:
    losses: list[Loss] = []
    remarks = list(content.remarks)
    if content.generation in UNSEEN:
        remarks.append(
            f"{GENERATIONS[content.generation]} is read from its description: no such file of aiconfigurator's own was "
            "at hand"
        )
    experts = server.experts if content.experts is None else content.experts
    spread = experts and (server.experts or max(server.tp) * max(server.dp) == 1)
    if experts and not spread:
        remarks.append("the file does not say how the experts are spread over GPUs, so the engine decides")
    parallel, first = _parallel(content, server, launching, experts=spread)
    limits = launching.limits(Load(server.role, content.isl, content.osl, server.batch, first, spread))
    name = task_name(content, server)
    model, remark = model_id(content.model)
    remarks += [remark] if remark else []
    document: dict[str, Any] = {
        "task_name": name,
        "description": f"from {GENERATIONS[content.generation]} of aiconfigurator",
        "base_runtime": launching.engine,
        "model": {"id_or_path": model},
        "system_config": _given(
            {
                "gpu_type": None if content.system is None else SYSTEMS.get(content.system, content.system),
                "total_gpus": content.total_gpus,
            }
        ),
        "parallel_config": parallel,
        "quant_config": _quant(server, experts, possible, losses),
        **_limits(content, server, limits, possible, losses),
        "parameters": {key: [value] for key, value in limits.parameters.items()},
        "optimization": {"objective": "maximize_throughput"},
        "benchmark": {},
        "slo": slo(content, server.role),
        "metadata": _metadata(content, server, name),
    }
    fill_in(content, server, first, document, remarks)
    remarks += _roles(content, server)
    cleaned = {key: value for key, value in document.items() if value != {}}
    unused = {"comm", *(() if experts else ("moe",))}
    kept = (*content.kept, *(place for precision, place in server.places.items() if precision in unused))
    return Imported(name, server.role, cleaned, content, tuple(losses), kept, tuple(remarks))


def _given(values: Mapping[str, Data]) -> dict[str, Data]:
    return {key: value for key, value in values.items() if value is not None}


# ---- layout


def _parallel(
    content: Content, server: Server, launching: Launching, *, experts: bool
) -> tuple[dict[str, Any], Placement]:
    """Fields of parallel_config with the values of all layouts that the engine can do, and the first layout."""
    if server.size > MAX_PLACEMENTS:
        raise _error(content, ErrorCode.UNSUPPORTED, f"it has {server.size} layouts", "Give shorter lists")
    found: dict[str, list[Scalar]] = {}
    first: Placement | None = None
    refused: str | None = None
    for placement in islice(server.placements(experts=experts, total_gpus=content.total_gpus), MAX_PLACEMENTS):
        try:
            fields = launching.fields(placement, experts=experts)
        except ValueError as error:
            refused = str(error)
            continue
        first = first or placement
        for field, value in fields.items():
            values = found.setdefault(field, [])
            if not any(type(value) is type(known) and value == known for known in values):
                values.append(value)
    if first is None:
        raise _no_layout(content, server, launching, refused, experts=experts)
    listed: dict[str, Any] = {field: _in_order(values) for field, values in found.items()}
    # It is no size, so it has one value.
    if "strict_dp" in listed:
        listed["strict_dp"] = False
    return listed, first


def _in_order(values: list[Scalar]) -> list[Scalar]:
    numbers = [value for value in values if isinstance(value, int)]
    return [*sorted(numbers)] if len(numbers) == len(values) else values


def _no_layout(
    content: Content, server: Server, launching: Launching, refused: str | None, *, experts: bool
) -> DocumentError:
    if refused is not None:
        return _error(content, ErrorCode.UNSUPPORTED, refused, f"Import it for another engine than {launching.engine}")
    if content.searches:
        return _error(
            content,
            ErrorCode.CONTRADICTION,
            "no combination of its sizes is one that aiconfigurator allows",
            "Correct the lists",
        )
    only = Placement(
        *(sizes[0] for sizes in (server.tp, server.pp, server.dp, server.cp, server.moe_tp, server.moe_ep))
    )
    if not only.legal(experts=experts):
        wide, there = only.moe_tp * only.moe_ep, only.tp * only.dp
        why = (
            f"moe_tp × moe_ep is {wide} and tp × dp is {there}: the experts take all GPUs of a pipeline stage"
            if experts
            else f"moe_tp × moe_ep is {wide}, and the model is no mixture of experts"
        )
        return _error(content, ErrorCode.CONTRADICTION, why, "Correct the sizes")
    return _error(
        content,
        ErrorCode.CONTRADICTION,
        f"one server has {only.gpus} GPUs, and there are {content.total_gpus}",
        "Correct total_gpus or the sizes",
    )


def _error(content: Content, code: ErrorCode, why: str, remedy: str) -> DocumentError:
    name = content.model if content.experiment is None else f"{content.experiment} ({content.model})"
    return DocumentError(name[:200], [Problem(code, "", why, remedy)])


# ---- precision and limits


def _quant(server: Server, experts: bool, possible: Possible, losses: list[Loss]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for precision, field in FIELDS.items():
        said = server.precision.get(precision)
        # Files give the experts' precision of dense models, too.
        if said is None or (precision == "moe" and not experts):
            continue
        ours = translate(precision, said)
        refusal = None if ours.why else possible("quant", field, ours.value)
        value, why = (ours.value, ours.why) if refusal is None else ("auto", refusal)
        if why:
            losses.append(Loss(server.places.get(precision, precision), said, f"quant_config.{field} {value}", why))
        found[field] = [value]
    return found


def _limits(
    content: Content, server: Server, limits: Limits, possible: Possible, losses: list[Loss]
) -> dict[str, dict[str, Any]]:
    """The blocks memory_config, scheduling_config and advanced_tuning_config."""
    context, chunked = content.max_model_len or limits.max_model_len, content.chunked_prefill
    asked: list[tuple[str, str, str, str, Scalar, bool]] = [
        # block, field, group, neutral name, value, searched
        ("memory_config", "gpu_memory_utilization", "memory", "memory_fraction", content.memory_fraction, True),
        ("memory_config", "max_model_len", "memory", "max_model_len", context, False),
        ("scheduling_config", "max_num_seqs", "scheduling", "max_num_seqs", limits.max_num_seqs, True),
        (
            "scheduling_config", "max_num_batched_tokens", "scheduling", "max_num_batched_tokens",
            limits.max_num_batched_tokens, True,
        ),
        ("scheduling_config", "chunked_prefill_enabled", "scheduling", "chunked_prefill", chunked, True),
        (
            "advanced_tuning_config", "max_prefill_batch_size", "scheduling", "max_prefill_batch_size",
            content.max_prefill_batch, True,
        ),
    ]  # fmt: skip
    blocks: dict[str, dict[str, Any]] = {}
    for block, field, group, name, value, searched in asked:
        if value is None:
            continue
        refusal = possible(group, name, value)
        if refusal is not None:
            losses.append(Loss(field, str(value), "nothing", refusal))
            continue
        # What is searched has the engine's default in the baseline; the context is the workload's and holds for both.
        blocks.setdefault(block, {})[field] = [value] if searched else value
    return blocks


# ---- what is told


def _metadata(content: Content, server: Server, name: str) -> dict[str, Any]:
    predicted = {
        metric: rounded(content.predicted[figure] * factor)
        for figure, (metric, factor) in PREDICTED.items()
        if figure in content.predicted and _of_role(figure, server.role)
    }
    others = [task_name(content, other) for other in content.servers if other is not server]
    found: dict[str, Any] = {
        "aiconfigurator_source": "imported",
        "config_format": "structured",
        "aiconfigurator_generation": content.generation,
        "aiconfigurator_experiment": content.experiment,
        "aiconfigurator_role": server.role if content.disaggregated else None,
        "aiconfigurator_linked_tasks": others or None,
        "aiconfigurator_servers": server.count,
        "aiconfigurator_predictions": None if content.predictions is None else dict(content.predictions),
        "predicted": predicted or None,
        "aiconfigurator_source_raw": dict(content.raw),
    }
    return _given(found)


def _of_role(figure: str, role: Role) -> bool:
    return role == "agg" or figure in LIMITED[role]


def _roles(content: Content, server: Server) -> Iterable[str]:
    if server.role == "prefill":
        yield (
            "prompts and answers have servers of their own there: this task tunes those of the prompts, which are "
            "asked for one token, and the linked one those of the answers"
        )
    elif server.role == "decode":
        yield (
            "this task's servers compute the prompts, too, which others do there: their time per token is above what "
            "was predicted, and comparing configurations is what it is good for"
        )
    if server.count is not None and server.count > 1:
        yield f"the file has {server.count} such servers; one is started and measured"

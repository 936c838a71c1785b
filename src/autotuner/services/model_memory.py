"""What a model is, and what it needs on a kind of GPU in each layout: the answer of ``autotuner model show``."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.engines.memory_policies import memory_policy
from autotuner.engines.model_folder import read_model_folder
from autotuner.modelling.facts import ModelFacts
from autotuner.modelling.gpus import GpuType, gpu_type
from autotuner.modelling.layout import Layout, check_context, check_layout
from autotuner.modelling.memory import Fit, Load, Precision, fit, kv_cache
from autotuner.modelling.weights import (
    active_parameter_count,
    checkpoint_ratio,
    counted,
    parameter_count,
    weight_bits,
)

DEFAULT_CONTEXT = 8192
"""Tokens, where the model names no longest context."""

CLOSE = 0.05
"""The size of the weight files may differ from the counted one by this share without being mentioned."""


class LayoutNeed(Frozen):
    """One layout on one kind of GPU."""

    layout: Layout = Field(description="the parallel groups")
    label: str = Field(description="for people")
    gpus: int = Field(description="GPUs of one server")
    refused: str | None = Field(None, description="why the model cannot be laid out so; then nothing else is said")
    notes: tuple[str, ...] = Field((), description="what the layout costs")
    fit: Fit | None = Field(None, description="what the fullest GPU holds, and whether it can")


class ModelReport(Frozen):
    """A model, and its need on GPUs if a kind was asked for."""

    facts: ModelFacts = Field(description="what its files say")
    parameters: int = Field(description="weights")
    active_parameters: int = Field(description="weights that one token meets")
    weight_bytes: int = Field(description="size of all weights as they are loaded, bytes")
    kv_bytes_per_token: int = Field(description="KV cache of one token on one GPU that has the whole model, bytes")
    notes: tuple[str, ...] = Field(description="what a reader must know of these figures")
    gpu: GpuType | None = Field(None, description="the kind of GPU that was asked for")
    engine: str | None = Field(None, description="whose memory fraction counts")
    load: Load | None = Field(None, description="what the server is ready for")
    layouts: tuple[LayoutNeed, ...] = Field((), description="layouts from few GPUs to many")


def describe_model(path: str, precision: Precision) -> ModelReport:
    """The model in a folder. AutotunerError when it cannot be read or a type is unknown."""
    facts = read_model_folder(path)
    try:
        bits = weight_bits(facts, gemm=precision.gemm, moe=precision.moe)
        cache = kv_cache(facts, Layout(), precision.kv)
    except ValueError as error:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "a type is not known",
            why=str(error),
            remedy="Name one of the known types",
            place="--weights or --kv",
        ) from error
    return ModelReport(
        facts=facts,
        parameters=parameter_count(facts),
        active_parameters=active_parameter_count(facts),
        weight_bytes=round(sum(count * bits[part] / 8 for part, count in counted(facts).items())),
        kv_bytes_per_token=round(cache.per_token + cache.window_per_token),
        notes=tuple(_notes(facts)),
    )


def model_on_gpus(
    report: ModelReport,
    *,
    gpu: str,
    gpus: int,
    engine: str | None,
    precision: Precision,
    context: int | None,
    max_num_seqs: int,
    max_num_batched_tokens: int,
    memory_fraction: float | None,
) -> ModelReport:
    """The same with the need of each layout of up to ``gpus`` GPUs.

    AutotunerError for a GPU, an engine or a type that is unknown, and for a context that the model cannot have.
    """
    kind = gpu_type(gpu, place="--gpu")
    name, policy = memory_policy(engine)
    facts = report.facts
    longest = context or facts.max_positions or DEFAULT_CONTEXT
    remark = check_context(facts, longest)
    if remark is not None:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "the context is too long",
            why=remark.sentence,
            remedy=f"Name at most {facts.max_positions} tokens",
            place="--context",
        )
    load = Load(
        context=longest,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        memory_fraction=memory_fraction,
    )
    needs = []
    for layout in layouts_of(facts, gpus):
        label = layout.label(experts=facts.experts is not None)
        remarks = check_layout(facts, layout)
        refused = next((remark.sentence for remark in remarks if remark.kind == "error"), None)
        needs.append(
            LayoutNeed(
                layout=layout,
                label=label,
                gpus=layout.gpus,
                refused=refused,
                notes=tuple(remark.sentence for remark in remarks if remark.kind == "note"),
                fit=fit(facts, kind, layout, load, policy, precision) if refused is None else None,
            )
        )
    return report.model_copy(update={"gpu": kind, "engine": name, "load": load, "layouts": tuple(needs)})


def layouts_of(facts: ModelFacts, gpus: int) -> Iterator[Layout]:
    """Layouts worth looking at: powers of two up to ``gpus`` GPUs, from few to many.

    Dense models: tp × pp, since data-parallel copies need the same on each GPU. Mixtures of experts: expert parallelism
    too, with the attention shared (tp) or copied (dp).
    """
    size = 1
    while size <= gpus:
        for pp in (1, 2, 4):
            if size % pp == 0:
                width = size // pp
                yield Layout(tp=width, pp=pp)
                if facts.experts is not None and width > 1:
                    yield Layout(tp=width, pp=pp, moe_ep=width)
                    yield Layout(dp=width, pp=pp, moe_ep=width)
        size *= 2


def _notes(facts: ModelFacts) -> Iterator[str]:
    yield from facts.notes
    ratio = checkpoint_ratio(facts)
    if ratio is not None and abs(ratio - 1) > CLOSE:
        meaning = "its figures are scaled to them" if facts.estimated else "the weights are taken as they are counted"
        yield f"the weight files hold {ratio:.2f} times what is counted; {meaning}"

"""Engines: their parameters, and what becomes of a task or of parameters with them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field, JsonValue, model_validator

from autotuner.config.document import TaskDocument
from autotuner.config.problems import DocumentError
from autotuner.contracts.engine import CatalogueParameter
from autotuner.contracts.listing import Page
from autotuner.engines.aiconfigurator import USUAL
from autotuner.server.bodies import Body, DescribedBy
from autotuner.server.context import Ctx
from autotuner.server.paging import Paging, cut
from autotuner.server.problems import documented
from autotuner.services.assembling import document_of
from autotuner.services.engine_blocks import EngineBlocks, engine_blocks
from autotuner.services.engine_checks import (
    Checked,
    LooseParameters,
    Preview,
    check_document,
    check_parameters,
    faults_of,
    preview,
)
from autotuner.services.engine_listing import (
    EngineSummary,
    ParameterQuery,
    ParameterType,
    find_parameters,
    list_engines,
)

router = APIRouter(prefix="/engines", tags=["engines"])

DocumentData = Annotated[dict[str, Any], DescribedBy(TaskDocument)]
"""A task document as plain data; the service says what is wrong with it."""

EXAMPLE_DOCUMENT: JsonValue = {
    "task_name": "first-look",
    "model": {"id_or_path": "tiny"},
    "parameters": {"n_ubatch": [16, 32]},
}


class ParameterFilter(Paging):
    """Which parameters of which version; all of it must hold."""

    version: Annotated[str, Field(min_length=1)] | None = Field(None, description="default: the newest known")
    search: str | None = Field(None, description="text in a name, a flag or the meaning; case is ignored")
    type: ParameterType | None = Field(None, description="only parameters of this type")
    commonly_tuned: bool = Field(False, description="only what is commonly tuned")
    dangerous: bool | None = Field(None, description="only what loads code, opens the network or reads files, or not")


class ParameterPage(Page[CatalogueParameter]):
    """A page of the parameters of one version of an engine."""

    engine: str = Field(description="name of the engine")
    version: str = Field(description="of the engine whose parameters these are")


class ValidateRequest(Body):
    """A whole task document, or an engine's parameters alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"document": EXAMPLE_DOCUMENT},
                {"base_runtime": USUAL.engine, "parameters": {"tp": [1, 2], "max-num-seqs": [64, 256]}},
            ]
        }
    )

    document: dict[str, Any] | None = Field(
        None, description="a task document; whatever it holds is looked at, and its schema is TaskDocument"
    )
    base_runtime: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="engine of the parameters; default: the default one"
    )
    version: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="of the engine whose parameters are meant; default: the newest known"
    )
    parameters: dict[str, Any] | None = Field(
        None, description="parameters as in a task document: a value, a list, or a range", min_length=1
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> ValidateRequest:
        if (self.document is None) == (self.parameters is None):
            raise ValueError("give either a document or parameters")
        if self.document is not None and (self.base_runtime is not None or self.version is not None):
            raise ValueError("base_runtime and version belong to parameters; a document has its own")
        return self


class PreviewRequest(Body):
    """A task that is to be looked at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"document": EXAMPLE_DOCUMENT}]})

    document: DocumentData = Field(description="a task document")


@router.get("", responses=documented(422), operation_id="list_engines", summary="List the engines")
async def engines(ctx: Ctx, asked: Annotated[Paging, Query()]) -> Page[EngineSummary]:
    """All engines, the default first: whether they can be started here, and which command lines are known."""
    return cut(await asyncio.to_thread(list_engines, ctx.settings), asked)


@router.post(
    "/validate",
    responses=documented(404, 422, 503),
    operation_id="validate_for_engine",
    summary="Check a task or parameters",
)
async def validate(ctx: Ctx, body: ValidateRequest) -> Checked:
    """Everything that is wrong with a task document, or with an engine's parameters. Nothing is stored or started.

    Also 200 when something is wrong: `valid` says so.
    """
    if body.parameters is not None:
        loose = LooseParameters(body.base_runtime, body.version, body.parameters)
        return await asyncio.to_thread(check_parameters, loose, ctx.settings)
    try:
        document = await document_of(body.document or {}, ctx.store, ctx.settings)
    except DocumentError as error:
        return Checked(valid=False, engine=None, problems=tuple(faults_of(error)))
    return await ctx.long_work.run(lambda: check_document(document, ctx.settings))


@router.post(
    "/preview",
    responses=documented(404, 409, 422, 501, 503),
    operation_id="preview_for_engine",
    summary="Preview a task",
)
async def show_preview(ctx: Ctx, body: PreviewRequest) -> Preview:
    """What a task would start: mapped arguments of the first configurations, how many there are, and what is excluded.

    It is the plan that a run follows. Nothing is stored or started.
    """
    document = await document_of(body.document, ctx.store, ctx.settings)
    return await ctx.long_work.run(lambda: preview(document, ctx.settings))


@router.get(
    "/{engine}/parameters",
    responses=documented(404, 422),
    operation_id="list_engine_parameters",
    summary="List an engine's parameters",
)
async def parameters(
    ctx: Ctx,
    engine: Annotated[str, Path(min_length=1, max_length=100, description="name of the engine")],
    asked: Annotated[ParameterFilter, Query()],
) -> ParameterPage:
    """The catalogue of an engine: names, flags, types, defaults, help, and what is worth tuning."""
    query = ParameterQuery(
        search=asked.search, type=asked.type, commonly_tuned=asked.commonly_tuned, dangerous=asked.dangerous
    )
    found = await asyncio.to_thread(find_parameters, engine, asked.version, query, ctx.settings)
    page = cut(found.parameters, asked)
    return ParameterPage(**dict(page), engine=found.engine, version=found.version)


@router.get(
    "/{engine}/blocks",
    responses=documented(404, 422),
    operation_id="list_engine_blocks",
    summary="List an engine's structured blocks",
)
async def blocks(
    engine: Annotated[str, Path(min_length=1, max_length=100, description="name of the engine")],
) -> EngineBlocks:
    """The blocks of a task document that hold for every engine, as this one takes them: fields, values, presets."""
    return await asyncio.to_thread(engine_blocks, engine)

"""Task documents before they are tasks: their schema, one to start from, and their two forms."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from autotuner.engines.registry import demonstration
from autotuner.planning.forms import Form
from autotuner.server.bodies import Asked, Body
from autotuner.server.context import Ctx
from autotuner.server.problems import documented
from autotuner.server.routers.engines import EXAMPLE_DOCUMENT, DocumentData
from autotuner.services.document_schema import document_schema
from autotuner.services.export import converted
from autotuner.services.starting import StartingPoint, Wish, starting_point
from autotuner.services.task_editing import free_name

router = APIRouter(prefix="/documents", tags=["documents"])


class StartFrom(Asked):
    """What is known already of the task."""

    model: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="name on a model hub, or path; default: one that is made here"
    )
    engine: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="inference engine; default: the one for the model, else one that can be started here"
    )
    profile: list[str] = Field([], description="profiles that say what is searched, in order")


class FormRequest(Body):
    """A document, and the form that it is wanted in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"document": EXAMPLE_DOCUMENT, "form": "structured"}]})

    document: DocumentData = Field(description="a task document; only the keys that it gives are looked at")
    form: Form = Field(description="flat: as parameters of the engine; structured: as fields of blocks")


class DocumentInForm(BaseModel):
    """The same document in another form."""

    document: dict[str, Any] = Field(description="the document; it plans the same configurations")
    stays: tuple[str, ...] = Field(description="key paths that have no counterpart in that form and stay")


@router.get("/schema", operation_id="get_document_schema", summary="Show the schema of task documents")
async def schema() -> dict[str, Any]:
    """The JSON Schema of a task document, for editors and forms: what `autotuner schema` prints. Fields that name
    something installed, such as an engine, list the names.
    """
    return await asyncio.to_thread(document_schema)


@router.get(
    "/start", responses=documented(404, 422, 503), operation_id="get_starting_document", summary="Start a document"
)
async def start(ctx: Ctx, asked: Annotated[StartFrom, Query()]) -> StartingPoint:
    """A task document to start from, with a name that no task has: it can be run here if anything can. With profiles,
    what is searched is left to them. Nothing is stored or started.
    """
    wish = Wish(model=asked.model, engine=asked.engine, profiles=tuple(asked.profile))
    found = await ctx.long_work.run(lambda: starting_point(wish, ctx.settings))
    name = await free_name(ctx.store, str(found.document["task_name"]))
    return found.model_copy(update={"document": {**found.document, "task_name": name}})


@router.get(
    "/demonstration",
    responses=documented(503),
    operation_id="get_demonstration_document",
    summary="Show the document of the demonstration",
)
async def show_demonstration(ctx: Ctx) -> dict[str, Any]:
    """The task document of `autotuner demo`: a search over predicted figures, which takes seconds and needs no GPU. Its
    name is one that no task has.
    """
    document = demonstration()
    return {**document, "task_name": await free_name(ctx.store, str(document["task_name"]))}


@router.post("/form", responses=documented(422), operation_id="convert_document", summary="Change a document's form")
async def change_form(ctx: Ctx, body: FormRequest) -> DocumentInForm:
    """The same document with the engine's parameters as fields of blocks, or the other way round. What says exactly the
    same in the other form is changed, everything else stays.
    """
    found = await ctx.long_work.run(lambda: converted(body.document, ctx.settings, body.form))
    return DocumentInForm(document=found.data, stays=found.stays)

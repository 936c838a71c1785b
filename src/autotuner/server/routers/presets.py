"""Stored presets: find, make, change, merge, import, export, their history and what came of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import Page
from autotuner.contracts.presets import Preset, PresetRule, Visibility
from autotuner.contracts.values import Scalar
from autotuner.planning.forms import Form
from autotuner.presets.analytics import PresetAnalytics
from autotuner.presets.files import VERSION, dump_preset, file_name
from autotuner.presets.search import PresetQuery
from autotuner.presets.suggest import SuggestedPreset, SuggestionRequest
from autotuner.server.bodies import Asked, Body, DescribedBy, file_body, given_file
from autotuner.server.context import Ctx
from autotuner.server.paging import Paging, cut
from autotuner.server.problems import documented
from autotuner.services.preset_history import (
    RevisionWithChanges,
    preset_analytics,
    revisions_with_changes,
    suggest_presets,
)
from autotuner.services.preset_merging import MergeAnswer, merge_presets
from autotuner.services.presets import (
    OnConflict,
    SavedPreset,
    create_preset,
    delete_preset,
    duplicate_preset,
    edit_preset,
    find_presets,
    import_preset,
    in_form,
    named_preset,
    rollback_preset,
)

router = APIRouter(prefix="/presets", tags=["presets"])

PresetId = Annotated[
    str, Path(min_length=1, max_length=255, description="number, slug or name of the preset", examples=["balanced"])
]
Text = Annotated[str | None, BeforeValidator(lambda given: given or None)]
"""A filter; empty is not given."""


# ---- what is sent


class MetadataFields(BaseModel):
    """Who made a preset, and what for. Other keys are kept as they are."""

    model_config = ConfigDict(extra="allow")

    author: str | None = Field(None, description="who made it")
    tags: list[str] | None = Field(None, description="words to find it by")
    recommended_for: list[str] | None = Field(None, description="situations that it suits")


class PresetFields(BaseModel):
    """A preset as it is sent. At least one parameter, block or required preset must be given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Team A",
                    "category": "performance",
                    "parameters": {"tp-size": [4, 8], "mem-fraction-static": [0.85]},
                }
            ]
        },
    )

    name: str = Field(description="unique; at most 255 characters", examples=["Team A"])
    description: str | None = Field(None, description="what it is for")
    category: str | None = Field(
        None, description="performance, memory, general, custom, or free text of at most 255 characters"
    )
    parameters: dict[str, list[Scalar]] | None = Field(
        None, description="values by parameter", examples=[{"tp-size": [4, 8]}]
    )
    metadata: MetadataFields | None = Field(None, description="author, tags, purposes, and keys of your own")
    runtime: str | None = Field(None, description="engine whose parameters it names; default: any")
    config: dict[str, dict[str, Any] | None] | None = Field(
        None,
        description="structured blocks, such as parallel_config, with the fields that they have in a task document",
    )
    rules: list[PresetRule] | None = Field(None, description="what must hold between parameters")
    requires: list[str] | None = Field(None, description="presets that are merged before it: slug, name or number")
    visibility: Visibility | None = Field(None, description="who may see it; default: team")


class PresetEdit(PresetFields):
    """A preset as it is to be; what is not given gets its default."""

    revision: int | None = Field(None, ge=1, description="the revision that was seen; another one is a conflict")


class FileContent(BaseModel):
    """The preset of a file."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="unique; at most 255 characters", examples=["Team B"])
    description: str | None = Field(None, description="what it is for")
    category: str | None = Field(None, description="performance, memory, general, custom, or free text")
    parameters: dict[str, list[Scalar]] | None = Field(None, description="values by parameter")
    metadata: MetadataFields | None = Field(None, description="author, tags, purposes, and keys of your own")
    runtime: str | None = Field(None, description="engine whose parameters it names; default: any")
    config: dict[str, dict[str, Any] | None] | None = Field(
        None, description="structured blocks as in a task document, such as parallel_config"
    )
    rules: list[PresetRule] | None = Field(None, description="what must hold between parameters")
    requires: list[str] | None = Field(None, description="slugs of presets that are merged before it")


class PresetFile(BaseModel):
    """The file of one preset."""

    model_config = ConfigDict(extra="forbid")

    version: Literal["1.0"] = Field(description="of the file's format")
    preset: FileContent = Field(description="what it holds")


EXAMPLE_FILE = {
    "version": VERSION,
    "preset": {
        "name": "Team B",
        "description": "what team B starts from",
        "category": "general",
        "parameters": {"tp-size": [1, 2]},
        "metadata": {"author": "team-b", "tags": ["chat"]},
    },
}


class MergeRequest(Body):
    """Which presets are merged, and how."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"preset_ids": [1, 2], "merge_strategy": "union"}]},
    )

    preset_ids: list[Annotated[int, Field(ge=1)] | Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, max_length=100, description="numbers, slugs or names, in the order of the merge"
    )
    merge_strategy: str = Field(
        "union", description="union, intersection, last_wins or deep_merge (also append, override)"
    )
    overrides: dict[str, str] = Field(default_factory=dict, description="another strategy for single parameters")
    strict: bool = Field(False, description="intersection: leave out what only some of the presets name")
    runtime: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="an engine into whose names all are translated first"
    )


class DuplicateRequest(Body):
    """How a copy is called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "My balanced"}]})

    name: str | None = Field(None, description="unique name; default: NAME (copy)")


class RollbackRequest(Body):
    """Which revision a preset goes back to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"revision": 1}]})

    revision: int = Field(ge=1, description="number of the revision")


class SuggestRequest(Body):
    """What a preset is wanted for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "Qwen/Qwen3-0.6B", "gpu_type": "h200_sxm", "total_gpus": 2}]},
    )

    model: str = Field("", description="name or path of the model; empty: any")
    engine: Annotated[str, Field(min_length=1)] | None = Field(None, description="default: the default engine")
    gpu_type: str | None = Field(None, description="kind of GPU", examples=["h200_sxm"])
    total_gpus: int | None = Field(None, ge=0, description="number of GPUs; null: not known")


class PresetFilter(Paging):
    """Which presets; all of it must hold, and case counts nowhere. Empty is not given."""

    category: Text = Field(None, description="exactly this category")
    tag: Text = Field(None, description="one of its tags is this one")
    name: Text = Field(None, description="text in its name, slug or description")
    runtime: Text = Field(None, description="made for this engine, or for any")
    sort: Literal["id", "name", "category", "updated_at"] = Field("id", description="order of the list")
    descending: bool = Field(False, description="the greatest first")


class ImportOptions(Asked):
    """What becomes of a name that there is."""

    on_conflict: OnConflict | None = Field(
        None, description="rename: store it as NAME (2); replace: as the next revision of that preset; default: refuse"
    )


class ExportOptions(Asked):
    """In which form."""

    form: Form | None = Field(None, description="flags as fields of blocks, or these as flags; default: as it is")
    runtime: str | None = Field(None, min_length=1, description="whose flags are meant, for a preset of any engine")


# ---- what is answered


class PresetAnswer(Preset):
    """A stored preset, and what its reader should know of it."""

    warnings: tuple[str, ...] = Field((), description="such as on parameters that its engine lacks")


class Suggestions(BaseModel):
    """Presets that can be used, the best first."""

    items: tuple[SuggestedPreset, ...] = Field(description="presets that the engine takes something of")


_REVISION = {"ETag": {"description": "its revision", "schema": {"type": "string"}}}
_PLACE = {"Location": {"description": "where it is", "schema": {"type": "string"}}}
_ATTACHMENT = {"Content-Disposition": {"description": "attachment, preset-<slug>.json", "schema": {"type": "string"}}}


@router.get("", responses=documented(422), operation_id="list_presets", summary="List the presets")
async def list_presets(ctx: Ctx, asked: Annotated[PresetFilter, Query()]) -> Page[Preset]:
    """Presets that come with the program first, then those made here, unless another order is asked for."""
    query = PresetQuery(category=asked.category, tag=asked.tag, name=asked.name, runtime=asked.runtime)
    found = await find_presets(ctx.store, query)
    found.sort(key=lambda preset: (getattr(preset, asked.sort), preset.id), reverse=asked.descending)
    return cut(found, asked)


@router.post(
    "",
    status_code=201,
    responses={201: {"headers": _REVISION | _PLACE}, **documented(404, 409, 422)},
    operation_id="create_preset",
    summary="Store a preset",
)
async def create(
    ctx: Ctx, response: Response, body: Annotated[dict[str, Any], DescribedBy(PresetFields)]
) -> PresetAnswer:
    """Store a preset. 409: there is one of that name; 404: one that it requires is not there."""
    return _stored(response, await create_preset(ctx.store, body))


@router.post("/merge", responses=documented(404, 422), operation_id="merge_presets", summary="Merge presets")
async def merge(ctx: Ctx, body: MergeRequest) -> MergeAnswer:
    """What several presets come to together, in the given order, and where they do not agree. Nothing is stored."""
    return await merge_presets(
        ctx.store,
        body.preset_ids,
        body.merge_strategy,
        overrides=body.overrides,
        strict=body.strict,
        runtime=body.runtime,
    )


@router.post("/suggest", responses=documented(422), operation_id="suggest_presets", summary="Suggest presets")
async def suggest(ctx: Ctx, body: SuggestRequest) -> Suggestions:
    """Presets for a model, an engine and its GPUs: ranked by what they say of themselves, and by what came of them."""
    asked = SuggestionRequest(
        engine=body.engine or "", model=body.model, gpu_type=body.gpu_type, total_gpus=body.total_gpus
    )
    return Suggestions(items=tuple(await suggest_presets(ctx.store, ctx.store, asked)))


@router.post(
    "/import",
    status_code=201,
    responses={201: {"headers": _REVISION | _PLACE}, **documented(400, 403, 404, 409, 415, 422)},
    openapi_extra=file_body(
        {"$ref": "#/components/schemas/PresetFile"},
        examples={"file": {"summary": "A preset", "value": EXAMPLE_FILE}},
        what="The file of a preset, at most 1 MiB",
    ),
    operation_id="import_preset",
    summary="Import a preset",
)
async def import_file(
    ctx: Ctx, request: Request, response: Response, asked: Annotated[ImportOptions, Query()]
) -> PresetAnswer:
    """Store the preset of a file that was exported. 409: there is one of that name, and `on_conflict` is not given."""
    given = await given_file(request)
    return _stored(response, await import_preset(ctx.store, given.raw, on_conflict=asked.on_conflict))


@router.get(
    "/{preset_id}",
    responses={200: {"headers": _REVISION}, **documented(404, 422)},
    operation_id="get_preset",
    summary="Look at a preset",
)
async def get(ctx: Ctx, response: Response, preset_id: PresetId) -> PresetAnswer:
    """The preset of that number, slug or name."""
    return _answer(response, SavedPreset(preset=await named_preset(ctx.store, preset_id)))


@router.put(
    "/{preset_id}",
    responses={200: {"headers": _REVISION}, **documented(403, 404, 409, 422)},
    operation_id="update_preset",
    summary="Change a preset",
)
async def change(
    ctx: Ctx,
    response: Response,
    preset_id: PresetId,
    body: Annotated[dict[str, Any], DescribedBy(PresetEdit)],
    if_match: Annotated[
        str | None,
        Header(pattern=r'^(\*|"?[1-9][0-9]{0,8}"?)$', description="the revision that was seen, as in ETag"),
    ] = None,
) -> PresetAnswer:
    """Store what the body says as the next revision, in place of all that the preset says now.

    With If-Match, or `revision` in the body, only if that is still the newest revision: 409 if not. System presets are
    not changed: 403.
    """
    found = await named_preset(ctx.store, preset_id)
    fields = {name: value for name, value in body.items() if name != "revision"}
    return _answer(response, await edit_preset(ctx.store, found, fields, revision=_seen(if_match, body)))


@router.delete(
    "/{preset_id}",
    status_code=204,
    responses=documented(403, 404, 409, 422),
    operation_id="delete_preset",
    summary="Delete a preset",
)
async def delete(ctx: Ctx, preset_id: PresetId) -> None:
    """Remove a preset with its history. Tasks that used it keep what it gave them; 409: another preset requires it."""
    await delete_preset(ctx.store, await named_preset(ctx.store, preset_id))


@router.get(
    "/{preset_id}/export",
    response_class=Response,
    responses={
        200: {"model": PresetFile, "headers": _ATTACHMENT},
        **documented(404, 422),
    },
    operation_id="export_preset",
    summary="Export a preset",
)
async def export(ctx: Ctx, preset_id: PresetId, asked: Annotated[ExportOptions, Query()]) -> Response:
    """The preset as the file that the import reads, preset-<slug>.json."""
    found = await named_preset(ctx.store, preset_id)
    content = found.content if asked.form is None else in_form(found, asked.form, runtime=asked.runtime)
    return Response(
        dump_preset(content),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{file_name(found.slug)}"'},
    )


@router.post(
    "/{preset_id}/duplicate",
    status_code=201,
    responses={201: {"headers": _REVISION | _PLACE}, **documented(404, 409, 422)},
    operation_id="duplicate_preset",
    summary="Copy a preset",
)
async def duplicate(
    ctx: Ctx, response: Response, preset_id: PresetId, body: DuplicateRequest | None = None
) -> PresetAnswer:
    """A copy that can be changed. 409: there is a preset of that name."""
    found = await named_preset(ctx.store, preset_id)
    made = await duplicate_preset(ctx.store, found, None if body is None else body.name)
    return _stored(response, SavedPreset(preset=made))


@router.post(
    "/{preset_id}/rollback",
    responses={200: {"headers": _REVISION}, **documented(403, 404, 409, 422)},
    operation_id="rollback_preset",
    summary="Go back to a revision",
)
async def rollback(ctx: Ctx, response: Response, preset_id: PresetId, body: RollbackRequest) -> PresetAnswer:
    """Make a preset what it was, as a further revision: nothing of its history is lost."""
    found = await named_preset(ctx.store, preset_id)
    return _answer(response, SavedPreset(preset=await rollback_preset(ctx.store, found, body.revision)))


@router.get(
    "/{preset_id}/history",
    responses=documented(404, 422),
    operation_id="list_preset_revisions",
    summary="List the revisions of a preset",
)
async def history(ctx: Ctx, preset_id: PresetId, asked: Annotated[Paging, Query()]) -> Page[RevisionWithChanges]:
    """All revisions, the oldest first, each with what it changed."""
    return cut(await revisions_with_changes(ctx.store, await named_preset(ctx.store, preset_id)), asked)


@router.get(
    "/{preset_id}/analytics",
    responses=documented(404, 422),
    operation_id="get_preset_analytics",
    summary="What came of a preset",
)
async def analytics(ctx: Ctx, preset_id: PresetId) -> PresetAnalytics:
    """Tasks and experiments that used it, the share that succeeded, best and median result by objective."""
    return await preset_analytics(ctx.store, await named_preset(ctx.store, preset_id))


def _seen(if_match: str | None, body: dict[str, Any]) -> int | None:
    """The revision that the caller has seen. AutotunerError: INVALID_VALUE for no number, CONTRADICTION for two."""
    header = None if if_match in (None, "*") else int(str(if_match).strip('"'))
    given = body.get("revision")
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            "The revision is not a number",
            why="it is a whole number from 1",
            remedy="Send the revision that the preset had",
            place="revision",
        )
    if header is not None and given is not None and header != given:
        raise AutotunerError(
            ErrorCode.CONTRADICTION,
            "If-Match and the body name two revisions",
            why=f"they are {header} and {given}",
            remedy="Send one of them",
            place="revision",
        )
    return header if header is not None else given


def _answer(response: Response, saved: SavedPreset) -> PresetAnswer:
    response.headers["ETag"] = f'"{saved.preset.revision}"'
    return PresetAnswer(**dict(saved.preset), warnings=saved.warnings)


def _stored(response: Response, saved: SavedPreset) -> PresetAnswer:
    response.headers["Location"] = f"/api/presets/{saved.preset.id}"
    return _answer(response, saved)

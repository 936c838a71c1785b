"""Stored presets: find, make, change, import, export, go back to what they were."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from autotuner.config.text import MAX_BYTES, read
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import (
    ANY_RUNTIME,
    NewPreset,
    Preset,
    PresetContent,
    PresetRevision,
    PresetStore,
    RevisionReason,
)
from autotuner.contracts.values import Frozen
from autotuner.engines.registry import ENGINES, engine, system_presets
from autotuner.planning.forms import FLAT, Form, to_flat, to_structured
from autotuner.presets.content import CONFIG_BLOCKS, INVALID, free_name, free_slug, read_content, slug_of, to_data
from autotuner.presets.dialect import Dialect
from autotuner.presets.diff import PresetChange, changes
from autotuner.presets.files import INVALID_FILE, parse_preset
from autotuner.presets.layering import Chosen, contribution_of
from autotuner.presets.refusals import CANNOT_DELETE_SYSTEM, CANNOT_EDIT_SYSTEM, not_found, system_preset
from autotuner.presets.requirements import check_requirements
from autotuner.presets.search import PresetQuery, matching
from autotuner.presets.translate import Translation, translate
from autotuner.services.preset_runtimes import dialects_of, runtime_name
from autotuner.services.settings import Settings
from autotuner.store.sql_store import SqlStore, open_store

OnConflict = Literal["rename", "replace"]


class SavedPreset(Frozen):
    """A preset that was stored, and what its reader should know of it."""

    preset: Preset
    warnings: tuple[str, ...] = Field((), description="whole sentences, such as on parameters that the engine lacks")


@asynccontextmanager
async def open_presets(settings: Settings) -> AsyncIterator[SqlStore]:
    """The store with the system presets in it, which are put there the first time. AutotunerError as ``open_store``."""
    async with open_store(settings.database, busy_timeout_s=settings.database_timeout_s) as store:
        await store.seed_presets(system_presets())
        yield store


async def named_preset(store: PresetStore, name: str | int) -> Preset:
    """The preset of that name, slug or number. AutotunerError(NOT_FOUND), "Preset not found"."""
    return pick(await store.list_presets(), name)


async def find_presets(store: PresetStore, query: PresetQuery) -> list[Preset]:
    """The presets that match, by number. AutotunerError(UNKNOWN_NAME) for an engine that there is not."""
    if query.runtime is not None:
        query = query.model_copy(update={"runtime": runtime_name(query.runtime)})
    return matching(await store.list_presets(), query)


async def create_preset(store: PresetStore, data: Mapping[str, Any], *, owner: str | None = None) -> SavedPreset:
    """Store the preset that plain data describe.

    AutotunerError: INVALID_VALUE with every wrong field, CONFLICT for a name that there is, NOT_FOUND for a preset that
    it requires, CONTRADICTION for presets that require each other.
    """
    content = _checked(read_content(data, further=("visibility",)), INVALID)
    return await _create(store, content, owner=owner)


async def edit_preset(
    store: PresetStore,
    preset: Preset,
    data: Mapping[str, Any],
    *,
    reason: RevisionReason = RevisionReason.EDITED,
    revision: int | None = None,
) -> SavedPreset:
    """Store what plain data describe as the next revision of a preset, in place of all that it says now.

    ``revision``: the one that the caller has seen; None: the preset's. AutotunerError as of ``create_preset``;
    FORBIDDEN for a system preset; CONFLICT if it has changed since.
    """
    if preset.is_system:
        raise system_preset(CANNOT_EDIT_SYSTEM, preset)
    if revision is not None:
        preset = preset.model_copy(update={"revision": revision})
    content = _checked(read_content(data, further=("visibility",)), INVALID)
    return await _change(store, preset, content, reason)


async def delete_preset(store: PresetStore, preset: Preset) -> None:
    """Remove a preset and its history. Tasks that used it keep what it gave them.

    AutotunerError: FORBIDDEN for a system preset, CONFLICT while others require it.
    """
    if preset.is_system:
        raise system_preset(CANNOT_DELETE_SYSTEM, preset)
    needed = [other.slug for other in await store.list_presets() if preset.slug in other.requires]
    if needed:
        raise AutotunerError(
            ErrorCode.CONFLICT,
            f"the preset {preset.slug!r} cannot be deleted",
            why=f"{', '.join(needed)} require{'s' if len(needed) == 1 else ''} it",
            remedy="Take it out of what they require, or delete them first",
            place=preset.slug,
        )
    await store.delete_preset(preset.id)


async def duplicate_preset(store: PresetStore, preset: Preset, name: str | None = None) -> Preset:
    """A copy that can be changed, under the given name, or ``NAME (copy)``. AutotunerError(CONFLICT) for a name that
    there is.
    """
    names = {other.name for other in await store.list_presets()}
    new = name if name is not None else free_name(f"{preset.name[:240]} (copy)", names.__contains__)
    content = read_content({**to_data(preset), "name": new, "visibility": "team"}, further=("visibility",))
    return (await _create(store, content)).preset


async def import_preset(store: PresetStore, raw: bytes, *, on_conflict: OnConflict | None = None) -> SavedPreset:
    """Store the preset of a file.

    ``on_conflict``: under a name that there is, rename it to ``NAME (2)``, or replace the other one, whose earlier
    revisions stay. AutotunerError: INVALID_VALUE ("Import validation failed") with the field; CONFLICT for a name that
    there is; FORBIDDEN to replace a system preset; and as of ``create_preset``.
    """
    content = _checked(parse_preset(raw), INVALID_FILE, prefix="preset.")
    known = {preset.name: preset for preset in await store.list_presets()}
    other = known.get(content.name)
    if other is not None and on_conflict == "replace":
        if other.is_system:
            raise system_preset(CANNOT_EDIT_SYSTEM, other)
        kept = content.model_copy(update={"visibility": other.visibility})
        return await _change(store, other, kept, RevisionReason.REPLACED)
    if other is not None and on_conflict == "rename":
        content = content.model_copy(update={"name": free_name(content.name, known.__contains__)})
    return await _create(store, content)


def read_preset_file(path: str) -> bytes:
    """The bytes of a file, not more than one above the limit. AutotunerError(MISSING_FILE)."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AutotunerError(
            ErrorCode.MISSING_FILE,
            "the preset's file cannot be read",
            why=(error.strerror or str(error)).lower(),
            remedy="Give the path of a file that `autotuner preset export` wrote",
            place=path,
        ) from None


async def preset_diff(store: PresetStore, preset: Preset, old: int, new: int | None = None) -> list[PresetChange]:
    """What changed from a revision to another one, or to the newest. AutotunerError(NOT_FOUND) for a number that there
    is not.
    """
    found = await store.preset_revisions(preset.id)
    return changes(_revision(found, preset, old).content, _revision(found, preset, new or preset.revision).content)


async def rollback_preset(store: PresetStore, preset: Preset, number: int) -> Preset:
    """Make a revision's content the newest again, as a further revision.

    AutotunerError: NOT_FOUND for a number that there is not, FORBIDDEN for a system preset, CONFLICT if it has changed
    meanwhile or the name of then belongs to another preset now; as of ``create_preset`` for what it required then.
    """
    if preset.is_system:
        raise system_preset(CANNOT_EDIT_SYSTEM, preset)
    content = _revision(await store.preset_revisions(preset.id), preset, number).content
    return (await _change(store, preset, content, RevisionReason.ROLLED_BACK)).preset


def in_form(preset: Preset, form: Form, *, runtime: str | None = None) -> PresetContent:
    """The preset with its flags as fields of structured blocks, or these as flags, as far as both say the same.

    ``runtime``: the engine whose names count; None: the preset's own. AutotunerError: UNSUPPORTED for a preset of any
    engine without one, UNKNOWN_NAME.
    """
    name = runtime_name(runtime if runtime is not None else preset.runtime)
    if name == ANY_RUNTIME:
        raise AutotunerError(
            ErrorCode.UNSUPPORTED,
            f"the preset {preset.slug!r} cannot be converted",
            why="it is for any engine, and flags are an engine's",
            remedy="Name the engine whose flags are meant",
            place="runtime",
        )
    dialect = Dialect(engine(name))
    lists, fixed = _by_kind(preset.config) if form == FLAT else (preset.config, {})
    data = {"parameters": {key: list(values) for key, values in preset.parameters.items()}, **lists}
    convert = to_flat if form == FLAT else to_structured
    made = convert(data, dialect.neutral, dialect.engine.catalogue).data
    parameters = {key: tuple(values) for key, values in made.get("parameters", {}).items()}
    config = {block: {**fixed.get(block, {}), **made.get(block, {})} for block in CONFIG_BLOCKS}
    blocks = {block: keys for block, keys in config.items() if keys}
    return preset.content.model_copy(update={"parameters": parameters, "config": blocks})


def _by_kind(config: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Fields with lists, which parameters of a preset are too; and fixed values and ranges, which these cannot be."""
    lists: dict[str, dict[str, Any]] = {}
    fixed: dict[str, dict[str, Any]] = {}
    for block, keys in config.items():
        for key, value in keys.items():
            (lists if isinstance(value, list) else fixed).setdefault(block, {})[key] = value
    return lists, fixed


def for_engine(preset: Preset, runtime: str) -> Translation:
    """What an engine takes of a preset, in its names. AutotunerError(UNKNOWN_NAME)."""
    source = dialects_of(Chosen((preset,))).get(preset.runtime)
    return translate(contribution_of(preset), source, Dialect(engine(runtime_name(runtime, place="engine"))))


def with_changes(data: Mapping[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    """A copy of a preset's plain data with each ``KEY=VALUE`` applied; values are YAML, and null takes a key out.

    KEY is a field (``description``), or a key of one: ``parameters.tp-size``, ``config.parallel_config.tp``,
    ``metadata.author``. AutotunerError(INVALID_VALUE) for what is no such change or no YAML.
    """
    changed = copy.deepcopy(dict(data))
    for text in sets:
        path, equals, value = text.partition("=")
        field, point, rest = path.strip().partition(".")
        # A parameter's name may have points of its own.
        keys = [field, *([rest] if field == "parameters" else rest.split("."))] if point else [field]
        if not equals or not all(keys):
            raise AutotunerError(
                ErrorCode.INVALID_VALUE,
                f"{text!r:.80} is not a change",
                why="it has no KEY=VALUE",
                remedy="Write it like --set 'parameters.tp-size=[1, 2]'",
                place="--set",
            )
        _put(changed, keys, read(value, name=f"--set {path}"))
    return changed


def _put(data: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    here = data
    for key in keys[:-1]:
        inner = here.get(key)
        here[key] = inner if isinstance(inner, dict) else {}
        here = here[key]
    if value is None:
        here.pop(keys[-1], None)
    else:
        here[keys[-1]] = value


# ---- parts


def pick(known: Sequence[Preset], name: str | int, *, place: str = "preset") -> Preset:
    """The preset of that name, slug or number. AutotunerError(NOT_FOUND), "Preset not found"."""
    wanted = str(name).strip()
    for preset in known:
        if isinstance(name, str) and wanted in (preset.name, preset.slug):
            return preset
    for preset in known:
        if str(preset.id) == wanted:
            return preset
    raise not_found(name, known, place=place)


def _checked(content: PresetContent, what: str, *, prefix: str = "") -> PresetContent:
    """With the registered name of its engine. AutotunerError(INVALID_VALUE) for one that there is not."""
    try:
        return content.model_copy(update={"runtime": runtime_name(content.runtime)})
    except AutotunerError as error:
        raise AutotunerError(
            ErrorCode.INVALID_VALUE,
            what,
            why=f"{error.what}: {error.why}",
            remedy=error.remedy,
            place=f"{prefix}runtime",
        ) from None


async def _create(store: PresetStore, content: PresetContent, *, owner: str | None = None) -> SavedPreset:
    taken = {preset.slug for preset in await store.list_presets()}
    slug = free_slug(slug_of(content.name), taken.__contains__)
    content = await _with_slugs(store, content, slug)
    fields = {name: getattr(content, name) for name in PresetContent.model_fields}
    made = await store.create_preset(NewPreset(**fields, slug=slug, owner=owner))
    return SavedPreset(preset=made, warnings=_doubts(made))


async def _change(store: PresetStore, preset: Preset, content: PresetContent, reason: RevisionReason) -> SavedPreset:
    content = await _with_slugs(store, content, preset.slug)
    made = await store.change_preset(preset.id, content, reason=reason, revision=preset.revision)
    return SavedPreset(preset=made, warnings=_doubts(made))


async def _with_slugs(store: PresetStore, content: PresetContent, slug: str) -> PresetContent:
    """With the slugs of what it requires, which may be named otherwise, and without a circle."""
    if not content.requires:
        return content
    known = await store.list_presets()
    by_slug = {preset.slug: preset for preset in known}
    requires = [name if name == slug else pick(known, name, place="requires").slug for name in content.requires]
    check_requirements(slug, requires, by_slug.get)
    return content.model_copy(update={"requires": tuple(dict.fromkeys(requires))})


def _doubts(preset: Preset) -> tuple[str, ...]:
    """Parameters that its engine does not have, as far as is known: they are refused when they are used."""
    if preset.runtime == ANY_RUNTIME or preset.runtime not in ENGINES.names():
        return ()
    dialect = Dialect(engine(preset.runtime))
    unknown = [
        name
        for name in preset.parameters
        if dialect.engine.catalogue.find(name) is None and dialect.neutral.named(name) is None
    ]
    version = dialect.engine.catalogue.version
    return tuple(
        f"{preset.runtime} {version} has no parameter {name!r}; a task that uses it is refused" for name in unknown
    )


def _revision(found: Sequence[PresetRevision], preset: Preset, number: int) -> PresetRevision:
    for revision in found:
        if revision.number == number:
            return revision
    raise AutotunerError(
        ErrorCode.NOT_FOUND,
        f"the preset {preset.slug!r} has no revision {number}",
        why=f"its revisions are 1 to {preset.revision}",
        remedy=f"`autotuner preset history {preset.slug}` lists them",
        place=preset.slug,
    )

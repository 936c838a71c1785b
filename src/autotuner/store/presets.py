"""Units of work on presets and their revisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from autotuner.contracts.presets import NewPreset, Preset, PresetContent, PresetRevision, RevisionReason
from autotuner.contracts.values import canonical_json
from autotuner.presets.content import free_slug
from autotuner.presets.refusals import (
    CANNOT_DELETE_SYSTEM,
    CANNOT_EDIT_SYSTEM,
    changed_meanwhile,
    duplicate_name,
    not_found,
    system_preset,
)
from autotuner.store.models import ParameterPreset, PresetRevisionEntry
from autotuner.store.rows import record, records, select_row

_PRESETS = cast(Table, ParameterPreset.__table__)
_REVISIONS = cast(Table, PresetRevisionEntry.__table__)


def missing(session: Session, presets: Sequence[NewPreset]) -> list[NewPreset]:
    """Those system presets that are not stored."""
    stored = set(session.execute(select(_PRESETS.c.slug).where(_PRESETS.c.is_system)).scalars())
    return [preset for preset in presets if preset.slug not in stored]


def seed(session: Session, presets: Sequence[NewPreset], now: datetime) -> None:
    """Store the system presets that are not there; another process may do the same."""
    postgres = session.get_bind().dialect.name == "postgresql"
    for preset in missing(session, presets):
        row = _row(preset, now) | {"slug": preset.slug}
        made = (postgres_insert if postgres else sqlite_insert)(_PRESETS).values(row).on_conflict_do_nothing()
        preset_id = session.execute(made.returning(_PRESETS.c.id)).scalar_one_or_none()
        if preset_id is not None:
            _add_revision(session, preset_id, 1, RevisionReason.CREATED, preset, now)


def create(session: Session, preset: NewPreset, now: datetime) -> Preset:
    """Store a preset and its first revision."""
    _require_free(session, preset.name)
    taken = set(session.execute(select(_PRESETS.c.slug)).scalars())
    row = _row(preset, now) | {"slug": free_slug(preset.slug, taken.__contains__)}
    preset_id = session.execute(insert(_PRESETS).values(row).returning(_PRESETS.c.id)).scalar_one()
    _add_revision(session, preset_id, 1, RevisionReason.CREATED, preset, now)
    return get(session, preset_id)


def get(session: Session, preset_id: int, *, lock: bool = False) -> Preset:
    """One preset."""
    query = select_row(ParameterPreset).where(_PRESETS.c.id == preset_id)
    row = session.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise not_found(preset_id)
    return record(Preset, row)


def every(session: Session) -> list[Preset]:
    """All presets by number."""
    return records(Preset, session.execute(select_row(ParameterPreset).order_by(_PRESETS.c.id)).mappings())


def change(
    session: Session, preset_id: int, content: PresetContent, now: datetime, *, reason: RevisionReason, revision: int
) -> Preset:
    """Store a new revision."""
    preset = get(session, preset_id, lock=True)
    if preset.is_system:
        raise system_preset(CANNOT_EDIT_SYSTEM, preset)
    if preset.revision != revision:
        raise changed_meanwhile(preset, revision)
    if _text(preset.content) == _text(content):
        return preset
    if content.name != preset.name:
        _require_free(session, content.name)
    values = {**_columns(content), "revision": revision + 1, "updated_at": now}
    session.execute(update(_PRESETS).where(_PRESETS.c.id == preset_id).values(values))
    _add_revision(session, preset_id, revision + 1, reason, content, now)
    return get(session, preset_id)


def remove(session: Session, preset_id: int) -> None:
    """Remove a preset and its history."""
    preset = get(session, preset_id, lock=True)
    if preset.is_system:
        raise system_preset(CANNOT_DELETE_SYSTEM, preset)
    session.execute(delete(_PRESETS).where(_PRESETS.c.id == preset_id))


def revisions(session: Session, preset_id: int) -> list[PresetRevision]:
    """All revisions of a preset, oldest first."""
    get(session, preset_id)
    query = select_row(PresetRevisionEntry).where(_REVISIONS.c.preset_id == preset_id).order_by(_REVISIONS.c.number)
    return records(PresetRevision, session.execute(query).mappings())


def _require_free(session: Session, name: str) -> None:
    if session.execute(select(_PRESETS.c.id).where(_PRESETS.c.name == name)).first() is not None:
        raise duplicate_name(name)


def _add_revision(
    session: Session, preset_id: int, number: int, reason: RevisionReason, content: PresetContent, now: datetime
) -> None:
    kept = content.model_dump(mode="json", include=set(PresetContent.model_fields))
    values = {"preset_id": preset_id, "number": number, "reason": reason.value, "content": kept, "created_at": now}
    session.execute(insert(_REVISIONS).values(values))


def _row(preset: NewPreset, now: datetime) -> dict[str, Any]:
    own = {"is_system": preset.is_system, "owner": preset.owner, "revision": 1, "created_at": now, "updated_at": now}
    return _columns(preset) | own


def _columns(content: PresetContent) -> dict[str, Any]:
    fields: Iterable[str] = PresetContent.model_fields
    return content.model_dump(mode="json", include=set(fields))


def _text(content: PresetContent) -> str:
    """Equal for equal contents only: 1, 1.0 and true are three values here."""
    return canonical_json(content.model_dump(mode="json"))

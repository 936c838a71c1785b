"""Catalogues of engines as commands ask for them: shipped, learned, or an engine's own; and how two of them differ."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from autotuner.contracts.engine import Catalogue, CatalogueParameter
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.values import Frozen
from autotuner.engines.catalogues.shelf import Shelf, version_key
from autotuner.engines.registry import ENGINES, engine
from autotuner.services.settings import Settings

FOLDER = "catalogues"
_MEANING = ("type", "arity", "items", "choices", "words", "suffixes", "default", "low", "high")
_SPELLING = ("flag", "flags", "off_flags", "key")


class CatalogueSummary(Frozen):
    """One catalogue that can be asked."""

    version: str = Field(description="of the engine")
    flags: int = Field(description="parameters that it has, each counted once")
    commonly_tuned: int = Field(description="parameters that are commonly tuned")
    learned: bool = Field(description="from an installed engine, not part of this program")
    source: str = Field(description="where its facts are from; empty: not known")


class Change(Frozen):
    """How one parameter differs between two versions. ``spelling``: only its other flags, or those that mean false."""

    kind: Literal["new", "gone", "renamed", "changed", "spelling"]
    flag: str
    was: str | None = Field(None, description="flag in the older version, when renamed")
    fields: dict[str, tuple[object, object]] = Field(default_factory=dict, description="field → old and new value")
    hint: str = ""


def shelf(settings: Settings) -> Shelf:
    """The catalogues of this program and the learned ones of the data folder."""
    return Shelf(learned=folder(settings))


def folder(settings: Settings) -> Path:
    """Where learned catalogues are stored."""
    return settings.data_dir / FOLDER


def catalogue(name: str, version: str | None, settings: Settings) -> Catalogue:
    """The catalogue of an engine: a learned one before the one of this program, before what the engine brings itself.

    AutotunerError: UNKNOWN_NAME for the engine, NOT_FOUND for the version.
    """
    held = shelf(settings)
    try:
        known = held.resolve(name)
    except AutotunerError as error:
        try:
            own = engine(name).catalogue
        except AutotunerError:
            raise _no_such_engine(name, held) from error
        if version not in (None, own.version):
            raise AutotunerError(
                ErrorCode.NOT_FOUND,
                f"no catalogue of {own.engine} {version}",
                why=f"there is {own.version}",
                remedy="Name this one, or none",
                place=version,
            ) from error
        return own
    return held.get(known, version)


def summaries(settings: Settings) -> dict[str, list[CatalogueSummary]]:
    """Every engine with a catalogue → its catalogues, the newest first."""
    held = shelf(settings)
    found: dict[str, list[CatalogueSummary]] = {}
    for name in held.engines():
        found[name] = [_summary(one.read(), learned=one.learned) for one in held.versions(name)]
    return found


def _summary(read: Catalogue, *, learned: bool) -> CatalogueSummary:
    return CatalogueSummary(
        version=read.version,
        flags=len(read.parameters),
        commonly_tuned=sum(bool(entry.commonly_tuned) for entry in read.parameters),
        learned=learned,
        source="" if read.source is None else read.source.name,
    )


def changes(one: Catalogue, other: Catalogue) -> list[Change]:
    """What the newer of two versions of an engine has changed: new, gone, renamed, and changed parameters."""
    old, new = sorted((one, other), key=lambda entry: version_key(entry.version))
    notes = {entry.flag: entry for entry in new.gone}
    before = {entry.name: entry for entry in old.parameters}
    after = {entry.name: entry for entry in new.parameters}
    found: list[Change] = []
    taken: set[str] = set()
    for name, entry in before.items():
        successor = after.get(name) or new.by_flag.get(entry.flag)
        if successor is not None:
            taken.add(successor.name)
            found += _changed(entry, successor)
            continue
        note = notes.get(entry.flag)
        hint = "" if note is None else note.hint
        renamed = next((new.by_flag[flag] for flag in (note.instead if note is not None else ())), None)
        if renamed is not None and renamed.name not in before:
            taken.add(renamed.name)
            found.append(Change(kind="renamed", flag=renamed.flag, was=_spelling(entry), hint=hint))
        else:
            found.append(Change(kind="gone", flag=_spelling(entry), hint=hint))
    found += [
        Change(kind="new", flag=_spelling(entry), hint=entry.help) for name, entry in after.items() if name not in taken
    ]
    order = ("new", "gone", "renamed", "changed", "spelling")
    return sorted(found, key=lambda change: (order.index(change.kind), change.flag))


def _spelling(entry: CatalogueParameter) -> str:
    return entry.flag or entry.key


def _changed(old: CatalogueParameter, new: CatalogueParameter) -> list[Change]:
    fields = {
        name: (getattr(old, name), getattr(new, name))
        for name in (*_MEANING, *_SPELLING)
        if getattr(old, name) != getattr(new, name)
    }
    if not fields:
        return []
    renamed = _spelling(old) != _spelling(new)
    kind: Literal["renamed", "changed", "spelling"] = "changed" if fields.keys() & set(_MEANING) else "spelling"
    return [
        Change(
            kind="renamed" if renamed else kind,
            flag=_spelling(new),
            was=_spelling(old) if renamed else None,
            fields=fields,
        )
    ]


def _no_such_engine(name: str, held: Shelf) -> AutotunerError:
    import difflib

    names = [*ENGINES.names(), *(known for known in held.engines() if known not in ENGINES.names())]
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return AutotunerError(
        ErrorCode.UNKNOWN_NAME,
        f"there is no engine {name!r}",
        why=f"there is {', '.join(names)}",
        remedy=f"Did you mean {near[0]!r}?" if near else "Use one of these names",
        place=name,
    )

"""Archives that are damaged, changed or made to harm are refused, and change nothing."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from archived import Source, listed, members, packed, settings_at
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.listing import ExperimentQuery, TaskQuery
from autotuner.services.archive import import_archive, layout
from autotuner.services.queries import task_result
from autotuner.services.settings import Settings
from autotuner.store import check, open_store
from autotuner.store.sql_store import SqlStore
from mutations import mutated_data

CASES = int(os.environ.get("AUTOTUNER_FUZZ_CASES", "5000"))
SHARE = 50
"""One in so many cases of the other fuzz tests: an import is a hundred times what reading a file is."""

Changed = dict[str, bytes]


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """An empty store."""
    made = settings_at(tmp_path)
    async with open_store(made.database):
        return made


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    """The same, open."""
    async with open_store(settings.database) as opened:
        yield opened


async def refused(archive: bytes, settings: Settings) -> AutotunerError:
    """Import it; the error, after which nothing is there."""
    with pytest.raises(AutotunerError) as caught:
        import_archive(io.BytesIO(archive), settings)
    await nothing(settings)
    return caught.value


async def nothing(settings: Settings) -> None:
    async with open_store(settings.database) as store:
        assert (await store.list_tasks())[1] == 0
    left = settings.artefacts_dir.glob("*") if settings.artefacts_dir.exists() else ()
    assert [path for path in left if path.is_dir()] == []


def with_line(content: Changed, part: str, line: int, change: Callable[[dict[str, Any]], object]) -> Changed:
    """The members with one row changed, and a manifest that fits."""
    lines = content[f"{part}.jsonl"].splitlines()
    row = json.loads(lines[line])
    change(row)
    lines[line] = json.dumps(row).encode()
    return listed(content | {f"{part}.jsonl": b"\n".join(lines)})


def with_task(content: Changed, **changes: Any) -> Changed:
    """The members with a changed task, and a manifest that fits."""
    return listed(content | {"task.json": json.dumps(json.loads(content["task.json"]) | changes).encode()})


CONTENT: dict[str, tuple[Callable[[Changed], Changed], str]] = {
    "no manifest": (lambda c: {k: v for k, v in c.items() if k != "manifest.json"}, "manifest.json"),
    "a changed member": (lambda c: {k: v.replace(b"ready", b"reads") for k, v in c.items()}, "changed or damaged"),
    "a member that is not listed": (lambda c: c | {"artefacts/experiment-0000/attempt-01/x": b""}, "lists"),
    "files of no attempt": (lambda c: listed(c | {"artefacts/experiment-0099/attempt-01/x": b""}), "no attempt"),
    "a path upwards": (lambda c: listed(c | {"artefacts/experiment-0000/attempt-01/../../x": b""}), "no name"),
    "an absolute path": (lambda c: listed(c | {"/etc/passwd": b""}), "no name"),
    "another file": (lambda c: listed(c | {"README": b""}), "no name"),
    "a deep path": (lambda c: listed(c | {"artefacts/experiment-0000/attempt-01/" + "a/" * 20 + "x": b""}), "no name"),
    "a backslash": (lambda c: listed(c | {"artefacts/experiment-0000/attempt-01/a\\b": b""}), "no name"),
    "a file in a file": (
        lambda c: listed(c | {"artefacts/experiment-0000/attempt-01/server.log/x": b""}),
        "a file and a folder",
    ),
    "another format": (lambda c: listed(c, format="something else"), "format"),
    "no rows": (lambda c: listed({k: v for k, v in c.items() if k != "attempts.jsonl"}), "attempts.jsonl"),
    "a gap in the log": (
        lambda c: listed(
            c | {"events.jsonl": b"\n".join(c["events.jsonl"].splitlines()[:3] + c["events.jsonl"].splitlines()[4:])}
        ),
        "missing",
    ),
    "a log without its end": (
        lambda c: listed(c | {"events.jsonl": b"\n".join(c["events.jsonl"].splitlines()[:-1])}),
        "last events",
    ),
    "an experiment too much": (lambda c: with_line(c, "experiments", 2, lambda row: row.update(number=7)), "number"),
    "an attempt of nothing": (
        lambda c: with_line(c, "attempts", 1, lambda row: row.update(experiment_id=99)),
        "refers",
    ),
    "a measurement of nothing": (
        lambda c: with_line(c, "measurements", 1, lambda row: row.update(attempt_id=99)),
        "refers",
    ),
    "a measurement of another experiment": (
        lambda c: with_line(c, "measurements", 0, lambda row: row.update(experiment_id=2)),
        "another experiment",
    ),
    "an event of nothing": (lambda c: with_line(c, "events", 2, lambda row: row.update(experiment_id=99)), "refers"),
    "a number out of range": (lambda c: with_line(c, "attempts", 0, lambda row: row.update(id=2**63)), "less than"),
    "a time without a zone": (
        lambda c: with_line(c, "attempts", 0, lambda row: row.update(started_at="2026-01-01T00:00:00")),
        "timezone",
    ),
    "a result of other experiments": (
        lambda c: with_task(
            c,
            result=json.loads(c["task.json"])["result"]
            | {"nearest": json.loads(c["task.json"])["result"]["winner"] | {"id": 99}},
        ),
        "refers",
    ),
    "no result": (lambda c: with_task(c, result={"verdict": "gain"}), "result"),
    "a document that cannot be run": (lambda c: with_task(c, document={"modell": 1}), "document"),
    "deep values": (lambda c: with_task(c, error=json.loads('{"a":' * 80 + "1" + "}" * 80)), "readable"),
}


@pytest.mark.parametrize("name", CONTENT)
async def test_what_no_export_writes_is_refused(name: str, source: Source, settings: Settings) -> None:
    change, why = CONTENT[name]
    error = await refused(packed(change(members(source.archive))), settings)
    assert error.code is ErrorCode.INVALID_VALUE
    assert why in error.why


def link(info: zipfile.ZipInfo) -> None:
    if info.filename.endswith("out.json"):
        info.external_attr = 0o120777 << 16


def folder(info: zipfile.ZipInfo) -> None:
    if info.filename.endswith("out.json"):
        info.external_attr = 0o040755 << 16


@pytest.mark.parametrize("change", [link, folder])
async def test_links_and_folders_are_refused(
    change: Callable[[zipfile.ZipInfo], None], source: Source, settings: Settings
) -> None:
    error = await refused(packed(members(source.archive), change=change), settings)
    assert "no regular file" in error.why


async def test_a_bomb_is_refused_before_it_is_unpacked(
    source: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = members(source.archive)
    bomb = packed(listed(content | {"artefacts/experiment-0000/attempt-01/zeros": bytes(50_000_000)}))
    monkeypatch.setattr(layout, "FREE_OF_RATIO", 1_000_000)
    assert "times its size" in (await refused(bomb, settings)).why
    monkeypatch.setattr(layout, "MAX_UNPACKED", 1_000_000)
    assert "unpack to more" in (await refused(bomb, settings)).why
    monkeypatch.setattr(layout, "MAX_ARCHIVE", 1_000)
    assert "larger than" in (await refused(bomb, settings)).why


async def test_a_member_that_is_longer_than_it_says_is_refused(source: Source, settings: Settings) -> None:
    """The list of members and the manifest say less than is unpacked."""
    content = listed(members(source.archive) | {"artefacts/experiment-0000/attempt-01/zeros": bytes(3_000_000)})
    whole = packed(content)
    lie = whole.replace(struct.pack("<L", 3_000_000), struct.pack("<L", 3_000))
    lie_in_the_manifest = packed(
        content | {"manifest.json": content["manifest.json"].replace(b'"size": 3000000', b'"size": 3000')}
    )
    for archive in (lie, lie_in_the_manifest):
        await refused(archive, settings)


async def test_a_list_of_members_that_is_too_long_is_not_read(source: Source, settings: Settings) -> None:
    end = source.archive[-22:]
    many = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, *struct.unpack("<2L", end[12:20]), 0)
    assert "more than" in (await refused(source.archive[:-22] + many, settings)).why
    few = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(source.archive), 0, 0)
    assert "larger than they can have" in (await refused(source.archive[:-22] + few, settings)).why


async def test_one_of_a_later_release_says_so(source: Source, settings: Settings) -> None:
    for changes in ({"version": 2}, {"schema_revision": "9000"}):
        error = await refused(packed(listed(members(source.archive), **changes)), settings)
        assert error.code is ErrorCode.UNSUPPORTED
        assert "later release" in error.what


@pytest.mark.parametrize("beginning", [0, 1, 21, 22, 1000])
async def test_a_part_of_an_archive_is_refused(beginning: int, source: Source, settings: Settings) -> None:
    await refused(source.archive[:beginning], settings)


@pytest.mark.fuzz
async def test_archives_with_changed_bytes(source: Source, settings: Settings, store: SqlStore) -> None:
    rng = random.Random(1)
    for number in range(CASES // SHARE):
        changed = bytearray(source.archive)
        for _ in range(rng.randint(1, 4)):
            where = rng.choice((rng.randrange(len(changed)), len(changed) - 1 - rng.randrange(400)))
            match rng.randrange(4):
                case 0:
                    changed[where] = rng.randrange(256)
                case 1:
                    changed[where : where + 4] = rng.randbytes(4)
                case 2:
                    del changed[where : where + rng.randint(1, 40)]
                case _:
                    changed[where:where] = rng.randbytes(rng.randint(1, 40))
        await imported_or_refused(bytes(changed), store, settings, f"case {number}")


@pytest.mark.fuzz
async def test_archives_with_changed_rows(source: Source, settings: Settings, store: SqlStore) -> None:
    """The manifest tells the truth: what is checked is the rows."""
    rng = random.Random(2)
    content = members(source.archive)
    imported = 0
    for number in range(CASES // SHARE):
        name = rng.choice([name for name in content if name.endswith((".json", ".jsonl"))][:6])
        lines = content[name].splitlines()
        where = rng.randrange(len(lines)) if name.endswith(".jsonl") else 0
        row = mutated_data(json.loads(content[name] if name.endswith(".json") else lines[where]), rng)
        text = json.dumps(row).encode()
        data = text if name.endswith(".json") else b"\n".join([*lines[:where], text, *lines[where + 1 :]])
        changed = content | {name: data} if name == "manifest.json" else listed(content | {name: data})
        imported += await imported_or_refused(packed(changed), store, settings, f"case {number}: {name} {row!r}"[:3000])
    assert imported > CASES / SHARE / 50


async def imported_or_refused(archive: bytes, store: SqlStore, settings: Settings, case: str) -> bool:
    """Whether it was imported. What was imported can be shown; what was not has left nothing."""
    try:
        moved = import_archive(io.BytesIO(archive), settings)
        task = await store.get_task(moved.task_id)
        await store.query_tasks(TaskQuery())
        await store.query_experiments(ExperimentQuery(task_id=task.id))
        await store.list_attempts(task.id)
        if task.result is not None:
            await task_result(store, task, settings)
        await store.delete_task(task.id)
    except AutotunerError as error:
        assert error.code in {ErrorCode.INVALID_VALUE, ErrorCode.UNSUPPORTED}, case
        return False
    except Exception as error:
        raise AssertionError(case) from error
    return True


async def test_a_refused_archive_leaves_a_sound_store(source: Source, settings: Settings) -> None:
    async with open_store(settings.database) as store:
        assert await imported_or_refused(source.archive, store, settings, "the archive itself")
        assert not await imported_or_refused(source.archive[:-1], store, settings, "a part of it")
    assert await check(settings.database) == []

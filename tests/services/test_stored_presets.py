"""Stored presets as use cases: every sentence and status, and what the store holds afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode, http_status
from autotuner.contracts.presets import Preset, RevisionReason
from autotuner.presets.content import to_data
from autotuner.presets.files import dump_preset
from autotuner.presets.search import PresetQuery
from autotuner.services.preset_merging import choose, merge_presets
from autotuner.services.presets import (
    create_preset,
    delete_preset,
    duplicate_preset,
    edit_preset,
    find_presets,
    for_engine,
    import_preset,
    in_form,
    named_preset,
    open_presets,
    preset_diff,
    read_preset_file,
    rollback_preset,
    with_changes,
)
from autotuner.services.settings import Settings, load_settings
from autotuner.store import SqlStore

SMALL: dict[str, Any] = {
    "name": "Team A",
    "category": "performance",
    "parameters": {"tp-size": [4, 8], "mem-fraction-static": [0.85]},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)})


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    async with open_presets(settings) as opened:
        yield opened


async def refused(asked: Awaitable[object], status: int, sentence: str) -> AutotunerError:
    """The refusal, which has this status and sentence."""
    with pytest.raises(AutotunerError) as caught:
        await asked
    assert caught.value.what == sentence
    assert http_status(caught.value.code) == status
    return caught.value


async def made(store: SqlStore, **fields: Any) -> Preset:
    return (await create_preset(store, {**SMALL, **fields})).preset


# ---- the system's own


async def test_four_presets_are_there_from_the_start_and_once(store: SqlStore, settings: Settings) -> None:
    async with open_presets(settings) as again:
        found = await find_presets(again, PresetQuery())
    assert [(one.id, one.slug) for one in found] == [
        (1, "memory-efficient"),
        (2, "high-throughput"),
        (3, "low-latency"),
        (4, "balanced"),
    ]


async def test_they_cannot_be_changed_and_a_copy_can(store: SqlStore) -> None:
    balanced = await named_preset(store, "balanced")
    error = await refused(delete_preset(store, balanced), 403, "Cannot delete system preset")
    assert "uplicate" in error.remedy
    await refused(edit_preset(store, balanced, SMALL), 403, "Cannot edit system preset")
    await refused(rollback_preset(store, balanced, 1), 403, "Cannot edit system preset")
    file = dump_preset(balanced).encode()
    await refused(import_preset(store, file, on_conflict="replace"), 403, "Cannot edit system preset")
    assert await named_preset(store, "balanced") == balanced
    copy = await duplicate_preset(store, balanced)
    assert (copy.name, copy.slug, copy.is_system) == ("Balanced (copy)", "balanced-copy", False)
    assert to_data(copy.content) == {**to_data(balanced.content), "name": copy.name}
    second = await duplicate_preset(store, balanced)
    assert second.name == "Balanced (copy) (2)"
    await delete_preset(store, copy)


# ---- finding


async def test_a_preset_is_found_by_name_slug_or_number(store: SqlStore) -> None:
    named = await made(store)
    for name in ("Team A", "team-a", str(named.id), named.id):
        assert await named_preset(store, name) == named
    numbered = await made(store, name="3")
    assert (await named_preset(store, "3")).id == numbered.id  # a name comes before a number
    assert (await named_preset(store, 3)).slug == "low-latency"
    error = await refused(named_preset(store, "teem-a"), 404, "Preset not found")
    assert "team-a" in error.remedy
    await refused(named_preset(store, 999), 404, "Preset not found")


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ({}, ["memory-efficient", "high-throughput", "low-latency", "balanced", "team-a"]),
        ({"category": "Performance"}, ["high-throughput", "low-latency", "team-a"]),
        ({"tag": "Chat"}, ["team-a"]),
        ({"tag": "throughput"}, ["high-throughput"]),
        ({"name": "BALANC"}, ["balanced"]),
        ({"runtime": "vllm"}, ["team-a"]),
        ({"runtime": "SGLang"}, ["memory-efficient", "high-throughput", "low-latency", "balanced", "team-a"]),
        ({"category": "performance", "tag": "latency"}, ["low-latency"]),
        ({"category": "nothing"}, []),
    ],
)
async def test_searching(store: SqlStore, query: dict[str, Any], slugs: list[str]) -> None:
    await made(store, metadata={"tags": ["chat"]})
    assert [one.slug for one in await find_presets(store, PresetQuery(**query))] == slugs


async def test_searching_for_an_unknown_engine_names_the_nearest(store: SqlStore) -> None:
    with pytest.raises(AutotunerError, match="vllm"):
        await find_presets(store, PresetQuery(runtime="vlm"))


# ---- making and changing


async def test_making_one(store: SqlStore) -> None:
    saved = await create_preset(store, {**SMALL, "runtime": "SGLang", "visibility": "private"}, owner="me")
    assert saved.warnings == ()
    one = saved.preset
    assert (one.slug, one.runtime, one.visibility, one.owner, one.revision) == ("team-a", "sglang", "private", "me", 1)
    error = await refused(create_preset(store, SMALL), 409, "There is already a preset of that name")
    assert "Team A" in error.why
    twin = await made(store, name="Team-A")
    assert twin.slug == "team-a-2"


async def test_a_parameter_that_the_engine_lacks_is_told_and_kept(store: SqlStore) -> None:
    data = {"name": "x", "runtime": "sglang", "parameters": {"enable-mixed-chunking": [True], "tp": [1]}}
    saved = await create_preset(store, data)
    (warning,) = saved.warnings
    assert "enable-mixed-chunking" in warning
    assert set(saved.preset.parameters) == {"enable-mixed-chunking", "tp"}


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"name": "x", "parameters": {"tp-size": 4}}, "parameters.tp-size"),
        ({"name": "x", "parameters": {"a": [1]}, "runtime": "vlm"}, "runtime"),
        ({"parameters": {"a": [1]}}, "name"),
    ],
)
async def test_what_is_not_valid_is_refused_with_its_field(store: SqlStore, data: dict[str, Any], place: str) -> None:
    error = await refused(create_preset(store, data), 422, "The preset is not valid")
    assert error.place == place


async def test_requirements_are_kept_as_slugs_and_without_circles(store: SqlStore) -> None:
    base = await made(store, name="Base", requires=["Low Latency", "4"])
    assert base.requires == ("low-latency", "balanced")
    top = await made(store, name="Top", requires=["base"])
    await refused(create_preset(store, {**SMALL, "requires": ["nobody"]}), 404, "Preset not found")
    error = await refused(
        edit_preset(store, base, {**to_data(base.content), "requires": ["top"]}),
        422,
        "Presets require each other in a circle",
    )
    assert error.why == "base → top → base"
    blocked = await refused(delete_preset(store, base), 409, "the preset 'base' cannot be deleted")
    assert "top requires it" in blocked.why
    found = await choose(store, ["top"], None)
    assert [one.slug for one in found.presets] == ["low-latency", "balanced", "base", "top"]
    same_words = await made(store, name="Balanced!", requires=["balanced"])
    assert (same_words.slug, same_words.requires) == ("balanced-2", ("balanced",))
    await delete_preset(store, top)
    await delete_preset(store, base)


async def test_revisions_diff_and_rollback(store: SqlStore) -> None:
    first = await made(store)
    data = with_changes(to_data(first.content), ["parameters.tp-size=[4]", "description=two", "metadata.tags=[a, b]"])
    second = (await edit_preset(store, first, data)).preset
    assert (second.revision, second.description, second.parameters["tp-size"]) == (2, "two", (4,))
    renamed = (await edit_preset(store, second, {**data, "name": "Team B"})).preset
    assert renamed.slug == "team-a"
    assert [(one.place, one.was, one.now) for one in await preset_diff(store, renamed, 1)] == [
        ("name", "Team A", "Team B"),
        ("description", "", "two"),
        ("parameters.tp-size", [4, 8], [4]),
        ("metadata.tags", [], ["a", "b"]),
    ]
    assert [one.place for one in await preset_diff(store, renamed, 2, 3)] == ["name"]
    for number in (1, 2, 3):
        back = await rollback_preset(store, await named_preset(store, first.id), number)
        revisions = await store.preset_revisions(first.id)
        assert back.content == revisions[number - 1].content
    assert [one.reason for one in revisions] == [
        RevisionReason.CREATED,
        RevisionReason.EDITED,
        RevisionReason.EDITED,
        RevisionReason.ROLLED_BACK,
        RevisionReason.ROLLED_BACK,
        RevisionReason.ROLLED_BACK,
    ]
    with pytest.raises(AutotunerError) as caught:
        await rollback_preset(store, await named_preset(store, first.id), 99)
    assert caught.value.code is ErrorCode.NOT_FOUND
    stale = await refused(edit_preset(store, first, SMALL), 409, "the preset 'team-a' has changed meanwhile")
    assert "revision 1 was changed, and the newest is 6" in stale.why


async def test_a_rollback_to_a_name_that_another_has_is_refused(store: SqlStore) -> None:
    first = await made(store)
    renamed = (await edit_preset(store, first, {**SMALL, "name": "Team B"})).preset
    await made(store)
    await refused(rollback_preset(store, renamed, 1), 409, "There is already a preset of that name")


@pytest.mark.parametrize(
    ("sets", "changed"),
    [
        (["parameters.a.b=[1, 2.0, x, true]"], {"parameters": {"x": [1], "a.b": [1, 2.0, "x", True]}}),
        (["parameters.x=null", "parameters.y=[1]"], {"parameters": {"y": [1]}}),
        (["config.parallel_config.tp=[1, 2]"], {"config": {"parallel_config": {"tp": [1, 2]}}}),
        (["category="], {}),
        (["requires=[a]"], {"requires": ["a"]}),
    ],
)
def test_changes_by_key(sets: list[str], changed: dict[str, Any]) -> None:
    before = {"name": "n", "parameters": {"x": [1]}}
    assert with_changes(before, sets) == {**before, **changed}
    assert before == {"name": "n", "parameters": {"x": [1]}}


@pytest.mark.parametrize("text", ["x", "=1", "parameters.=1", "config..tp=1", "a=[1"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(AutotunerError):
        with_changes({}, [text])


# ---- files


async def test_import_and_export(store: SqlStore, tmp_path: Path) -> None:
    first = await made(store, requires=["balanced"], rules=[{"require": "tp-size >= 4", "message": "wide"}])
    file = dump_preset(first.content).encode()
    await refused(import_preset(store, file), 409, "There is already a preset of that name")
    renamed = (await import_preset(store, file, on_conflict="rename")).preset
    assert (renamed.name, renamed.slug) == ("Team A (2)", "team-a-2")
    assert to_data(renamed.content) == {**to_data(first.content), "name": "Team A (2)"}
    changed = json.loads(file)
    changed["preset"]["parameters"] = {"tp-size": [16]}
    replaced = (await import_preset(store, json.dumps(changed).encode(), on_conflict="replace")).preset
    assert (replaced.id, replaced.revision, replaced.parameters) == (first.id, 2, {"tp-size": (16,)})
    assert [one.reason for one in await store.preset_revisions(first.id)][-1] is RevisionReason.REPLACED
    await delete_preset(store, replaced)
    again = (await import_preset(store, file)).preset
    assert again.content == first.content
    path = tmp_path / "file.json"
    path.write_bytes(file)
    assert read_preset_file(str(path)) == file
    with pytest.raises(AutotunerError) as caught:
        read_preset_file(str(tmp_path / "nowhere.json"))
    assert caught.value.code is ErrorCode.MISSING_FILE


async def test_a_file_that_is_not_valid_changes_nothing(store: SqlStore) -> None:
    before = await store.list_presets()
    bad = {"version": "1.0", "preset": {**SMALL, "runtime": "vlm"}}
    error = await refused(import_preset(store, json.dumps(bad).encode()), 422, "Import validation failed")
    assert error.place == "preset.runtime"
    await refused(import_preset(store, b"[]"), 422, "Import validation failed")
    assert await store.list_presets() == before


async def test_forms_and_engines(store: SqlStore) -> None:
    balanced = await named_preset(store, "balanced")
    blocks = in_form(balanced, "structured")
    assert blocks.config == {"parallel_config": {"tp": [1, 2]}, "memory_config": {"gpu_memory_utilization": [0.85]}}
    assert blocks.parameters == {}
    back = in_form(balanced.model_copy(update={"parameters": {}, "config": blocks.config}), "flat")
    assert (back.config, set(back.parameters.values())) == ({}, {(1, 2), (0.85,)})
    rest = {"quant_config": {"presets": ["default"]}, "system_config": {"total_gpus": 8}}
    mixed = {"parallel_config": {"pp": 2, "dp": [1, 2]}, **rest}
    kept = in_form(await made(store, name="Mixed", runtime="sglang", config=mixed), "flat").config
    assert kept == {"parallel_config": {"pp": 2}, **rest}
    anybody = await made(store)
    with pytest.raises(AutotunerError) as caught:
        in_form(anybody, "structured")
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert in_form(anybody, "structured", runtime="sglang").config["parallel_config"] == {"tp": [4, 8]}
    assert len(for_engine(balanced, "vllm").parameters) == 2
    assert for_engine(balanced, "llamacpp").empty


# ---- merging


async def test_merging_by_number_in_the_order_asked_for(store: SqlStore) -> None:
    merged = await merge_presets(store, [2, 1], "union")
    assert merged.parameters == {"tp-size": [1, 2, 4], "mem-fraction-static": [0.7, 0.75, 0.9]}
    assert merged.applied_presets == ("high-throughput", "memory-efficient")
    assert [one.parameter for one in merged.conflicts] == ["tp-size", "mem-fraction-static"]
    assert merged.conflicts[0].values == {"high-throughput": [2, 4], "memory-efficient": [1]}
    last = await merge_presets(store, [2, 1], "last_wins")
    assert last.parameters == {"tp-size": [1], "mem-fraction-static": [0.7, 0.75]}
    assert (await merge_presets(store, [1, 2], "last_wins")).parameters["tp-size"] == [2, 4]
    none = await merge_presets(store, [1, 2], "intersection")
    assert none.parameters == {}
    assert all(warning.startswith("No common values in intersection") for warning in none.warnings)
    assert len(none.warnings) == 2
    translated = await merge_presets(store, [2, 3], runtime="vllm")
    assert translated.runtime == "vllm"
    assert any("schedule-policy" in warning for warning in translated.warnings)


async def test_merging_says_what_is_wrong(store: SqlStore) -> None:
    await refused(merge_presets(store, []), 422, "There is nothing to merge")
    await refused(merge_presets(store, [1, 99]), 404, "Preset not found")
    error = await refused(merge_presets(store, [1, 2], "newest"), 422, "Invalid merge strategy")
    assert all(name in error.why for name in ("union", "intersection", "last_wins", "deep_merge"))
    with pytest.raises(AutotunerError) as caught:
        await merge_presets(store, [1], runtime="llamacpp")
    assert caught.value.code is ErrorCode.UNSUPPORTED

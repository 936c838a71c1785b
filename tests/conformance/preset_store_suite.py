"""What every PresetStore must do. A test class inherits the tests and gives the fixtures ``presets`` and ``others``.

``others`` is a second connection to the same data.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.presets import (
    NewPreset,
    PresetContent,
    PresetMetadata,
    PresetRule,
    PresetStore,
    RevisionReason,
)

SYSTEM = tuple(
    NewPreset(name=name, slug=name.lower(), parameters={"tp-size": (1,)}, is_system=True) for name in ("Alpha", "Beta")
)


def new_preset(name: str = "Mine", **fields: Any) -> NewPreset:
    """A preset to store."""
    return NewPreset(**{"name": name, "slug": name.lower().replace(" ", "-"), "parameters": {"x": (1, 2)}} | fields)


def content(name: str = "Mine", *values: Any) -> PresetContent:
    """What a preset may become."""
    return PresetContent(name=name, parameters={"x": values or (3,)})


class PresetStoreSuite:
    """The tests."""

    async def test_everything_comes_back_as_it_was_stored(self, presets: PresetStore, others: PresetStore) -> None:
        whole = new_preset(
            "Ünïcode 日本",
            slug="unicode",
            description="a\nb",
            category="free text",
            runtime="engine",
            parameters={"z": (True, 1, 1.0, "1", None), "a": (0.1 + 0.2,)},
            config={"parallel_config": {"tp": [1, 2], "pp": 2}},
            metadata=PresetMetadata.model_validate({"author": "me", "tags": ["b", "a"], "note": {"x": [1, None]}}),
            rules=(PresetRule(when="a > 1", require="z == 1", message="no"),),
            requires=("alpha",),
            owner="somebody",
            visibility="private",
        )
        made = await presets.create_preset(whole)
        read = await others.get_preset(made.id)
        assert read == made
        assert NewPreset(**{name: getattr(read, name) for name in NewPreset.model_fields}) == whole
        kinds = [type(value) for value in read.parameters["z"]]
        assert kinds == [bool, int, float, str, type(None)]
        assert list(read.parameters) == ["z", "a"]
        assert (read.revision, read.created_at) == (1, read.updated_at)

    async def test_system_presets_are_seeded_once(self, presets: PresetStore, others: PresetStore) -> None:
        await presets.seed_presets(SYSTEM)
        before = await presets.list_presets()
        await asyncio.gather(presets.seed_presets(SYSTEM), others.seed_presets(SYSTEM))
        assert await others.list_presets() == before
        assert [preset.slug for preset in before] == ["alpha", "beta"]
        assert all(preset.is_system for preset in before)
        assert [len(await presets.preset_revisions(preset.id)) for preset in before] == [1, 1]

    async def test_two_processes_may_seed_at_once(self, presets: PresetStore, others: PresetStore) -> None:
        await asyncio.gather(presets.seed_presets(SYSTEM), others.seed_presets(SYSTEM))
        assert [preset.slug for preset in await presets.list_presets()] == ["alpha", "beta"]

    async def test_a_system_preset_is_never_changed(self, presets: PresetStore) -> None:
        await presets.seed_presets(SYSTEM)
        alpha = (await presets.list_presets())[0]
        changes = {
            "Cannot edit system preset": presets.change_preset(
                alpha.id, content("Alpha"), reason=RevisionReason.EDITED, revision=1
            ),
            "Cannot delete system preset": presets.delete_preset(alpha.id),
        }
        for sentence, change in changes.items():
            with pytest.raises(AutotunerError) as caught:
                await change
            assert caught.value.code is ErrorCode.FORBIDDEN
            assert caught.value.what == sentence
            assert "uplicate" in caught.value.remedy
        assert await presets.get_preset(alpha.id) == alpha

    async def test_names_are_unique_and_slugs_are_made_so(self, presets: PresetStore) -> None:
        first = await presets.create_preset(new_preset("A b"))
        second = await presets.create_preset(new_preset("A-b", slug="a-b"))
        assert (first.slug, second.slug) == ("a-b", "a-b-2")
        with pytest.raises(AutotunerError) as caught:
            await presets.create_preset(new_preset("A b", slug="other"))
        assert caught.value.code is ErrorCode.CONFLICT
        assert caught.value.place == "name"
        with pytest.raises(AutotunerError) as caught:
            await presets.change_preset(second.id, content("A b"), reason=RevisionReason.EDITED, revision=1)
        assert caught.value.code is ErrorCode.CONFLICT

    async def test_each_change_is_a_revision(self, presets: PresetStore, others: PresetStore) -> None:
        made = await presets.create_preset(new_preset())
        edited = await presets.change_preset(made.id, content("Renamed", 1.0), reason=RevisionReason.EDITED, revision=1)
        assert (edited.revision, edited.name, edited.slug) == (2, "Renamed", "mine")
        typed = await presets.change_preset(made.id, content("Renamed", 1), reason=RevisionReason.EDITED, revision=2)
        assert typed.revision == 3  # 1 is not 1.0 here
        same = await presets.change_preset(made.id, content("Renamed", 1), reason=RevisionReason.EDITED, revision=3)
        assert same == typed
        found = await others.preset_revisions(made.id)
        assert [(one.number, one.reason, one.content.parameters["x"]) for one in found] == [
            (1, RevisionReason.CREATED, (1, 2)),
            (2, RevisionReason.EDITED, (1.0,)),
            (3, RevisionReason.EDITED, (1,)),
        ]
        assert [type(one.content.parameters["x"][0]) for one in found] == [int, float, int]
        assert found[0].content == made.content

    async def test_of_two_changes_at_once_one_is_refused(self, presets: PresetStore, others: PresetStore) -> None:
        made = await presets.create_preset(new_preset())
        ended = await asyncio.gather(
            presets.change_preset(made.id, content("Mine", 5), reason=RevisionReason.EDITED, revision=1),
            others.change_preset(made.id, content("Mine", 6), reason=RevisionReason.EDITED, revision=1),
            return_exceptions=True,
        )
        (refused,) = [one for one in ended if isinstance(one, AutotunerError)]
        assert refused.code is ErrorCode.CONFLICT
        assert len(await presets.preset_revisions(made.id)) == 2

    async def test_deleting_removes_the_history_and_the_number_is_not_given_again(self, presets: PresetStore) -> None:
        made = await presets.create_preset(new_preset())
        await presets.delete_preset(made.id)
        again = await presets.create_preset(new_preset())
        assert again.id > made.id
        assert len(await presets.preset_revisions(again.id)) == 1
        for asked in (
            presets.get_preset(made.id),
            presets.delete_preset(made.id),
            presets.preset_revisions(made.id),
            presets.change_preset(made.id, content(), reason=RevisionReason.EDITED, revision=1),
        ):
            with pytest.raises(AutotunerError) as caught:
                await asked
            assert caught.value.code is ErrorCode.NOT_FOUND
            assert caught.value.what == "Preset not found"

"""Presets in task documents: they change what is planned and run, the record of them stays, and figures come of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from autotuner.config.load import to_data, validate
from autotuner.contracts.attempt import AttemptReason
from autotuner.contracts.errors import AutotunerError, ErrorCode
from autotuner.contracts.progress import Snapshot
from autotuner.contracts.result import ExperimentSummary
from autotuner.contracts.store import ExperimentStatus
from autotuner.planning.plan import Plan
from autotuner.presets.content import to_data as preset_data
from autotuner.presets.suggest import SuggestionRequest
from autotuner.services.documents import demo_document, read_document
from autotuner.services.plan_summary import summarise_plan
from autotuner.services.planning import plan_document
from autotuner.services.preset_history import preset_analytics, suggest_presets
from autotuner.services.presets import create_preset, delete_preset, edit_preset, named_preset, open_presets
from autotuner.services.settings import Settings, load_settings
from autotuner.services.tasks import run_task


class Silent:
    def on_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def on_start_finished(self, summary: ExperimentSummary, reason: AttemptReason) -> None:
        pass

    def on_message(self, message: str) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"AUTOTUNER_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)})


def planned(settings: Settings, tmp_path: Path, *, engine: str = "simulated", **keys: Any) -> Plan:
    """The plan of a task file with these keys."""
    simulated = {"surface": "qwen3_32b_h200", "backend": "vllm", "isl": 4000, "osl": 500}
    data = {
        "base_runtime": engine,
        "model": {"id_or_path": "Qwen/Qwen3-32B"},
        "system_config": {"gpu_type": "h200_sxm", "total_gpus": 8},
        "benchmark": {"traffic_scenarios": ["D(4000,500)"], "num_concurrency": [256]},
        **({"simulation": simulated} if engine == "simulated" else {}),
        **keys,
    }
    file = tmp_path / "task.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return plan_document(read_document(str(file), settings=settings), settings)


def searched(plan: Plan) -> dict[str, Any]:
    return {name: entry.value for name, entry in plan.provenance.items() if entry.searched}


def make(settings: Settings, **fields: Any) -> None:
    async def store_it() -> None:
        async with open_presets(settings) as store:
            await create_preset(store, fields)

    asyncio.run(store_it())


def test_a_preset_makes_the_search_space(settings: Settings, tmp_path: Path) -> None:
    plan = planned(settings, tmp_path, presets=["high-throughput"])
    assert searched(plan) == {"tp": [2, 4]}
    assert plan.provenance["tp"].layer == "preset:high-throughput"
    assert plan.document.presets is None
    (layer,) = plan.document.assembled.layers if plan.document.assembled else ()
    assert (layer.name, layer.number, layer.revision) == ("preset:high-throughput", 2, 1)
    assert any("mem-fraction-static is left out" in warning for warning in plan.warnings)
    summary = summarise_plan(plan, commands=0)
    assert {p.name: (p.origin, p.layer) for p in summary.parameters}["tp"] == ("searched", "preset:high-throughput")
    assert [layer.name for layer in summary.layers] == ["preset:high-throughput"]


def test_the_document_is_stronger_under_whatever_name(settings: Settings, tmp_path: Path) -> None:
    for own in ({"parameters": {"tp": [8]}}, {"parallel_config": {"tp": [8]}}):
        plan = planned(settings, tmp_path, presets=["high-throughput"], **own)
        assert list(searched(plan).values()) == [[8]]
        assert not any(entry.layer.startswith("preset:") for entry in plan.provenance.values())
        assert any("preset:high-throughput is not used: a stronger layer decides it" in w for w in plan.warnings)


def test_presets_are_merged_in_order_by_the_strategy(settings: Settings, tmp_path: Path) -> None:
    pair = ["high-throughput", "memory-efficient"]
    assert searched(planned(settings, tmp_path, presets=pair)) == {"tp": [1, 2, 4]}
    assert searched(planned(settings, tmp_path, presets=pair, merge_strategy="last_wins")) == {"tp": [1]}
    assert searched(planned(settings, tmp_path, presets=[1, 2], merge_strategy="override")) == {"tp": [2, 4]}
    own = {"default": "union", "parameters": {"tp-size": "last_wins"}}
    assert searched(planned(settings, tmp_path, presets=pair, merge_strategy=own)) == {"tp": [1]}
    both = planned(settings, tmp_path, presets=pair)
    assert both.provenance["tp"].layer == "preset:high-throughput+memory-efficient"
    (layer,) = summarise_plan(both, commands=0).layers
    assert layer.keys == {"parameters.tp": [1, 2, 4]}


def test_required_presets_are_pulled_in_and_rules_hold(settings: Settings, tmp_path: Path) -> None:
    make(
        settings,
        name="Mine",
        runtime="simulated",
        parameters={"pp": [1, 2]},
        requires=["high-throughput"],
        rules=[{"when": "pp == 2", "require": "tp <= 2", "message": "no more than 4 GPUs"}],
    )
    plan = planned(settings, tmp_path, presets=["Mine"])
    assert searched(plan) == {"tp": [2, 4], "pp": [1, 2]}
    assert plan.provenance["pp"].layer == "preset:mine"
    assert plan.count.excluded == {"no more than 4 GPUs (preset:mine)": 1}
    assert [layer.name for layer in plan.document.assembled.layers] == [  # type: ignore[union-attr]
        "preset:high-throughput",
        "preset:mine",
    ]


def test_presets_stand_above_profiles(settings: Settings, tmp_path: Path) -> None:
    plan = planned(settings, tmp_path, engine="sglang", profiles=["balanced"], presets=["high-throughput"])
    assert searched(plan)["tp_size"] == [2, 4]
    assert plan.provenance["tp_size"].layer == "preset:high-throughput"
    names = [layer.name for layer in plan.document.assembled.layers]  # type: ignore[union-attr]
    assert names == ["profile:balanced:balanced-params", "preset:high-throughput"]


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"presets": ["hihg-throughput"]}, ErrorCode.NOT_FOUND, "high-throughput"),
        ({"presets": [99]}, ErrorCode.NOT_FOUND, "Preset not found"),
        ({"presets": ["balanced"], "merge_strategy": "newest"}, ErrorCode.INVALID_VALUE, "Invalid merge strategy"),
        ({"presets": ["balanced"], "merge_strategy": {"defualt": "union"}}, ErrorCode.UNKNOWN_KEY, "default"),
        ({"presets": "balanced"}, ErrorCode.INVALID_VALUE, "must be a list"),
    ],
)
def test_wrong_requests_are_told(
    settings: Settings, tmp_path: Path, keys: dict[str, Any], code: ErrorCode, words: str
) -> None:
    with pytest.raises(AutotunerError) as caught:
        planned(settings, tmp_path, **keys)
    assert caught.value.code is code
    assert words in str(caught.value)


def test_a_preset_that_says_nothing_to_the_engine_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(AutotunerError) as caught:
        planned(settings, tmp_path, engine="llamacpp", presets=["balanced"], model={"id_or_path": "tiny:q8_0"})
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert "llamacpp can do nothing of the preset 'Balanced'" in str(caught.value)


def test_a_document_that_names_presets_is_never_planned_as_it_is(settings: Settings) -> None:
    document = validate({"model": {"id_or_path": "tiny"}, "presets": ["balanced"]})
    with pytest.raises(ValueError, match="assembled"):
        plan_document(document, settings)


def test_the_whole_document_is_read_back_without_a_second_merge(settings: Settings, tmp_path: Path) -> None:
    plan = planned(settings, tmp_path, presets=["high-throughput"])
    again = validate(to_data(plan.document))
    assert again == plan.document
    assert plan_document(again, settings).provenance == plan.provenance
    file = tmp_path / "whole.yaml"
    file.write_text(yaml.safe_dump({**to_data(plan.document), "presets": ["memory-efficient"]}), encoding="utf-8")
    more = read_document(str(file), settings=settings)
    assert to_data(more)["parameters"] == {"tp": [2, 4]}
    layers = [layer.name for layer in more.assembled.layers] if more.assembled else []
    assert layers == ["preset:high-throughput", "preset:memory-efficient"]
    assert more.assembled is not None
    assert more.assembled.origins == {"parameters.tp": "preset:high-throughput"}


# ---- real runs, over predictions


FEW = ["optimization.max_iterations=3", "optimization.confirm.starts=2", "parameters=null", "presets=[high-throughput]"]


async def run(settings: Settings, *sets: str) -> Any:
    document = await asyncio.to_thread(demo_document, sets=[*FEW, *sets], settings=settings)
    return await run_task(document, settings, Silent())


async def test_what_came_of_a_preset(settings: Settings) -> None:
    ran = await run(settings)
    async with open_presets(settings) as store:
        stored = await store.get_task(ran.task.id)
        used = await preset_analytics(store, await named_preset(store, "high-throughput"))
        unused = await preset_analytics(store, await named_preset(store, "balanced"))
        experiments = await store.list_experiments(ran.task.id)
    assert stored.document["assembled"]["layers"][0]["number"] == 2
    assert "presets" not in stored.document
    with_it = [one for one in experiments if one.parameters["tp"] in (2, 4)]
    assert (used.tasks, used.task_names, used.experiments) == (1, ("demo",), len(with_it))
    good = [one for one in with_it if one.status is ExperimentStatus.SUCCESS]
    assert used.success_rate == len(good) / len(with_it)
    (result,) = used.results
    assert result.best == max(one.objective_score or 0 for one in good)
    assert (result.objective, result.direction) == ("maximize_throughput", "maximize")
    assert (unused.tasks, unused.success_rate) == (0, None)


async def test_a_task_goes_on_as_it_was_when_its_preset_is_edited_or_deleted(settings: Settings) -> None:
    async with open_presets(settings) as store:
        data = {"name": "Mine", "runtime": "simulated", "parameters": {"tp": [2, 4]}}
        mine = (await create_preset(store, data)).preset
    ran = await run(settings, "presets=[mine]")
    async with open_presets(settings) as store:
        edited = (await edit_preset(store, mine, {**preset_data(mine.content), "parameters": {"tp": [8]}})).preset
        stored = await store.get_task(ran.task.id)
        assert stored.document["parameters"] == {"tp": [2, 4]}
        assert stored.document["assembled"]["layers"] == [
            {"name": "preset:mine", "number": mine.id, "revision": 1, "gives": {"tp": [2, 4]}}
        ]
        figures = await preset_analytics(store, edited)
        assert figures.tasks == 1
        before = figures.experiments
        assert before > 0
    again = await run_task(validate(stored.document), settings, Silent())
    assert not again.fresh
    with pytest.raises(AutotunerError) as caught:
        await run(settings, "presets=[mine]")
    assert caught.value.code is ErrorCode.TASK_CHANGED
    assert "parameters.tp" in caught.value.why
    async with open_presets(settings) as store:
        await delete_preset(store, edited)
    assert not (await run_task(validate(stored.document), settings, Silent())).fresh


async def test_suggestions_know_what_ran_here(settings: Settings) -> None:
    async with open_presets(settings) as store:
        request = SuggestionRequest(engine="sglang", total_gpus=1)
        before = await suggest_presets(store, store, request)
    assert [one.preset for one in before] == ["memory-efficient", "low-latency", "balanced"]
    await run(settings)
    async with open_presets(settings) as store:
        known = await suggest_presets(
            store, store, SuggestionRequest(engine="simulated", model="Qwen/Qwen3-32B", total_gpus=8)
        )
        llamacpp = await suggest_presets(store, store, SuggestionRequest(engine="llama.cpp"))
    assert known[0].preset == "high-throughput"
    assert any("experiments with it succeeded" in reason for reason in known[0].reasons)
    assert llamacpp == []

"""The revisions of presets, what came of them in the stored tasks, and which of them suit a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import Field

from autotuner.config.document import TaskDocument
from autotuner.config.load import validate
from autotuner.contracts.errors import AutotunerError
from autotuner.contracts.presets import Preset, PresetRevision, PresetStore
from autotuner.contracts.store import Store, TaskRecord
from autotuner.engines.registry import DEFAULT_ENGINE, engine
from autotuner.presets.analytics import PresetAnalytics, PresetUse, UsedExperiment, summarise, used
from autotuner.presets.dialect import Dialect
from autotuner.presets.diff import PresetChange, changes
from autotuner.presets.layering import Chosen, contribution_of
from autotuner.presets.merge import PARAMETERS
from autotuner.presets.suggest import Candidate, SuggestedPreset, SuggestionRequest, suggest
from autotuner.presets.translate import Translation, translate
from autotuner.scoring.objectives import directions
from autotuner.services.planning import engine_of
from autotuner.services.preset_runtimes import dialects_of, runtime_name

PAGE = 200
"""Tasks that are read at once."""


class RevisionWithChanges(PresetRevision):
    """A revision, and what it changed."""

    changes: tuple[PresetChange, ...] = Field(description="against the revision before it; empty for the first one")


async def revisions_with_changes(store: PresetStore, preset: Preset) -> list[RevisionWithChanges]:
    """All revisions of a preset, oldest first."""
    found = await store.preset_revisions(preset.id)
    before = [None, *found]
    return [
        RevisionWithChanges(
            **{name: getattr(one, name) for name in PresetRevision.model_fields},
            changes=() if old is None else tuple(changes(old.content, one.content)),
        )
        for old, one in zip(before, found, strict=False)
    ]


async def preset_analytics(store: Store, preset: Preset) -> PresetAnalytics:
    """Tasks and experiments that used a preset in any of its revisions, and their results."""
    return summarise(preset.slug, (await _uses(store)).get(preset.id, []))


async def suggest_presets(store: Store, presets: PresetStore, request: SuggestionRequest) -> list[SuggestedPreset]:
    """The presets that can be used for a model on an engine, the best first.

    AutotunerError(UNKNOWN_NAME) for an engine that there is not.
    """
    request = request.model_copy(update={"engine": runtime_name(request.engine or DEFAULT_ENGINE, place="engine")})
    return await asyncio.to_thread(_suggested, request, await presets.list_presets(), await _uses(store))


def _suggested(
    request: SuggestionRequest, presets: Sequence[Preset], uses: Mapping[int, list[PresetUse]]
) -> list[SuggestedPreset]:
    target = Dialect(engine(request.engine))
    candidates: list[Candidate] = []
    for preset in presets:
        source = dialects_of(Chosen((preset,))).get(preset.runtime)
        made = translate(contribution_of(preset), source, target, model=request.model)
        candidates.append(Candidate(preset, made, _sizes(made, target), uses.get(preset.id, ())))
    return suggest(request, candidates)


def _sizes(made: Translation, target: Dialect) -> list[Any]:
    """The tensor parallel sizes of a preset, wherever it says them."""
    said = {(PARAMETERS, name): list(values) for name, values in made.parameters.items()}
    said |= {(block, name): value for block, keys in made.config.items() for name, value in keys.items()}
    found = [value for place, value in said.items() if (target.key(place) or "").endswith("__tp")]
    return [size for value in found for size in (value if isinstance(value, list | tuple) else [value])]


async def _uses(store: Store) -> dict[int, list[PresetUse]]:
    """By the preset's number, every task that used it, the newest first."""
    found: dict[int, list[PresetUse]] = {}
    async for task, document in _tasks(store):
        layers = [layer for layer in document.assembled.layers if layer.number] if document.assembled else []
        if not layers:
            continue
        experiments = await store.list_experiments(task.id, bulk=False)
        winner = _winner(task)
        for layer in layers:
            had = tuple(
                UsedExperiment(status=one.status, score=one.objective_score, winner=one.number == winner)
                for one in experiments
                if used(one.parameters, layer.gives)
            )
            found.setdefault(layer.number or 0, []).append(_use(task, document, had))
    return found


def _use(task: TaskRecord, document: TaskDocument, experiments: tuple[UsedExperiment, ...]) -> PresetUse:
    objective = document.optimization.objectives[0]
    result: Mapping[str, Any] = task.result or {}
    return PresetUse(
        task=task.name,
        model=document.model.files[0] if document.model.files else "",
        engine=engine_of(document).name,
        gpu_type=document.system_config.gpu_type,
        objective=objective,
        unit=str(result.get("unit") or ""),
        direction=directions([objective])[0],
        experiments=experiments,
    )


def _winner(task: TaskRecord) -> int | None:
    """Number of the winner, if it beat the baseline."""
    result = task.result or {}
    winner = result.get("winner")
    return winner.get("number") if result.get("verdict") == "gain" and isinstance(winner, Mapping) else None


async def _tasks(store: Store) -> AsyncIterator[tuple[TaskRecord, TaskDocument]]:
    """All undeleted tasks with their documents; one whose document this version cannot read is left out."""
    offset, seen = 0, set[int]()
    while True:
        tasks, total = await store.list_tasks(offset=offset, limit=PAGE)
        # A task that is made meanwhile moves the pages.
        new = [task for task in tasks if task.id not in seen and task.document.get("assembled")]
        seen.update(task.id for task in new)
        for task, document in await asyncio.to_thread(_readable, new):
            yield task, document
        offset += len(tasks)
        if not tasks or offset >= total:
            return


def _readable(tasks: Sequence[TaskRecord]) -> list[tuple[TaskRecord, TaskDocument]]:
    found: list[tuple[TaskRecord, TaskDocument]] = []
    for task in tasks:
        with suppress(AutotunerError):
            found.append((task, validate(task.document, name=task.name)))
    return found
